"""Answers: what a chain or a remote agent made of a question."""

from datetime import datetime

from sqlalchemy import (
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    and_,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.tenant import Caller
from models.work import State

CHAIN, REMOTE = "chain", "remote"


class Answer(Numbered, Owned, Dated, Base):
    """The result record of the published contract, without the review fields."""

    __tablename__ = "answers"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    worker_id: Mapped[int | None]
    origin: Mapped[str] = mapped_column(String(16))
    dedupe_key: Mapped[str | None] = mapped_column(String(128))
    state: Mapped[int | None] = mapped_column(SmallInteger, default=State.DONE)
    question: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)
    model_name: Mapped[str | None] = mapped_column(Text)
    score: Mapped[float | None] = mapped_column(Float)
    question_score: Mapped[float | None] = mapped_column(Float)
    answer_score: Mapped[float | None] = mapped_column(Float)
    match_source: Mapped[str | None] = mapped_column(Text)
    match_page: Mapped[int | None] = mapped_column(Integer)
    match_content: Mapped[str | None] = mapped_column(Text)
    summarized_question: Mapped[str | None] = mapped_column(Text)
    summarized_answer: Mapped[str | None] = mapped_column(Text)
    summarized_score: Mapped[float | None] = mapped_column(Float)
    collection_id: Mapped[int | None] = mapped_column(
        ForeignKey("collections.id", ondelete="SET NULL")
    )
    collection: Mapped[str | None] = mapped_column(Text)
    collection_notes: Mapped[str | None] = mapped_column(Text)
    session_id: Mapped[str | None] = mapped_column(String(64))
    derived_session_id: Mapped[str | None] = mapped_column(String(64))
    embed_model_name: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[str | None] = mapped_column(Text)
    latency: Mapped[float | None] = mapped_column(Float)
    data: Mapped[dict[str, object] | None]

    __table_args__ = (
        # However often the last step of a job is repeated, its answer is there once.
        Index(
            "uq_answers_job_id", "job_id", unique=True, postgresql_where=text("origin = 'chain'")
        ),
        Index("ix_answers_job_id", "job_id"),
        Index("ix_answers_session_id", "session_id"),
        UniqueConstraint("tenant_id", "user_id", "dedupe_key"),
    )


def writable(answer: Answer) -> tuple[str, ...]:
    """What a review may change of the record itself; everything else stays as it was made."""
    notes = ("category", "tags", "collection_notes")
    # A chain's data tell where its answer came from.
    return notes if answer.origin == CHAIN else (*notes, "data")


def add_answer(session: Session, **values: object) -> Answer | None:
    """Stores an answer once; None if this job or this delivery has one already."""
    row = insert(Answer).values(**values)
    return session.scalar(row.on_conflict_do_nothing().returning(Answer))


def delivered(session: Session, user_id: int, dedupe_key: str) -> Answer:
    """What was stored for a delivery that has come before."""
    return session.scalars(
        select(Answer).where(Answer.user_id == user_id, Answer.dedupe_key == dedupe_key)
    ).one()


def _visible(caller: Caller) -> ColumnElement[bool]:
    """Row-level security says the same of the tenant once more."""
    mine = or_(Answer.user_id == caller.user_id, literal(caller.reviews_all))
    return and_(Answer.tenant_id == caller.tenant_id, mine)


def answers_of_job(session: Session, caller: Caller, job_id: int) -> list[Answer]:
    """Every answer to a job that the caller may see, newest first."""
    return list(
        session.scalars(
            select(Answer)
            .where(Answer.job_id == job_id, _visible(caller))
            .order_by(Answer.id.desc())
        )
    )


def answer_of_job(session: Session, caller: Caller, job_id: int) -> Answer:
    """The newest answer to a job. Raises RedtenError `answer_not_found`."""
    found = answers_of_job(session, caller, job_id)
    if not found:
        raise RedtenError("answer_not_found", f"there is no answer for job {job_id}")
    return found[0]


def visible_answers(
    session: Session, caller: Caller, after: int, most: int, collection_id: int | None = None
) -> list[Answer]:
    """The next `most` answers after that id that the caller may see, the oldest first."""
    wanted = select(Answer).where(Answer.id > after, _visible(caller))
    if collection_id is not None:
        wanted = wanted.where(Answer.collection_id == collection_id)
    return list(session.scalars(wanted.order_by(Answer.id).limit(most)))


def lock_answer(session: Session, caller: Caller, id: int) -> Answer:
    """An answer to be changed, locked so that two reviews of it come one after the other.

    Raises RedtenError `answer_not_found`.
    """
    found: Answer | None = session.scalar(
        select(Answer).where(Answer.id == id, _visible(caller)).with_for_update()
    )
    if found is None:
        raise RedtenError("answer_not_found", f"there is no answer {id}")
    return found


def earlier_turns(
    session: Session, user_id: int, before: datetime, most: int, **thread: str
) -> list[tuple[str, str]]:
    """Question and answer of the latest `most` turns of a session, oldest first."""
    rows = session.execute(
        select(Answer.question, Answer.answer)
        .filter_by(user_id=user_id, origin=CHAIN, **thread)
        .where(Answer.created_at < before, Answer.question.is_not(None), Answer.answer.is_not(None))
        .order_by(Answer.id.desc())
        .limit(most)
    )
    return [(str(question), str(answer)) for question, answer in reversed(rows.all())]
