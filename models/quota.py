"""How much a tenant may have: work in flight, and stored bytes."""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ForeignKey,
    Select,
    bindparam,
    case,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated
from models.document import NEW_IN_FLIGHT, Document
from models.embedding import Embedding
from models.errors import RedtenError
from models.job import Job
from models.user_data import UserData
from models.work import UNFINISHED
from settings import settings


class Quota(Dated, Base):
    """What the operator allows one tenant; null is the deployment's default, 0 no limit."""

    __tablename__ = "quotas"

    tenant_id: Mapped[int] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    jobs: Mapped[int | None]
    documents: Mapped[int | None]
    storage_bytes: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Usage:
    """How much is used of how much; 0 is no limit."""

    used: int
    most: int


TENANT: BindParameter[int] = bindparam("tenant")


def _count(own: ColumnElement[bool], which: Any = UNFINISHED) -> ColumnElement[int]:
    # The condition is text, as in the partial index: a prepared plan could not tell that a
    # parameter has the values which the index is for.
    return select(func.count()).where(own, which).scalar_subquery()


def _total(record: type[Document | UserData | Embedding]) -> ColumnElement[int]:
    size: InstrumentedAttribute[int] = record.size_in_bytes
    total = select(func.coalesce(func.sum(size), 0)).where(record.tenant_id == TENANT)
    return func.cast(total.scalar_subquery(), BigInteger)


def _most(name: str) -> ColumnElement[int]:
    own = select(getattr(Quota, name)).where(Quota.tenant_id == TENANT).scalar_subquery()
    return func.coalesce(own, getattr(settings, f"quota_{name}"))


def _measured(used: ColumnElement[int], most: ColumnElement[int]) -> Select[int, int]:
    # Without a limit there may be very much, and nobody wants to know how much.
    return select(case((most == 0, literal(0)), else_=used), most)


USED = {
    "jobs": _count(Job.tenant_id == TENANT) + _count(Embedding.tenant_id == TENANT),
    "documents": _count(Document.tenant_id == TENANT, NEW_IN_FLIGHT),
    "storage_bytes": _total(Document) + _total(UserData) + _total(Embedding),
}
# Made once: to put such a statement together takes longer than to run it.
MEASURED = {name: _measured(used, _most(name)) for name, used in USED.items()}
# Nobody fills so much within seconds: while it is free, not every upload adds all sizes up.
AMPLE_BYTES, AMPLE_FOR_S = 16 << 30, 10.0
_ample_until: dict[int, float] = {}


def usage(session: Session, tenant_id: int) -> dict[str, Usage]:
    """What the tenant uses of `jobs`, `documents` and `storage_bytes`."""
    asked = {name: select(used, _most(name)) for name, used in USED.items()}
    return {name: _usage(session, tenant_id, one) for name, one in asked.items()}


def check_jobs(session: Session, tenant_id: int) -> None:
    """Raises RedtenError `quota_exceeded` while so much is to be answered or embedded already.

    As with documents, what comes in the same moment is not counted: a quota keeps one tenant from
    crowding out the others, and need not be exact by a handful.
    """
    found = _usage(session, tenant_id, MEASURED["jobs"])
    _refuse_over(found, "questions and files of texts", "wait until some are done, or cancel some")


def check_documents(session: Session, tenant_id: int) -> None:
    """Raises RedtenError `quota_exceeded` while so many documents are on their way in already."""
    found = _usage(session, tenant_id, MEASURED["documents"])
    _refuse_over(found, "documents", "send more when some are ready")


def check_storage(session: Session, tenant_id: int, more_bytes: int) -> None:
    """Raises RedtenError `storage_full` if so much more would be too much."""
    if time.monotonic() < _ample_until.get(tenant_id, 0):
        return
    found = _usage(session, tenant_id, MEASURED["storage_bytes"])
    free = found.most - found.used
    if not found.most or free > AMPLE_BYTES:
        _ample_until[tenant_id] = time.monotonic() + AMPLE_FOR_S
    elif more_bytes > free:
        raise RedtenError(
            "storage_full",
            f"the tenant stores {found.used} of {found.most} bytes, and {more_bytes} more do not"
            " fit: remove documents or files, or ask whoever runs the server for a larger quota",
        )


def set_quota(session: Session, tenant_id: int, **limits: int | None) -> None:
    """Changes those limits of a tenant, as the owner of the tables; null takes one back."""
    row = insert(Quota).values(tenant_id=tenant_id, **limits)
    changed: dict[str, Any] = {**limits, "updated_at": func.now()}
    session.execute(row.on_conflict_do_update(index_elements=["tenant_id"], set_=changed))


def _usage(session: Session, tenant_id: int, asked: Select[int, int]) -> Usage:
    used, most = session.execute(asked, {"tenant": tenant_id}).one()
    return Usage(used, most)


def _refuse_over(found: Usage, what: str, advice: str) -> None:
    if found.most and found.used >= found.most:
        said = f"the tenant has {found.used} {what} in flight, of {found.most} that it may have"
        raise RedtenError("quota_exceeded", f"{said}: {advice}")
