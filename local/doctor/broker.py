"""The broker: that it forgets nothing, who works, and whether the clock still ticks."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from local.doctor.database import of_skew
from local.doctor.finding import Finding, bad, doubtful, good
from settings import settings
from tasks import broker

LATE_S = 30.0


def memory() -> Iterator[Finding]:
    """Messages are only hints, and yet it should not drop what is waiting its turn."""
    told: Any = broker.connection().info()
    policy = told.get("maxmemory_policy")
    if policy != "noeviction":
        yield bad("broker memory", f"maxmemory-policy is {policy}", "set it to noeviction")
    else:
        yield good("broker memory", "maxmemory-policy is noeviction")
    saves = told.get("aof_enabled") or _snapshots()
    if saves:
        yield good("broker persistence", "it keeps its data over a restart")
    else:
        advice = "appendonly yes: without it every restart sends all waiting work again"
        yield doubtful("broker persistence", "a restart loses its data", advice)


def _snapshots() -> bool:
    """Whether it saves now and then; a hosted one may not tell."""
    try:
        told: Any = broker.connection().config_get("save")
    except broker.BrokerError:
        return False
    return bool(told.get("save"))


def encryption() -> Iterator[Finding]:
    """What goes to another machine is encrypted, and that machine is the right one."""
    if settings.redis_url is None:
        return
    url = urlsplit(settings.redis_url.get_secret_value())
    if url.hostname in ("localhost", "127.0.0.1", "::1", None):
        yield good("broker encryption", "on this machine")
    elif url.scheme != "rediss":
        advice = "name it by rediss://, with ?ssl_ca_certs=FILE for an authority of your own"
        yield bad("broker encryption", f"{url.hostname} is spoken to without TLS", advice)
    elif "ssl_cert_reqs=none" in url.query:
        said = f"TLS to {url.hostname}, whoever that is"
        yield bad("broker encryption", said, "take ssl_cert_reqs=none out of REDIS_URL")
    else:
        yield good("broker encryption", f"TLS to {url.hostname}")


def workers() -> Iterator[Finding]:
    """Each queue has somebody who takes its messages."""
    missing = broker.queues_without_worker()
    for queue in missing:
        yield bad("workers", f"nobody takes the queue {queue}", f"redten worker {queue}")
    if not missing:
        yield good("workers", "every queue has one")


def beat() -> Iterator[Finding]:
    """The sweep runs: beat sends it, and its worker takes it."""
    ago = broker.swept_s_ago()
    late = LATE_S + 3 * settings.sweep_every_s
    advice = "run one beat (`celery -A tasks.app beat`) and a worker of the queue sweep"
    if ago is None:
        yield bad("beat", "the sweep has never run", advice)
    elif ago > late:
        yield bad("beat", f"the sweep ran last {ago:.0f} s ago", advice)
    else:
        yield good("beat", f"the sweep ran {max(0.0, ago):.0f} s ago")


def clock() -> Iterator[Finding]:
    """Who works is known by the time that they have noted."""
    began = time.time()
    told: Any = broker.connection().time()
    yield of_skew("Redis", told[0] + told[1] / 1e6 - (began + time.time()) / 2)
