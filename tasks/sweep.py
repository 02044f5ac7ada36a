"""Finds work that has been lost, and starts it again."""

import logging

from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from models.overdue import Overdue, know_epoch, known_epoch, overdue_work
from models.session import is_lock_timeout, session_scope
from models.work import Work
from settings import settings
from tasks import broker, chains, telling
from tasks.app import app
from tasks.loose import remove_work

log = logging.getLogger(__name__)


@app.task
def sweep_lost_work() -> None:
    """Looks at everything unfinished once; beat calls it every few seconds.

    Work that runs with an expired lease was lost with its worker. Work that waits was lost only
    if the broker has lost its data, its queue has been empty for a while, or what came to that
    queue well after it has been taken already (queues are first in, first out): waiting its turn
    in a long queue is none of these.
    """
    epoch, empty = broker.epoch(), broker.queues_empty_for(settings.stale_after_s)
    with session_scope() as session:
        known = known_epoch(session)
        # The first sweep of all has nothing to compare with: no broker was lost before it.
        broker_lost = known not in (None, epoch)
        overdue = overdue_work(session, 0.0 if broker_lost else settings.stale_after_s)
    for work in overdue:
        if work.lost or work.overtaken or broker_lost or _queue(work.step) in (None, *empty):
            _recover_or_tell(work)
    if known != epoch:
        with session_scope() as session:
            know_epoch(session, epoch)
    broker.note_swept()


def _queue(step: str) -> str | None:
    """The queue that the step's message waits in; None for a step that is no more."""
    for name in app.tasks:
        if name.endswith(f".{step}"):
            return str(app.amqp.router.route({}, name)["queue"].name)
    return None


def _recover_or_tell(work: Overdue) -> None:
    """Work that Postgres does not let move must not keep what comes after it from being found."""
    try:
        _recover(work)
    except (DataError, IntegrityError, OperationalError) as error:
        if isinstance(error, OperationalError) and not is_lock_timeout(error):
            raise
        log.error("%s %d: cannot be recovered: %s", work.kind, work.id, error)


def _recover(work: Overdue) -> None:
    # Who holds its row for longer is at work on it.
    with session_scope(work.tenant_id, waits_s=1.0) as session:
        moved = _again(session, work) or _given_up(session, work)
    if moved is None:
        return
    if moved.over:
        return _tell_failed(work, moved)
    log.warning("%s %d: lost in %s, attempt %d", work.kind, work.id, work.step, moved.attempt)
    chains.send(work.kind, work.tenant_id, work.id, moved.attempt)


def _again(session: Session, work: Overdue) -> Work | None:
    """As a new attempt; None if it has moved meanwhile, or has had too many."""
    if not work.lost:
        return work.record.send_again(session, work.id, work.attempt, work.since)
    if work.losses + 1 < settings.max_losses:
        return work.record.restart(session, work.id, work.attempt)
    return None


def _given_up(session: Session, work: Overdue) -> Work | None:
    """Failed for good; None if it has moved meanwhile."""
    if work.lost:
        reason = f"lost {work.losses + 1} times while running, the last time in {work.step}"
        return work.record.give_up(
            session, work.id, work.attempt, "lost", f"{reason}; see the worker's log"
        )
    reason = f"sent {settings.max_resent} times, and never taken in {work.step}"
    return work.record.abandon(
        session, work.id, work.attempt, work.since, "lost", f"{reason}; see the broker's log"
    )


def _tell_failed(work: Overdue, failed: Work) -> None:
    log.error("%s %d: given up, %s", work.kind, work.id, failed.msg)
    if work.kind == "job":
        telling.tell_end(failed)
    elif work.kind == "document":
        remove_work(work.tenant_id, work.id)
