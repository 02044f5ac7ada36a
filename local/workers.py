"""How a worker of each queue is run: kind of pool and number of tasks at once."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from local.errors import LocalError
from settings import settings


class Pool(NamedTuple):
    """Celery's kind of pool, how many tasks it runs at once, and what is worth a line of log."""

    kind: str
    tasks: int
    loglevel: str = "INFO"


# Generation and the light steps wait in native code or on the network, so threads do, and share
# one model. So do the steps of documents: files are read in processes of their own
# (tasks/parsing.py), which take nobody with them, while the embedder works for all documents
# together; more than MOST_DOCUMENTS at once would wait for connections to the database (its pool
# in models/session.py). The sweep runs every few seconds and mostly finds nothing to do.
MOST_DOCUMENTS = 16
POOLS = {
    "pipeline": Pool("threads", 2),
    "inference": Pool("threads", settings.answers_at_once),
    "ingest": Pool(
        "threads", settings.ingest_at_once or min((os.cpu_count() or 1) + 1, MOST_DOCUMENTS)
    ),
    "sweep": Pool("solo", 1, "WARNING"),
}


INSTALLATION = Path(__file__).resolve().parent.parent


def require_services(queues: Sequence[str]) -> None:
    """Raises LocalError with what is to be set, if a worker of these queues could not work."""
    needed: dict[str, object] = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
    }
    if "ingest" in queues:
        needed["REDTEN_BLOBS"] = settings.blobs
    if missing := [name for name, value in needed.items() if value is None]:
        raise LocalError(f"a worker needs {', '.join(missing)}: the same as the API has")


def worker_command(queues: Sequence[str]) -> list[str]:
    """The Celery worker that takes these queues, which must share a kind of pool.

    Raises LocalError for an unknown queue or for queues that need a worker each.
    """
    queues = list(dict.fromkeys(queues))
    unknown = [queue for queue in queues if queue not in POOLS]
    if unknown:
        raise LocalError(f"no queue {', '.join(unknown)}: there are {', '.join(POOLS)}")
    pools = [POOLS[queue] for queue in queues]
    if len({pool.kind for pool in pools}) != 1:
        raise LocalError(f"these queues need a worker each: redten worker {queues[0]}; and so on")
    return [
        *celery("worker"),
        *("-Q", ",".join(queues)),
        *("-n", f"{'-'.join(queues)}@%h"),
        *("--pool", pools[0].kind),
        *("--concurrency", str(sum(pool.tasks for pool in pools))),
        *("--loglevel", pools[0].loglevel),
        *("--without-gossip", "--without-mingle", "-E"),
    ]


def celery(command: str) -> list[str]:
    """The start of a Celery command line of this installation."""
    return [sys.executable, "-m", "celery", "-A", "tasks.app", command]
