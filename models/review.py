"""Reviews: what an expert says the answer should have been, and how sure they are."""

from sqlalchemy import Float, ForeignKey, Index, Text, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Dated, Numbered, Owned
from models.work import FAILED, UNFINISHED, State, Work


class Review(Numbered, Owned, Work, Dated, Base):
    """One expert's word on one answer; a newer one does not erase it."""

    __tablename__ = "reviews"
    FIRST_STEP = "start_review"

    answer_id: Mapped[int] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"))
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    answer: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float | None] = mapped_column(Float)
    notes: Mapped[str | None] = mapped_column(Text)
    computed_score: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        Index("ix_reviews_unfinished", "since", postgresql_where=UNFINISHED),
        Index("ix_reviews_failed", "tenant_id", "since", postgresql_where=FAILED),
        Index("ix_reviews_answer_id", "answer_id"),
    )


def newest_reviews(session: Session, answer_ids: list[int]) -> dict[int, Review]:
    """The newest review of each answer that has one."""
    rows = session.scalars(
        select(Review)
        .where(Review.answer_id.in_(answer_ids))
        .ext(distinct_on(Review.answer_id))
        .order_by(Review.answer_id, Review.id.desc())
    )
    return {review.answer_id: review for review in rows}


def reviews_of(session: Session, answer_id: int) -> list[Review]:
    """The whole history, newest first."""
    return list(
        session.scalars(
            select(Review).where(Review.answer_id == answer_id).order_by(Review.id.desc())
        )
    )


def add_review(
    session: Session,
    tenant_id: int,
    reviewer_id: int,
    answer_id: int,
    answer: str | None,
    confidence: float | None,
    notes: str | None,
) -> Review | None:
    """A new review, or None if it says what the newest one says. None in a field: unchanged."""
    newest = newest_reviews(session, [answer_id]).get(answer_id)
    held = (newest.answer, newest.confidence, newest.notes) if newest else (None, None, None)
    said = tuple(
        old if new is None else new
        for new, old in zip((answer, confidence, notes), held, strict=True)
    )
    if said == held:
        return None
    review = Review(
        tenant_id=tenant_id,
        reviewer_id=reviewer_id,
        answer_id=answer_id,
        answer=said[0],
        confidence=said[1],
        notes=said[2],
        state=State.WAITING,
        step=Review.FIRST_STEP,
    )
    session.add(review)
    session.flush()
    return review


def set_computed_score(session: Session, id: int, score: float | None) -> None:
    """How well the collection bears out the reviewed answer."""
    session.execute(update(Review).where(Review.id == id).values(computed_score=score))
