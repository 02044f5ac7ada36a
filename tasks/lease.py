"""Running a step: claimed once, its lease kept while it works, then handed on."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from celery.exceptions import Ignore
from celery.signals import worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from models.document import Document
from models.errors import RedtenError
from models.overdue import KINDS
from models.session import session_scope
from settings import settings
from tasks import artifacts, chains
from tasks.blobs import BlobsAway
from tasks.flow import Flow

log = logging.getLogger(__name__)

# What this process is working on, by the event that tells its body that it is another's by now.
_held: dict[threading.Event, tuple[Flow, str]] = {}
# This process has no time left for anything.
_drained = threading.Event()


@dataclass(frozen=True, slots=True)
class Held:
    """Claimed work: its record as it was claimed, and whether another has taken it over since."""

    flow: Flow
    record: Any
    gone: threading.Event

    def ours(self) -> bool:
        """False once the lease could not be extended any more."""
        return not self.gone.is_set()

    def insist(self) -> None:
        """Ends the chain, as for a message that finds nothing to claim, unless it is ours."""
        if self.gone.is_set():
            _leave(self.flow)


@contextmanager
def claimed(flow: Flow, step: str) -> Iterator[Held]:
    """Claims `step` and keeps the lease while the body runs.

    Raises Ignore, which ends the chain without a word, when the message finds nothing to claim,
    and when the work has been removed. Another exception in the body leaves the lease as it is.
    """
    record = KINDS[flow["kind"]]
    with session_scope(flow["tenant_id"], durable=False) as session:
        found = record.claim(session, flow["id"], flow["attempt"], step)
    if found is None:
        log.info("%s %d attempt %d: nothing to claim for %s", *_name(flow), step)
        _leave(flow)
    with _kept(flow, step) as gone, _unless_removed(flow):
        yield Held(flow, found, gone)


@contextmanager
def advancing(flow: Flow, step: str, then: str) -> Iterator[tuple[Session, Any]]:
    """For a step that only reads the database: the step and the move are one transaction.

    Gives its session and the record, whose work waits for the step `then` afterwards. Raises
    Ignore as `claimed` does; after an exception in the body the work still waits for `step`.
    """
    started, record = time.monotonic(), KINDS[flow["kind"]]
    with session_scope(flow["tenant_id"], durable=False) as session:
        found = record.advance(session, flow["id"], flow["attempt"], step, then)
        if found:
            yield session, found
    if found is None:
        log.info("%s %d attempt %d: nothing to claim for %s", *_name(flow), step)
        _leave(flow)
    flow["seconds"][step] = round(time.monotonic() - started, 4)


@contextmanager
def running(flow: Flow, step: str, then: str) -> Iterator[Held]:
    """As `claimed`; afterwards the work waits for the step `then`.

    Raises Ignore as well when the work was taken over while the body ran.
    """
    started = time.monotonic()
    with claimed(flow, step) as held:
        yield held
    flow["seconds"][step] = round(time.monotonic() - started, 4)
    with session_scope(flow["tenant_id"], durable=False) as session:
        moved = KINDS[flow["kind"]].hand_on(session, flow["id"], flow["attempt"], step, then)
    if moved is None:
        log.warning("%s %d attempt %d: taken over during %s", *_name(flow), step)
        _leave(flow)


@contextmanager
def _unless_removed(flow: Flow) -> Iterator[None]:
    """Who removes a document or its collection takes rows and files from under the step."""
    try:
        yield
    except (RedtenError, SQLAlchemyError, BlobsAway, KeyError):
        with session_scope(flow["tenant_id"]) as session:
            removed = session.get(KINDS[flow["kind"]], flow["id"]) is None
        if removed:
            log.info("%s %d attempt %d: removed meanwhile", *_name(flow))
            _leave(flow)
        raise


def _leave(flow: Flow) -> NoReturn:
    """Ends the chain; if its attempt is over, takes away what that had made so far."""
    if flow["kind"] == "document":
        with session_scope(flow["tenant_id"]) as session:
            document = session.get(Document, flow["id"])
        # A message that came twice must not take the work of the attempt that it belongs to.
        if document is None or document.attempt != flow["attempt"]:
            artifacts.remove_attempt(flow)
    raise Ignore


def _name(flow: Flow) -> tuple[str, int, int]:
    return flow["kind"], flow["id"], flow["attempt"]


@contextmanager
def _kept(flow: Flow, step: str) -> Iterator[threading.Event]:
    """Extends the lease every third of it, as long as the body runs; tells when that fails."""
    done, gone = threading.Event(), threading.Event()
    keeper = threading.Thread(target=_keep, args=(flow, step, done, gone), daemon=True)
    keeper.start()
    _held[gone] = (flow, step)
    if _drained.is_set():
        # It waited its turn in this process, and has come too late.
        _hand_back()
    try:
        yield gone
    finally:
        del _held[gone]
        done.set()


def _keep(flow: Flow, step: str, done: threading.Event, gone: threading.Event) -> None:
    record = KINDS[flow["kind"]]
    while not done.wait(settings.lease_s / 3):
        try:
            with session_scope(flow["tenant_id"], durable=False) as session:
                if not record.extend(session, flow["id"], flow["attempt"], step):
                    return gone.set()
        except SQLAlchemyError as error:
            # The next turn tries again; the lease outlives two of them.
            log.warning("%s %d attempt %d: lease not extended: %s", *_name(flow), error)


@worker_shutting_down.connect
def drain(**_: Any) -> None:
    """A worker told to stop finishes what it can, then hands the rest back: that is no loss."""
    timer = threading.Timer(settings.drain_s, _hand_back)
    timer.daemon = True
    timer.start()


def _hand_back() -> None:
    _drained.set()
    for gone, (flow, step) in list(_held.items()):
        record, (kind, id, attempt) = KINDS[flow["kind"]], _name(flow)
        try:
            with session_scope(flow["tenant_id"]) as session:
                moved = record.hand_back(session, id, attempt, step)
        except SQLAlchemyError as error:
            log.warning("%s %d attempt %d: not handed back: %s", kind, id, attempt, error)
            continue
        if moved:
            log.warning("%s %d attempt %d: handed back, the worker stops", kind, id, attempt)
            chains.send(kind, flow["tenant_id"], id, moved.attempt)
        # Now, not when the lease is next extended: the worker has little time left.
        gone.set()
