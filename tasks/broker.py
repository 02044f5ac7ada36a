"""What Redis tells beside carrying messages: its epoch, queue lengths, and who works."""

import time
from functools import lru_cache

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celeryconfig import QUEUES
from settings import settings

EPOCH = "redten:epoch"
EMPTY_SINCE = "redten:empty_since"
WORKERS = "redten:workers:"
SWEPT = "redten:swept"
PRESENT_FOR_S = 15.0
TIMEOUT_S = 0.5

BrokerError = redis.RedisError


@lru_cache(maxsize=4)
def connection(timeout_s: float = TIMEOUT_S) -> redis.Redis:
    """A pool that gives up quickly: whoever asks can do without the answer for a while.

    Who waits for something to come needs a longer timeout than the wait.
    """
    if settings.redis_url is None:
        raise BrokerError("REDIS_URL is not set: start with `redten up`")
    return redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=timeout_s,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def epoch() -> str:
    """Names this life of the broker's data: another value after it was lost or restarted.

    The random part tells that the data is gone, the run id that the last moments may be.
    """
    client = connection()
    client.set(EPOCH, str(time.time_ns()), nx=True)
    return ":".join((str(client.get(EPOCH)), str(client.info("server")["run_id"])))


def queues_empty_for(seconds: float) -> set[str]:
    """Queues that have held no message at every look for at least so long."""
    client, now = connection(), time.time()
    empty = set()
    for queue in QUEUES:
        if client.llen(queue):
            client.hdel(EMPTY_SINCE, queue)
            continue
        client.hsetnx(EMPTY_SINCE, queue, str(now))
        since = client.hget(EMPTY_SINCE, queue)
        if since is not None and now - float(str(since)) >= seconds:
            empty.add(queue)
    return empty


def note_present(queue: str, worker: str) -> None:
    """A worker says that it takes messages from the queue."""
    connection().zadd(WORKERS + queue, {worker: time.time()})


def note_gone(queue: str, worker: str) -> None:
    """A worker says goodbye."""
    connection().zrem(WORKERS + queue, worker)


def queues_without_worker() -> list[str]:
    """Queues from which nobody has said lately that they take messages."""
    client, oldest = connection(), time.time() - PRESENT_FOR_S
    return [queue for queue in QUEUES if not client.zcount(WORKERS + queue, oldest, "+inf")]


def note_swept() -> None:
    """The sweep has looked at everything, as it should every few seconds."""
    connection().set(SWEPT, str(time.time()))


def swept_s_ago() -> float | None:
    """Seconds since the last sweep; None if the broker knows of none."""
    at = connection().get(SWEPT)
    return None if at is None else time.time() - float(str(at))
