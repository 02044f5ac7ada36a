"""Files that no row refers to, yet or any more: none is forgotten, whatever dies in between.

1. Before a file is stored, its place is noted here and committed (`loosen`, or `reserve` where a
   user has chosen it).
2. The transaction that writes the row which refers to it takes it from here (`adopt`).
3. What deletes rows of documents, collections, users_data or embeddings, cascades too, notes the
   places of their files in the same transaction: triggers of migration 0010 see to it.
4. What is noted here is removed, at once where it can be, or else by the clock (`tasks/loose.py`).
"""

from datetime import datetime

from sqlalchemy import ColumnElement, String, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.errors import RedtenError
from models.user_data import UserData, location_taken

# Shared by those who remove files, exclusive while a backup copies them.
REMOVAL_LOCK = 0x6C6F6F7365  # "loose"
MOST_AT_ONCE = 1000
EXPIRED = "upload_expired"


class LooseBlob(Base):
    """A place in the file store: a key, an `s3://` location, or a folder with `/` at its end.

    At a place that a user has `chosen` may lie what is none of ours, which stays. The row outlives
    its tenant, whose files are removed last: no foreign key.
    """

    __tablename__ = "loose_blobs"

    tenant_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[str] = mapped_column(String(1024), primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    chosen: Mapped[bool] = mapped_column(server_default="false")

    @property
    def is_folder(self) -> bool:
        """Whether everything below it is meant."""
        return self.place.endswith("/")


def loosen(session: Session, tenant_id: int, *places: str, chosen: bool = False) -> None:
    """Notes places before files are stored there, or when nothing refers to them any more.

    A place that is noted already is as if it were new. Waits for who removes what lies there.
    """
    rows = [{"tenant_id": tenant_id, "place": place, "chosen": chosen} for place in sorted(places)]
    if rows:
        noted = insert(LooseBlob).values(rows)
        key, again = [LooseBlob.tenant_id, LooseBlob.place], {"since": func.now()}
        session.execute(noted.on_conflict_do_update(index_elements=key, set_=again))


def reserve(session: Session, tenant_id: int, place: str) -> None:
    """As `loosen`, for a place that a user chose: one upload at a time, or one that fails would
    take the other's file away. Raises RedtenError `location_taken`.
    """
    noted = insert(LooseBlob).values(tenant_id=tenant_id, place=place, chosen=True)
    free = noted.on_conflict_do_nothing().returning(LooseBlob.place)
    if session.scalar(free) is None:
        raise location_taken(place)


def adopt(session: Session, tenant_id: int, place: str) -> None:
    """Takes a place from here, in the transaction that writes the row which refers to it.

    Raises RedtenError `upload_expired` if the clock was quicker: the file is gone.
    """
    taken = delete(LooseBlob).where(*_at(tenant_id, place)).returning(LooseBlob.place)
    if session.scalar(taken) is None:
        raise upload_expired()


def renew(session: Session, tenant_id: int, *places: str) -> None:
    """Says that files are still being stored there. Raises RedtenError `upload_expired`."""
    noted = (LooseBlob.tenant_id == tenant_id, LooseBlob.place.in_(places))
    still = update(LooseBlob).where(*noted).values(since=func.now()).returning(LooseBlob.place)
    if len(session.scalars(still).all()) < len(set(places)):
        raise upload_expired()


def upload_expired() -> RedtenError:
    """The refusal to refer to a file that has been removed."""
    return RedtenError(EXPIRED, "storing the file took too long: send it again")


def claim_loose(session: Session, tenant_id: int, place: str) -> LooseBlob | None:
    """The note of a place whose files may be removed until the commit; nobody adopts it meanwhile.

    None if it is not noted any more, somebody is about to adopt it, a row refers to it after all,
    or a backup is under way.
    """
    unhindered = func.pg_try_advisory_xact_lock_shared(REMOVAL_LOCK)
    # First the lock: a file that is in a snapshot must not go between the two.
    if not session.scalar(select(unhindered)):
        return None
    noted = select(LooseBlob).where(*_at(tenant_id, place)).with_for_update(skip_locked=True)
    found = session.scalar(noted)
    # Two who chose the same place for their files: the one who came too late has noted it last.
    if found and session.scalar(select(exists().where(UserData.sloc == place))):
        session.delete(found)
        return None
    return found


def overdue_blobs(session: Session, after_s: float) -> list[tuple[int, str]]:
    """(tenant, place) of what has been loose for so long, oldest first, MOST_AT_ONCE at most.

    Crosses the wall between tenants, through the function `overdue_blobs`.
    """
    table = func.overdue_blobs(after_s, MOST_AT_ONCE).table_valued("tenant_id", "place")
    return [(row.tenant_id, row.place) for row in session.execute(select(table))]


def _at(tenant_id: int, place: str) -> tuple[ColumnElement[bool], ...]:
    return (LooseBlob.tenant_id == tenant_id, LooseBlob.place == place)
