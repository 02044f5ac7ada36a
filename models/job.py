"""Jobs: questions on their way to an answer."""

from typing import Any, Self

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, case, literal, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.tenant import Caller, Role
from models.work import FAILED, UNFINISHED, State, Work


class Job(Numbered, Owned, Work, Dated, Base):
    """A question, how it is to be answered, and how far it has come."""

    __tablename__ = "jobs"
    FIRST_STEP = "start_job"
    # Before it, for a question whose own sources are still being read into `awaits_id`.
    AWAITING = "read_sources"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    worker_id: Mapped[int]
    job_type: Mapped[int] = mapped_column(SmallInteger)
    question: Mapped[str] = mapped_column(Text)
    collection_id: Mapped[int | None] = mapped_column(
        ForeignKey("collections.id", ondelete="SET NULL")
    )
    session_id: Mapped[str] = mapped_column(String(64))
    derived_session_id: Mapped[str] = mapped_column(String(64))
    tags: Mapped[str | None] = mapped_column(Text)
    data: Mapped[dict[str, object] | None]
    params: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    awaits_id: Mapped[int | None] = mapped_column(ForeignKey("collections.id", ondelete="SET NULL"))

    __table_args__ = (
        Index("ix_jobs_unfinished", "since", postgresql_where=UNFINISHED),
        Index("ix_jobs_failed", "tenant_id", "since", postgresql_where=FAILED),
        Index("ix_jobs_in_flight", "tenant_id", postgresql_where=UNFINISHED),
        Index("ix_jobs_user_id", "user_id"),
        Index("ix_jobs_tenant_id", "tenant_id", "id"),
    )

    @classmethod
    def retry(cls, session: Session, id: int, **fresh: Any) -> Self | None:
        """As of any work; a question whose sources are to be read first waits for them again."""
        first = case((cls.awaits_id.is_(None), cls.FIRST_STEP), else_=cls.AWAITING)
        return super().retry(session, id, step=first, **fresh)


def _visible(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    """Row-level security says the same of the tenant once more."""
    mine = or_(Job.user_id == caller.user_id, literal(caller.reviews_all))
    return Job.tenant_id == caller.tenant_id, mine


def find_job(session: Session, caller: Caller, id: int) -> Job:
    """A job of the caller's, or any of the tenant's for an expert.

    Raises RedtenError `job_not_found`, the same for one that exists but is not theirs.
    """
    found = session.scalar(select(Job).where(Job.id == id, *_visible(caller)))
    if found is None:
        raise RedtenError("job_not_found", f"there is no job {id}")
    return found


def jobs(
    session: Session,
    caller: Caller,
    *,
    most: int,
    state: State | None = None,
    code: str | None = None,
    before: int | None = None,
) -> list[Job]:
    """The caller's jobs, for an expert the tenant's, newest first; those with smaller ids."""
    found = select(Job).where(*_visible(caller))
    if state is not None:
        found = found.where(Job.state == state)
    if code is not None:
        found = found.where(Job.code == code)
    if before is not None:
        found = found.where(Job.id < before)
    return list(session.scalars(found.order_by(Job.id.desc()).limit(most)))


def losses_of(session: Session, id: int) -> int:
    """How often the job was lost while it ran; 0 for one that is not there."""
    return session.scalar(select(Job.losses).where(Job.id == id)) or 0


def cancel_job(session: Session, caller: Caller, id: int) -> Job:
    """Ends a job that its asker, or an owner of the tenant, does not want any more.

    Raises RedtenError `job_not_found`, `forbidden` to anybody else, and `job_over`.
    """
    found = find_job(session, caller, id)
    if found.user_id != caller.user_id and caller.role is not Role.OWNER:
        raise RedtenError("forbidden", "only who asked, or an owner of the tenant, may cancel")
    cancelled = Job.cancel(session, id, "withdrawn by its owner")
    if cancelled is None:
        raise RedtenError("job_over", f"job {id} is over already: {found.status}")
    return cancelled
