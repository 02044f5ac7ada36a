"""How work begins and how it fails."""

import logging
from typing import Any

from kombu.exceptions import OperationalError
from sqlalchemy.orm import Session

from engines.errors import EngineError
from ingest.load import LoadError
from models.answer import Answer, earlier_turns
from models.collection import Collection
from models.errors import RedtenError
from models.job import Job
from models.overdue import KINDS
from models.session import session_scope
from tasks import broker, telling
from tasks.app import app
from tasks.flow import Flow
from tasks.lease import advancing
from tasks.loose import remove_work

log = logging.getLogger(__name__)

MOST_TURNS = 6
# Refusals that would come again; anything else leaves the lease to run out.
PERMANENT = (RedtenError, EngineError, LoadError)
# The step itself went well, and only the message to the next one is missing: no loss.
BROKER_AWAY = (OperationalError, OSError, broker.BrokerError)


@app.task
def start_job(tenant_id: int, id: int, attempt: int) -> Flow:
    """Reads all that the chain needs to know of a question, once."""
    flow = Flow(kind="job", tenant_id=tenant_id, id=id, attempt=attempt, seconds={})
    with advancing(flow, "start_job", then="embed_question") as (session, job):
        log.info("job %d attempt %d: started", id, attempt)
        flow["turns"] = _turns(session, job)
        flow["embed_model_name"] = _embed_model(session, job.collection_id)
        flow["question"], flow["params"] = job.question, job.params
        flow["collection_id"] = job.collection_id
    telling.tell_state(job)
    return flow


def _turns(session: Session, job: Job) -> list[tuple[str, str]]:
    """Earlier turns of the thread that the client named: the narrower one, if it named two."""
    thread = "derived_session_id" if job.params.get("derived_by_client") else "session_id"
    return earlier_turns(
        session, job.user_id, job.created_at, MOST_TURNS, **{thread: getattr(job, thread)}
    )


def _embed_model(session: Session, collection_id: int | None) -> str | None:
    if collection_id is None:
        return None
    found = session.get(Collection, collection_id)
    if found is None:
        raise RedtenError("collection_not_found", "the collection was removed in the meantime")
    return found.embed_model_name


@app.task
def start_review(tenant_id: int, id: int, attempt: int) -> Flow:
    """Reads the reviewed answer and the collection that it is to be held against."""
    flow = Flow(kind="review", tenant_id=tenant_id, id=id, attempt=attempt, seconds={})
    with advancing(flow, "start_review", then="embed_review") as (session, review):
        log.info("review %d attempt %d: started", id, attempt)
        collection_id = session.get_one(Answer, review.answer_id).collection_id
        flow["embed_model_name"] = _embed_model(session, collection_id)
        # A confidence without a text says nothing that could be held against the documents.
        flow["answer"] = review.answer or ""
        flow["collection_id"] = collection_id if review.answer else None
    return flow


@app.task
def fail_work(
    request: Any,
    exc: Exception,
    traceback: Any,
    *,
    kind: str,
    tenant_id: int,
    id: int,
    attempt: int,
) -> None:
    """Writes a permanent refusal down for the owner; Celery calls it where the step failed."""
    if not isinstance(exc, PERMANENT):
        log.error("%s %d attempt %d: %r; the sweep will find it", kind, id, attempt, exc)
        if not isinstance(exc, BROKER_AWAY):
            with session_scope(tenant_id) as session:
                KINDS[kind].suspect(session, id, attempt)
        return
    log.info("%s %d attempt %d: failed: %s", kind, id, attempt, exc)
    with session_scope(tenant_id) as session:
        failed = KINDS[kind].fail(session, id, attempt, exc.code, str(exc))
    if failed and kind == "document":
        remove_work(tenant_id, id)
    if failed and kind == "job":
        telling.tell_end(failed)
