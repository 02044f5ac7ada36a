"""Running a step: claimed once, its lease kept while it works, then handed on."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.exceptions import Ignore
from sqlalchemy.exc import SQLAlchemyError

from models.overdue import KINDS
from models.session import session_scope
from settings import settings
from tasks.flow import Flow

log = logging.getLogger(__name__)


@contextmanager
def claimed(flow: Flow, step: str) -> Iterator[Any]:
    """Claims `step`, gives the record, and keeps the lease while the body runs.

    Raises Ignore, which ends the chain without a word, when the message finds nothing to claim.
    An exception in the body leaves the lease as it is.
    """
    record = KINDS[flow["kind"]]
    with session_scope(flow["tenant_id"], durable=False) as session:
        found = record.claim(session, flow["id"], flow["attempt"], step)
    if found is None:
        log.info("%s %d attempt %d: nothing to claim for %s", *_name(flow), step)
        raise Ignore
    with _kept(flow, step):
        yield found


@contextmanager
def running(flow: Flow, step: str, then: str) -> Iterator[Any]:
    """As `claimed`; afterwards the work waits for the step `then`.

    Raises Ignore as well when the work was taken over while the body ran.
    """
    started = time.monotonic()
    with claimed(flow, step) as found:
        yield found
    flow["seconds"][step] = round(time.monotonic() - started, 4)
    with session_scope(flow["tenant_id"], durable=False) as session:
        moved = KINDS[flow["kind"]].hand_on(session, flow["id"], flow["attempt"], step, then)
    if moved is None:
        log.warning("%s %d attempt %d: taken over during %s", *_name(flow), step)
        raise Ignore


def _name(flow: Flow) -> tuple[str, int, int]:
    return flow["kind"], flow["id"], flow["attempt"]


@contextmanager
def _kept(flow: Flow, step: str) -> Iterator[None]:
    """Extends the lease every third of it, as long as the body runs."""
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(flow, step, done), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()


def _keep(flow: Flow, step: str, done: threading.Event) -> None:
    record = KINDS[flow["kind"]]
    while not done.wait(settings.lease_s / 3):
        try:
            with session_scope(flow["tenant_id"], durable=False) as session:
                if not record.extend(session, flow["id"], flow["attempt"], step):
                    return
        except SQLAlchemyError as error:
            # The next turn tries again; the lease outlives two of them.
            log.warning("%s %d attempt %d: lease not extended: %s", *_name(flow), error)
