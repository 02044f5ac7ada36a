"""Work that Postgres guarantees: waiting for a step, running it on a lease, or over.

Messages are only hints. Each move is one compare-and-set, so that a message that comes twice,
late, or for an older attempt finds nothing to do. Postgres itself refuses the application moves
that no work may make (`check_work_move` in migration 0014); who owns the tables may repair by hand.
"""

from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Self

from sqlalchemy import SmallInteger, String, Text, func, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from settings import settings

UNFINISHED, FAILED = text("state in (1, 2)"), text("state = 4")
CANCELLED = "cancelled"
# `attempt` is a small number, and what is begun anew again and again has a new one each time.
MOST_ATTEMPTS = 30_000


class State(IntEnum):
    """1 is what published clients send with a new job: ready for work."""

    WAITING = 1
    RUNNING = 2
    DONE = 3
    FAILED = 4

    @property
    def status(self) -> str:
        """The state in words."""
        return self.name.lower()


def lease_end() -> ColumnElement[datetime]:
    """When a lease taken now runs out."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, settings.lease_s)


class Work:
    """State, step, attempt and lease of a job, a document or a review."""

    FIRST_STEP: ClassVar[str]

    id: Mapped[int]
    tenant_id: Mapped[int]
    state: Mapped[int] = mapped_column(SmallInteger, default=State.WAITING, sort_order=50)
    step: Mapped[str | None] = mapped_column(String(32), sort_order=51)
    attempt: Mapped[int] = mapped_column(SmallInteger, default=1, sort_order=52)
    losses: Mapped[int] = mapped_column(SmallInteger, default=0, sort_order=53)
    resent: Mapped[int] = mapped_column(SmallInteger, server_default="0", sort_order=53)
    since: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=54)
    waited_since: Mapped[datetime | None] = mapped_column(sort_order=54)
    lease_until: Mapped[datetime | None] = mapped_column(sort_order=55)
    code: Mapped[str | None] = mapped_column(String(64), sort_order=56)
    msg: Mapped[str | None] = mapped_column(Text, sort_order=57)

    @property
    def status(self) -> str:
        """The state in words."""
        return State(self.state).status

    @property
    def over(self) -> bool:
        """Done or failed: nothing will change any more."""
        return self.state in (State.DONE, State.FAILED)

    @classmethod
    def claim(cls, session: Session, id: int, attempt: int, step: str) -> Self | None:
        """Waiting for `step` → running it; None if a message finds nothing to claim."""
        claimed = {"lease_until": lease_end(), "waited_since": cls._came_to_wait()}
        waiting = cls._waiting(id, attempt, step)
        return cls._move(session, waiting, state=State.RUNNING, **claimed)

    @classmethod
    def advance(cls, session: Session, id: int, attempt: int, step: str, to: str) -> Self | None:
        """Waiting for `step` → waiting for `to`, for a step that is one transaction with this."""
        return cls._move(session, cls._waiting(id, attempt, step), step=to)

    @classmethod
    def wait_on(cls, session: Session, id: int, attempt: int, step: str) -> bool:
        """Says that somebody holds the message of waiting work; False if it waits no more."""
        waiting = cls._waiting(id, attempt, step)
        return cls._move(session, waiting, waited_since=cls._came_to_wait()) is not None

    @classmethod
    def suspect(cls, session: Session, id: int, attempt: int) -> Self | None:
        """Waiting, after a step that is one transaction has failed → as if it were running.

        Its lease runs out, and that counts: a step that fails each time must not go on for ever.
        """
        return cls._move(
            session,
            (cls.id == id, cls.attempt == attempt, cls.state == State.WAITING),
            state=State.RUNNING,
            lease_until=lease_end(),
        )

    @classmethod
    def hand_on(cls, session: Session, id: int, attempt: int, step: str, to: str) -> Self | None:
        """Running `step` → waiting for the step `to`; None if the lease was lost meanwhile."""
        return cls._move(
            session, cls._running(id, attempt, step), state=State.WAITING, step=to, lease_until=None
        )

    @classmethod
    def extend(cls, session: Session, id: int, attempt: int, step: str) -> bool:
        """A new lease for running work; False if it is no longer ours."""
        statement = (
            update(cls).where(*cls._running(id, attempt, step)).values(lease_until=lease_end())
        )
        return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]

    @classmethod
    def finish(cls, session: Session, id: int, attempt: int, step: str) -> Self | None:
        """Running or waiting for the last step → done; None if another attempt has taken over."""
        unfinished = cls.state.in_((State.WAITING, State.RUNNING))
        return cls._move(
            session,
            (cls.id == id, cls.attempt == attempt, cls.step == step, unfinished),
            state=State.DONE,
            step=None,
            lease_until=None,
        )

    @classmethod
    def fail(cls, session: Session, id: int, attempt: int, code: str, msg: str) -> Self | None:
        """This attempt → failed, with a reason for the owner; never overturns done."""
        unfinished = cls.state.in_((State.WAITING, State.RUNNING))
        return cls._move(
            session,
            (cls.id == id, cls.attempt == attempt, unfinished),
            state=State.FAILED,
            lease_until=None,
            code=code,
            msg=msg,
        )

    @classmethod
    def cancel(cls, session: Session, id: int, msg: str) -> Self | None:
        """Any attempt → failed, since nobody wants it any more; None if it is over."""
        return cls._move(
            session,
            (cls.id == id, cls.state.in_((State.WAITING, State.RUNNING))),
            state=State.FAILED,
            lease_until=None,
            code=CANCELLED,
            msg=msg,
        )

    @classmethod
    def give_up(cls, session: Session, id: int, attempt: int, code: str, msg: str) -> Self | None:
        """Lost while running once too often → failed; None if it was heard of meanwhile."""
        return cls._move(
            session,
            cls._expired(id, attempt),
            state=State.FAILED,
            losses=cls.losses + 1,
            lease_until=None,
            code=code,
            msg=msg,
        )

    @classmethod
    def restart(cls, session: Session, id: int, attempt: int) -> Self | None:
        """Lost while running → waiting for its first step as a new attempt, one loss more.

        None if it was heard of meanwhile.
        """
        return cls._again(session, cls._expired(id, attempt), losses=cls.losses + 1)

    @classmethod
    def send_again(cls, session: Session, id: int, attempt: int, since: datetime) -> Self | None:
        """Waiting in vain since then → waiting for its first step as a new attempt, no loss.

        None if it has moved meanwhile, or was sent again too often: see `abandon`.
        """
        waiting = (*cls._in_vain(id, attempt, since), cls.resent < settings.max_resent)
        return cls._again(session, waiting, resent=cls.resent + 1)

    @classmethod
    def abandon(
        cls, session: Session, id: int, attempt: int, since: datetime, code: str, msg: str
    ) -> Self | None:
        """Waiting in vain since then, and sent again too often → failed; None if it is neither."""
        waiting = (*cls._in_vain(id, attempt, since), cls.resent >= settings.max_resent)
        failed = {"state": State.FAILED, "lease_until": None, "code": code, "msg": msg}
        return cls._move(session, waiting, **failed)

    @classmethod
    def hand_back(cls, session: Session, id: int, attempt: int, step: str) -> Self | None:
        """Running, in a worker that is being stopped → waiting for its first step, no loss.

        Not refused as `send_again` is: each time somebody stops a worker, or changes a collection.
        """
        return cls._again(session, cls._running(id, attempt, step))

    @classmethod
    def retry(cls, session: Session, id: int, **fresh: Any) -> Self | None:
        """Failed → waiting for its first step as a new attempt, as if nothing had ever gone wrong.

        `fresh` are further columns. None if it has not failed, or has failed because somebody
        cancelled it.
        """
        failed = (cls.id == id, cls.state == State.FAILED, cls.attempt < MOST_ATTEMPTS)
        wanted = cls.code.is_distinct_from(CANCELLED)
        values = {"losses": 0, "resent": 0, "code": None, "msg": None} | fresh
        return cls._again(session, (*failed, wanted), **values)

    @classmethod
    def _again(cls, session: Session, guard: tuple[Any, ...], **values: Any) -> Self | None:
        begun = {"state": State.WAITING, "step": cls.FIRST_STEP, "attempt": cls.attempt + 1}
        return cls._move(session, guard, **begun | {"lease_until": None} | values)

    @classmethod
    def _in_vain(cls, id: int, attempt: int, since: datetime) -> tuple[ColumnElement[bool], ...]:
        waiting = (cls.id == id, cls.attempt == attempt, cls.state == State.WAITING)
        return (*waiting, cls.since == since)

    @classmethod
    def _expired(cls, id: int, attempt: int) -> tuple[ColumnElement[bool], ...]:
        running = (cls.id == id, cls.attempt == attempt, cls.state == State.RUNNING)
        return (*running, cls.lease_until < func.now())

    @classmethod
    def _waiting(cls, id: int, attempt: int, step: str) -> tuple[ColumnElement[bool], ...]:
        return (cls.id == id, cls.attempt == attempt, cls.step == step, cls.state == State.WAITING)

    @classmethod
    def _running(cls, id: int, attempt: int, step: str) -> tuple[ColumnElement[bool], ...]:
        return (cls.id == id, cls.attempt == attempt, cls.step == step, cls.state == State.RUNNING)

    @classmethod
    def _came_to_wait(cls) -> ColumnElement[datetime | None]:
        """Whoever holds its message meanwhile: by this the sweep tells who has been overtaken."""
        return func.coalesce(cls.waited_since, cls.since)

    @classmethod
    def _move(cls, session: Session, guard: tuple[Any, ...], **values: Any) -> Self | None:
        values = {"since": func.now(), "waited_since": None} | values
        statement = update(cls).where(*guard).values(**values).returning(cls)
        moved: Self | None = session.scalar(
            statement.execution_options(synchronize_session=False, populate_existing=True)
        )
        return moved
