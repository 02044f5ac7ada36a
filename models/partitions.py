"""Where a collection's chunks lie: part 0 is searched exactly, a partition of its own by index.

The functions of models/migrations/partitions.sql do the work as the owner of the tables.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.collection import Collection

# "rea": with a collection's id, the advisory lock of readers against the change of place.
READING = 0x726561
# One transaction each, so that documents of the batch are locked for a moment only.
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """What a search has to know of a collection; its chunks stay there until the commit."""

    collection_id: int
    version: int
    language: str
    indexed: bool

    @property
    def parts(self) -> tuple[int, ...]:
        """Where its chunks lie."""
        return (0, self.collection_id) if self.indexed else (0,)


def find_place(session: Session, collection_id: int) -> Place | None:
    """Where the version in service lies; None for what cannot be seen.

    Holds off until the commit that the chunks move into a partition that a query which is
    planned already would not look into.
    """
    lock = func.pg_advisory_xact_lock_shared(READING, collection_id)
    # Compiling a query takes longer than most of them do.
    session.execute(select(lock, func.set_config("jit", "off", True)))
    partition = func.to_regclass(func.format("chunks_%s_v%s", Collection.id, Collection.version))
    row = session.execute(
        select(Collection.version, Collection.language, partition.is_not(None)).where(
            Collection.id == collection_id
        )
    ).first()
    return Place(collection_id, *row) if row else None


def crowded_collections(session: Session, least: int) -> list[tuple[int, bool]]:
    """Collections with so many chunks in part 0 that they should move; whether they have moved.

    Crosses the wall between tenants, as do all functions below.
    """
    table = func.crowded_collections(least).table_valued("collection_id", "indexed")
    return [(row.collection_id, row.indexed) for row in session.execute(select(table))]


def build_partition(session: Session, collection_id: int, memory_mb: int, processes: int) -> int:
    """Gives the collection its partition, with its indexes; the chunks moved, 0 if none were.

    Takes about a minute for 200,000 chunks, in which everything goes on as before.
    """
    session.execute(
        select(
            func.set_config("maintenance_work_mem", f"{memory_mb}MB", True),
            func.set_config("max_parallel_maintenance_workers", str(processes), True),
        )
    )
    return session.scalar(select(func.build_partition(collection_id))) or 0


def fill_partition(session: Session, collection_id: int, most: int = BATCH) -> int:
    """Moves at most so many chunks into the partition that is there; gives their count."""
    return session.scalar(select(func.fill_partition(collection_id, most))) or 0


def drop_partitions(session: Session) -> int:
    """Removes partitions of deleted collections and of versions that are out of service."""
    return session.scalar(select(func.drop_partitions())) or 0
