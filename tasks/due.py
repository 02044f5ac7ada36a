"""What the clock starts: runs of sources, questions whose sources are read, and tidying up."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, IntegrityError

from models.account import remove_expired
from models.job import Job
from models.overdue import due_sources, ready_jobs
from models.removal import remove_unused, unused_collections
from models.session import session_scope
from models.source import Source, failed_source
from settings import settings
from tasks import chains, telling
from tasks.app import app
from tasks.loose import remove_collection_blobs

log = logging.getLogger(__name__)


@app.task
def start_due_work() -> None:
    """Looks at all of them once; beat calls it every few seconds, and twice does no harm."""
    with session_scope() as session:
        due, ready = due_sources(session), ready_jobs(session)
    for id, tenant_id in due:
        with _telling(f"source {id}"):
            _start_run(tenant_id, id)
    for id, tenant_id, attempt in ready:
        with _telling(f"job {id}"):
            _let_go(tenant_id, id, attempt)


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """What Postgres does not let move must not keep what comes after it waiting."""
    try:
        yield
    except (DataError, IntegrityError) as error:
        log.error("%s cannot begin: %s", what, error)


def _start_run(tenant_id: int, id: int) -> None:
    with session_scope(tenant_id) as session:
        begun = Source.begin(session, Source.id == id, Source.due())
    for source in begun:
        chains.send("source", tenant_id, id, source.attempt)


def _let_go(tenant_id: int, id: int, attempt: int) -> None:
    with session_scope(tenant_id) as session:
        job = session.get(Job, id)
        failed = job and failed_source(session, job.awaits_id)
        if failed:
            said = f"{failed.address} could not be read: {failed.msg}"
            over = Job.fail(session, id, attempt, "source_failed", said)
            moved = None
        else:
            over, moved = None, Job.advance(session, id, attempt, Job.AWAITING, Job.FIRST_STEP)
    if over:
        log.info("job %d attempt %d: failed: %s", id, attempt, over.msg)
        telling.tell_end(over)
    if moved:
        chains.send("job", tenant_id, id, attempt)


@app.task
def remove_unused_collections() -> None:
    """Removes what was read for a question's own sources and is asked no more; hourly by beat."""
    with session_scope() as session:
        unused = unused_collections(session, settings.rag_kept_s)
    for id, tenant_id in unused:
        with session_scope(tenant_id, long=True) as session:
            removed = remove_unused(session, id, settings.rag_kept_s)
        if removed:
            remove_collection_blobs(removed)
            log.info("collection %d: removed, no question has asked it lately", id)


@app.task
def remove_expired_secrets() -> None:
    """Forgets tokens, one-time passwords and links that are long over; hourly by beat."""
    with session_scope() as session:
        gone = remove_expired(session)
    log.info("%d expired tokens, one-time passwords and links forgotten", gone)
