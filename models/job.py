"""Jobs: questions on their way to an answer."""

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.tenant import Caller, Role
from models.work import UNFINISHED, Work


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
        Index("ix_jobs_user_id", "user_id"),
    )


def find_job(session: Session, caller: Caller, id: int) -> Job:
    """A job of the caller's, or any of the tenant's for an expert.

    Raises RedtenError `job_not_found`, the same for one that exists but is not theirs.
    """
    found = session.scalar(
        select(Job).where(Job.id == id, (Job.user_id == caller.user_id) | caller.reviews_all)
    )
    if found is None:
        raise RedtenError("job_not_found", f"there is no job {id}")
    return found


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
