"""What a record says to those who follow a job's events."""

from typing import Any

from models.answer import Answer
from models.work import Work
from tasks import events

Told = tuple[str, dict[str, Any]]
MATCH = ("match_source", "match_page", "match_content")
SCORES = ("score", "question_score", "answer_score")


def state(work: Work) -> Told:
    """Where the work stands; a higher attempt than before makes void what came before."""
    names = ("state", "status", "step", "attempt")
    return "state", {name: getattr(work, name) for name in names}


def text(answer: Answer) -> Told:
    """The whole answer, and how it was made: tokens may have been lost, this is what counts."""
    generation = (answer.data or {}).get("generation")
    return "answer", {"text": answer.answer, "generation": generation}


def ending(job: Work, answer: Answer | None) -> list[Told]:
    """What is told last of a job that is over, after its answer."""
    if answer is not None:
        told = {name: getattr(answer, name) for name in (*SCORES, *MATCH)}
        last: Told = "score", {"job_id": job.id, "answer_id": answer.id} | told
    else:
        last = "error", {"code": job.code or "answer_not_found", "message": job.msg or "no answer"}
    return [state(job), last]


def tell_state(job: Work) -> None:
    """Emits where the job stands."""
    events.emit(job.id, *state(job))


def tell_end(job: Work, answer: Answer | None = None) -> None:
    """Emits how a job ended, once that is committed."""
    for kind, data in ending(job, answer):
        events.emit(job.id, kind, data)
