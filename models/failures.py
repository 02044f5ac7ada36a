"""Work of every kind that has failed: who sees it, and who may have it tried again."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from models.collection import Collection, Visibility
from models.document import Document, lock_uploads
from models.embedding import Embedding
from models.errors import RedtenError
from models.job import Job
from models.overdue import KINDS
from models.review import Review
from models.source import Source
from models.tenant import Caller, Role
from models.work import CANCELLED, State, Work

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """One piece of work that failed; `name` is its question, file name, address or text."""

    kind: str
    id: int
    name: str
    step: str | None
    attempt: int
    losses: int
    code: str | None
    msg: str | None
    since: datetime

    @property
    def place(self) -> tuple[datetime, str, int]:
        """Where it stands in the list."""
        return self.since, self.kind, self.id


NAMES: dict[str, Any] = {
    "job": Job.question,
    "document": Document.name,
    "review": Review.answer,
    "source": Source.address,
    "embedding": Embedding.name,
}
# Kinds that experts see of everybody.
ASKER = {"job": "user_id", "review": "reviewer_id"}


def failures(
    session: Session,
    caller: Caller,
    *,
    kinds: Sequence[str],
    most: int,
    code: str | None = None,
    after: tuple[datetime, str, int] | None = None,
) -> list[Failure]:
    """What has failed of these kinds, newest first, from the place `after` on; at most so many.

    Experts and owners see all questions and reviews of the tenant, and everybody what is brought
    into the collections that they may fill. What was cancelled has not failed.
    """
    found = union_all(*(_failed(kind, _visible(kind, caller), code) for kind in kinds)).subquery()
    place = tuple_(found.c.since, found.c.kind, found.c.id)
    rows = select(found).order_by(found.c.since.desc(), found.c.kind.desc(), found.c.id.desc())
    if after is not None:
        rows = rows.where(place < tuple_(*map(literal, after)))
    return [Failure(**row) for row in session.execute(rows.limit(most)).mappings()]


def _failed(kind: str, visible: ColumnElement[bool], code: str | None) -> Select[Any]:
    record: Any = KINDS[kind]
    name = func.coalesce(func.left(NAMES[kind], LONGEST_NAME), "").label("name")
    own = (column.name for column in fields(Failure) if column.name not in ("kind", "name"))
    columns = (literal(kind).label("kind"), name, *(getattr(record, column) for column in own))
    wanted = record.code.is_distinct_from(CANCELLED) if code is None else record.code == code
    return select(*columns).where(record.state == State.FAILED, wanted, visible)


def _visible(kind: str, caller: Caller) -> ColumnElement[bool]:
    """As the lists of each kind have it; row-level security does not hide public collections."""
    record: Any = KINDS[kind]
    tenants = record.tenant_id == caller.tenant_id
    if kind in ASKER:
        own = getattr(record, ASKER[kind]) == caller.user_id
        return and_(tenants, or_(own, literal(caller.reviews_all)))
    if kind == "embedding":
        return and_(tenants, record.user_id == caller.user_id)
    return and_(tenants, record.collection_id.in_(_filled_by(caller)))


def _filled_by(caller: Caller) -> Select[Any]:
    """The ids of the collections for which `Collection.written_by` holds."""
    shared = and_(Collection.visibility != Visibility.PRIVATE, literal(caller.reviews_all))
    return select(Collection.id).where(
        Collection.tenant_id == caller.tenant_id,
        or_(Collection.owner_id == caller.user_id, shared),
    )


def find_failure(session: Session, caller: Caller, kind: str, id: int) -> Work:
    """Work that the caller sees, failed or not, to be tried again.

    Raises RedtenError `<kind>_not_found`, and `forbidden` to who may see it and no more.
    """
    record: Any = KINDS[kind]
    visible = select(record).where(record.id == id, _visible(kind, caller))
    found: Work | None = session.scalar(visible)
    if found is None:
        raise RedtenError(f"{kind}_not_found", f"there is no {kind} {id}")
    # Whoever sees the other kinds may fill their collection, or has sent them.
    asker = getattr(found, ASKER[kind]) if kind in ASKER else caller.user_id
    if asker != caller.user_id and caller.role is not Role.OWNER:
        raise RedtenError(
            "forbidden", "only who asked for it, or an owner of the tenant, may try it again"
        )
    return found


def input_blob(work: Work) -> str | None:
    """The file without which it cannot begin again."""
    match work:
        case Document():
            return work.blob
        case Embedding():
            return work.texts_blob
    return None


def retry(session: Session, caller: Caller, kind: str, id: int) -> Work:
    """Failed → waiting for its first step, as if nothing had ever gone wrong.

    Raises RedtenError as `find_failure` does, `not_failed`, and `document_exists` for a document
    whose content has come again meanwhile.
    """
    found = find_failure(session, caller, kind, id)
    if isinstance(found, Document):
        _require_alone(session, found)
    moved = KINDS[kind].retry(session, id)
    if moved is None:
        said = "was cancelled: send it anew" if found.code == CANCELLED else f"is {found.status}"
        raise RedtenError("not_failed", f"{kind} {id} {said}; only what failed is tried again")
    return moved


def _require_alone(session: Session, document: Document) -> None:
    lock_uploads(session, document.collection_id)
    held = session.scalar(
        select(Document.name).where(
            Document.collection_id == document.collection_id,
            Document.parent_id.is_not_distinct_from(document.parent_id),
            Document.content_sha256 == document.content_sha256,
            Document.state != State.FAILED,
        )
    )
    if held is not None and document.state == State.FAILED:
        raise RedtenError(
            "document_exists", f"the same content is in the collection already, as {held}"
        )
