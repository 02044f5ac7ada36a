"""Gives collections that have grown a partition and an index of their own, in the background."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from models import partitions
from models.session import session_scope
from settings import settings
from tasks.app import app

log = logging.getLogger(__name__)
NO_SHARED_MEMORY = "53100"
LOCKED = ("55P03", "40P01")  # for too long, or each by the other
PROCESSES = 2  # beside the one that builds; Postgres has its own limit


@app.task
def index_collections() -> None:
    """Looks at all collections once; beat calls it every minute, and twice does no harm.

    What meets a lock that is held for long gives up, and is tried again the next time.
    """
    with _giving_way(), session_scope(long=True) as session:
        partitions.drop_partitions(session)
    with session_scope(long=True) as session:
        crowded = partitions.crowded_collections(session, settings.exact_below)
    for collection_id, indexed in crowded:
        with _giving_way():
            moved = _fill(collection_id) if indexed else _build(collection_id)
            log.info("collection %d: %d chunks moved to its index", collection_id, moved)


@contextmanager
def _giving_way() -> Iterator[None]:
    """Nothing else of the round has to wait for what others stand in the way of."""
    try:
        yield
    except OperationalError as exc:
        if getattr(exc.orig, "sqlstate", None) not in LOCKED:
            raise
        log.warning("indexing was put off: %s", exc.orig)


def _build(collection_id: int) -> int:
    try:
        return _build_with(collection_id, PROCESSES)
    except OperationalError as exc:
        # Where /dev/shm is small, as in containers, several processes do not get their memory.
        if getattr(exc.orig, "sqlstate", None) != NO_SHARED_MEMORY:
            raise
        return _build_with(collection_id, 0)


def _build_with(collection_id: int, processes: int) -> int:
    with session_scope(long=True) as session:
        memory_mb = settings.index_memory_mb
        return partitions.build_partition(session, collection_id, memory_mb, processes)


def _fill(collection_id: int) -> int:
    moved = 0
    while batch := _fill_once(collection_id):
        moved += batch
    return moved


def _fill_once(collection_id: int) -> int:
    with session_scope(long=True) as session:
        return partitions.fill_partition(session, collection_id)
