"""Questions sent to POST /job and followed to their end."""

from typing import Any

from tests.system.people import Door
from tests.system.waiting import LIMIT_S, eventually

# The collection that clients ask when they are told of no other.
PUBLIC = "embed-security"
WAITING, RUNNING, DONE, FAILED = 1, 2, 3, 4


def ask(
    door: Door, question: str, collection: str | None = None, max_tokens: int = 8, **rag: Any
) -> int:
    """The id of a new job."""
    asked = {"msg": question, "collection_id": collection, "max_tokens": max_tokens, "rag": rag}
    return int(door.call("POST", "/job", {"ask": asked})["id"])


def job(door: Door, job_id: int) -> dict[str, Any]:
    """Where the job stands."""
    return dict(door.call("GET", f"/job/{job_id}"))


def stands(door: Door, job_id: int, step: str, state: int) -> bool:
    """Whether the job is at that step, in that state."""
    found = job(door, job_id)
    assert found["state"] not in (DONE, FAILED), f"over before it was seen in {step}: {found}"
    return bool((found["step"], found["state"]) == (step, state))


def outcome(door: Door, job_id: int, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """How the job ended, once it has."""

    def over() -> Any:
        answer = door.send("GET", f"/job/result/{job_id}")
        return answer.json() if answer.status_code == 200 else None

    return dict(eventually(over, f"end of job {job_id}", limit_s))


def answered(door: Door, job_id: int, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """The result of a job, which has to end well."""
    ended = outcome(door, job_id, limit_s)
    assert ended["state"] == DONE, ended
    return result(door, job_id)


def result(door: Door, job_id: int) -> dict[str, Any]:
    """The result that is there now."""
    return dict(door.call("GET", f"/ai/result/{job_id}"))


def results(door: Door, job_id: int) -> list[dict[str, Any]]:
    """Every result of the job."""
    search = {"query": "by_job_id", "job_id": job_id}
    return list(door.call("POST", "/ai/result/search", search)["recs"])
