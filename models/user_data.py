"""Files that users have uploaded, each seen by its owner alone; the bytes lie with the blobs."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, and_, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.tenant import Caller

MOST_FOUND = 100
SEARCHED = ("filename", "data_type", "comments", "encoding", "sloc")


class UserData(Numbered, Owned, Dated, Base):
    """An uploaded file; column names are those of the published service.

    `sloc` says where the bytes lie: `s3://bucket/key`, or a key in the deployment's folder.
    """

    __tablename__ = "users_data"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column(String(512))
    size_in_bytes: Mapped[int] = mapped_column(BigInteger)
    content_sha256: Mapped[str] = mapped_column(String(64))
    comments: Mapped[str] = mapped_column(String(512))
    data_type: Mapped[str] = mapped_column(String(64))
    encoding: Mapped[str] = mapped_column(String(64))
    sloc: Mapped[str] = mapped_column(String(1024), unique=True)


def location_taken(sloc: str) -> RedtenError:
    """The refusal to put one file in the place of another."""
    return RedtenError(
        "location_taken", f"there is a file at {sloc} already: remove it, or choose another sloc"
    )


def data_lost(data: UserData) -> RedtenError:
    """The refusal when somebody has taken the bytes away behind our back."""
    return RedtenError("data_lost", f"data {data.id} is no longer at {data.sloc}: upload it again")


def check_free(session: Session, sloc: str) -> None:
    """Raises RedtenError `location_taken` if a file of the tenant lies there."""
    if session.scalar(select(UserData.id).where(UserData.sloc == sloc)) is not None:
        raise location_taken(sloc)


def add_data(session: Session, caller: Caller, **columns: Any) -> UserData:
    """Enters a file of the caller's. Raises RedtenError `location_taken`."""
    row = insert(UserData).values(tenant_id=caller.tenant_id, user_id=caller.user_id, **columns)
    made: UserData | None = session.scalar(row.on_conflict_do_nothing().returning(UserData))
    if made is None:
        raise location_taken(columns["sloc"])
    return made


def find_data(session: Session, caller: Caller, id: int) -> UserData:
    """A file of the caller's own. Raises RedtenError `data_not_found`."""
    found = session.scalar(select(UserData).where(UserData.id == id, _own(caller)))
    if found is None:
        raise _not_found(id)
    return found


def search_data(
    session: Session,
    caller: Caller,
    containing: Mapping[str, str],
    id: int | None = None,
    above_bytes: int | None = None,
    below_bytes: int | None = None,
) -> list[UserData]:
    """The caller's files that meet every condition, newest first, the first hundred.

    `containing` gives texts for columns of SEARCHED, in whichever case.
    """
    wanted = [getattr(UserData, c).icontains(t, autoescape=True) for c, t in containing.items()]
    if id is not None:
        wanted.append(UserData.id == id)
    if above_bytes is not None:
        wanted.append(UserData.size_in_bytes > above_bytes)
    if below_bytes is not None:
        wanted.append(UserData.size_in_bytes < below_bytes)
    own = select(UserData).where(_own(caller), *wanted)
    return list(session.scalars(own.order_by(UserData.id.desc()).limit(MOST_FOUND)))


def change_data(
    session: Session, caller: Caller, id: int, changes: Mapping[str, str]
) -> UserData | None:
    """The caller's file with its columns changed; None if they have no such file."""
    found = session.scalar(
        select(UserData).where(UserData.id == id, _own(caller)).with_for_update()
    )
    if found is not None:
        for column, value in changes.items():
            setattr(found, column, value)
        session.flush()
        session.refresh(found)
    return found


def remove_data(session: Session, caller: Caller, id: int) -> str:
    """Forgets a file of the caller's; gives its `sloc`. Raises RedtenError `data_not_found`."""
    own = delete(UserData).where(UserData.id == id, _own(caller))
    sloc: str | None = session.scalar(own.returning(UserData.sloc))
    if sloc is None:
        raise _not_found(id)
    return sloc


def _own(caller: Caller) -> ColumnElement[bool]:
    """Row-level security says the same of the tenant once more."""
    return and_(UserData.tenant_id == caller.tenant_id, UserData.user_id == caller.user_id)


def _not_found(id: int) -> RedtenError:
    return RedtenError("data_not_found", f"you have no data {id}: `redten data list` shows yours")
