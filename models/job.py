"""Jobs: questions on their way to an answer."""

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.tenant import Caller
from models.work import UNFINISHED, Work


class Job(Numbered, Owned, Work, Dated, Base):
    """A question, how it is to be answered, and how far it has come."""

    __tablename__ = "jobs"
    FIRST_STEP = "start_job"

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
