"""How a job ends for who waits at the door: the stored answer, or the reason of its failure."""

import logging
import time

from api.errors import DATABASE_AWAY
from api.events import LOOK_S, is_stopping
from models.answer import Answer, answer_of_job
from models.errors import RedtenError
from models.job import find_job
from models.session import session_scope
from models.tenant import Caller
from models.work import State
from settings import settings
from tasks import events

log = logging.getLogger(__name__)


def unless_stopping(job_id: int) -> None:
    """Raises RedtenError `stopping` when this process is to end; the job goes on without it."""
    if is_stopping():
        raise RedtenError("stopping", f"this server is stopping, but job {job_id} goes on")


def outcome(who: Caller, job_id: int) -> Answer | None:
    """The answer; None as long as the job is not over, or the database does not say.

    Raises RedtenError with the job's own code if it has failed.
    """
    try:
        with session_scope(who.tenant_id) as session:
            job = find_job(session, who, job_id)
            if job.state == State.FAILED:
                raise RedtenError(job.code or "job_failed", f"job {job_id} failed: {job.msg}")
            return answer_of_job(session, who, job_id) if job.over else None
    except DATABASE_AWAY as error:
        log.warning("job %d: the database does not answer: %s", job_id, error)
        return None


def awaited(who: Caller, job_id: int) -> Answer:
    """The answer, waited for in this thread.

    Raises RedtenError `not_yet_answered` after REDTEN_OPENAI_WAIT_S, and the job's own if it fails.
    """
    until = time.monotonic() + settings.openai_wait_s
    for event in events.follow(job_id, patience_s=min(LOOK_S, settings.openai_wait_s)):
        unless_stopping(job_id)
        told = event is None or event.kind in events.FINAL
        if told and (answer := outcome(who, job_id)):
            return answer
        if time.monotonic() > until:
            break
    raise RedtenError(
        "not_yet_answered",
        f"not within {settings.openai_wait_s:g} s, but job {job_id} goes on: "
        f"its answer will be at GET /ai/result/{job_id}",
    )
