"""Finds work that has been lost, and starts it again."""

import logging

from sqlalchemy.orm import Session

from models.overdue import Overdue, know_epoch, known_epoch, overdue_work
from models.session import session_scope
from models.work import Work
from settings import settings
from tasks import artifacts, broker, chains, telling
from tasks.app import app

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
            _recover(work)
    if known != epoch:
        with session_scope() as session:
            know_epoch(session, epoch)


def _queue(step: str) -> str | None:
    """The queue that the step's message waits in; None for a step that is no more."""
    for name in app.tasks:
        if name.endswith(f".{step}"):
            return str(app.amqp.router.route({}, name)["queue"].name)
    return None


def _recover(work: Overdue) -> None:
    if work.lost and work.losses + 1 >= settings.max_losses:
        return _give_up(work)
    with session_scope(work.tenant_id) as session:
        moved = _again(session, work)
    if moved:
        log.warning("%s %d: lost in %s, attempt %d", work.kind, work.id, work.step, moved.attempt)
        chains.send(work.kind, work.tenant_id, work.id, moved.attempt)


def _again(session: Session, work: Overdue) -> Work | None:
    if work.lost:
        return work.record.restart(session, work.id, work.attempt)
    return work.record.send_again(session, work.id, work.attempt, work.since)


def _give_up(work: Overdue) -> None:
    losses = work.losses + 1
    reason = (
        f"lost {losses} times while running, the last time in {work.step}; see the worker's log"
    )
    with session_scope(work.tenant_id) as session:
        failed = work.record.give_up(session, work.id, work.attempt, "lost", reason)
    if failed:
        log.error("%s %d: given up, %s", work.kind, work.id, reason)
        if work.kind == "document":
            artifacts.remove(work.tenant_id, work.id)
        elif work.kind == "job":
            telling.tell_end(failed)
