"""How a question comes in, whichever door it came through: written down, then sent."""

from typing import Any

from api.auth import caller
from models.collection import find_collection
from models.job import Job, cancel_job
from models.quota import check_jobs
from models.session import session_scope
from models.tenant import Caller
from models.work import State
from tasks import chains, events, telling

ASK = 1


def ask(question: str, collection: str | None, params: dict[str, Any], **more: Any) -> Job:
    """A new job of the caller's, on its way; `collection` is the name or id of one, or None.

    `more` are other columns of the job. One that waits for its sources is sent when they are read.
    """
    who = caller()
    with session_scope(who.tenant_id) as session:
        check_jobs(session, who.tenant_id)
        found = find_collection(session, who, collection) if collection else None
        job = Job(
            tenant_id=who.tenant_id,
            user_id=who.user_id,
            question=question,
            collection_id=found.id if found else None,
            params=params,
            state=State.WAITING,
            **{"worker_id": 1, "job_type": ASK, "step": Job.FIRST_STEP} | more,
        )
        session.add(job)
        session.flush()
    if job.step == Job.FIRST_STEP:
        chains.send("job", job.tenant_id, job.id, job.attempt)
    return job


def withdraw(who: Caller, job_id: int) -> Job:
    """Ends a job that is not wanted any more, and has its work stopped; errors of `cancel_job`."""
    with session_scope(who.tenant_id) as session:
        job = cancel_job(session, who, job_id)
    events.cancel(job_id)
    telling.tell_end(job)
    return job
