"""The end of a chain: the result and the end of the work, in one transaction."""

import logging
from datetime import UTC, datetime

from celery.exceptions import Ignore

from models.answer import CHAIN, add_answer
from models.collection import Collection
from models.job import Job
from models.review import Review, set_computed_score
from models.session import session_scope
from tasks import telling
from tasks.app import app
from tasks.flow import Flow

log = logging.getLogger(__name__)


@app.task
def persist_answer(flow: Flow) -> None:
    """Stores the answer and ends the job; an older attempt finds nothing to end."""
    with session_scope(flow["tenant_id"]) as session:
        job = Job.finish(session, flow["id"], flow["attempt"], "persist_answer")
        if job is None:
            log.info("job %d attempt %d: nothing to store", flow["id"], flow["attempt"])
            raise Ignore
        found = job.collection_id and session.get(Collection, job.collection_id)
        answer = add_answer(
            session,
            **_asked(job),
            **_answered(flow),
            collection=found.name if found else None,
            collection_notes=found.notes if found else None,
            latency=(datetime.now(UTC) - job.created_at).total_seconds(),
        )
    if answer is not None:
        telling.tell_end(job, answer)
    log.info("job %d attempt %d: done", flow["id"], flow["attempt"])


def _asked(job: Job) -> dict[str, object]:
    """What the answer takes over from its job."""
    return {
        "tenant_id": job.tenant_id,
        "user_id": job.user_id,
        "job_id": job.id,
        "worker_id": job.worker_id,
        "origin": CHAIN,
        "question": job.question,
        "collection_id": job.collection_id,
        "session_id": job.session_id,
        "derived_session_id": job.derived_session_id,
        "tags": job.tags,
    }


def _answered(flow: Flow) -> dict[str, object]:
    """What the chain found."""
    scores, generation = flow["scores"], flow["generation"]
    best = scores["best"]
    match = flow["passages"][best] if isinstance(best, int) else None
    return {
        "answer": flow["answer"],
        "model_name": generation["model_name"],
        "embed_model_name": flow["embed_model_name"],
        "score": scores["score"],
        "question_score": scores["question_score"],
        "answer_score": scores["answer_score"],
        "match_source": match and match["source"],
        "match_page": match and match["page"],
        "match_content": match and match["text"],
        "data": {
            "grounded": match is not None,
            "supported": scores["answer_score"] >= flow["params"]["min_a_score"]
            and match is not None,
            "confidence": scores["confidence"],
            "passages": flow["passages"],
            # Work of an older version has none.
            "citations": flow.get("citations", []),
            "parameters": flow["params"],
            "generation": generation,
            "seconds": flow["seconds"],
            "attempt": flow["attempt"],
        },
    }


@app.task
def persist_review(flow: Flow) -> None:
    """Stores the computed score and ends the review's own work."""
    with session_scope(flow["tenant_id"]) as session:
        if not Review.finish(session, flow["id"], flow["attempt"], "persist_review"):
            raise Ignore
        set_computed_score(session, flow["id"], flow["computed_score"])
    log.info("review %d attempt %d: done", flow["id"], flow["attempt"])
