"""The published client looks at results, reviews them, and delivers its own."""

import re
from typing import Any

import pytest

from tests.system.commands import Published, redten
from tests.system.jobs import PUBLIC, answered, ask, result, results
from tests.system.people import Person
from tests.system.waiting import eventually

QUESTION = "How high is the tower of Gull Rock?"
REVIEW = "The tower of Gull Rock is 31 metres high."
NOTHING = 2_000_000_000
# What the published client sends as null when it sends a record back (it does not read them),
# and what it sends back as it was.
KEPT = ("session_id", "derived_session_id", "embed_model_name", "answer", "score", "user_id")
DELIVER = """
import json, sys
from client_aic.authenticate import authenticate
from client_aic.models.core_result_ai import CoreResultAI
from client_aic.req.ai.create_ai_result import create_ai_result
user = authenticate()
given = json.loads(sys.argv[1])
stored = [create_ai_result(user, CoreResultAI(**given).get_dict()) for _ in range(2)]
print(json.dumps([one and one.get_dict() for one in stored]))
"""
LOOK_UP = """
import json, sys
from client_aic.authenticate import authenticate
from client_aic.req.ai.get_ai_result import get_ai_result
from client_aic.req.ai.search_ai_results import search_ai_results
user, job_id = authenticate(), int(sys.argv[1])
search = {"query": "by_job_id", "user_id": user.id, "job_id": job_id}
found = search_ai_results(user=user, data=search)
got = get_ai_result(id=job_id, user=user)
print(json.dumps({"got": got and got.get_dict(), "found": [one.get_dict() for one in found.recs]}))
"""


@pytest.fixture
def job_id(person: Person, examples: object) -> int:
    """A question of that person that has been answered."""
    asked = ask(person.door, QUESTION, PUBLIC, match_docs=1)
    answered(person.door, asked)
    return asked


def look(published: Published, person: Person, job_id: int) -> str:
    return published.script(person, "get-ai-result.py", "-i", str(job_id))


def review(published: Published, person: Person, job_id: int, score: str = "91.5") -> str:
    told = ["-i", str(job_id), "-s", score, "-a", REVIEW]
    return published.script(person, "review-answer.py", *told)


def test_a_result_is_shown_by_its_job(published: Published, person: Person, job_id: int) -> None:
    said = look(published, person, job_id)

    assert f"-- 1/1 job.id={job_id} " in said
    assert f"question={QUESTION}" in said
    assert "match_source=lighthouse-handbook.pdf" in said
    assert "match_page=2" in said


def test_a_job_of_somebody_else_is_like_no_job_at_all(
    published: Published, another: Person, job_id: int
) -> None:
    for number in (job_id, NOTHING):
        said = look(published, another, number)
        assert f"did not find the job_id={number}" in said
    for path in ("/job/{}", "/job/result/{}", "/ai/result/{}"):
        theirs, nothing = (
            another.door.send("GET", path.format(number)) for number in (job_id, NOTHING)
        )
        assert theirs.status_code == nothing.status_code == 404
        assert theirs.text == nothing.text.replace(str(NOTHING), str(job_id))


def test_a_result_of_somebody_else_cannot_be_reviewed(
    published: Published, person: Person, another: Person, job_id: int
) -> None:
    said = review(published, another, job_id)

    assert f"failed getting ai result: job_id={job_id}" in said
    assert result(person.door, job_id)["reviewed_answer"] is None


def test_a_review_is_shown_and_changes_nothing_else(
    published: Published, person: Person, job_id: int
) -> None:
    before = result(person.door, job_id)

    said = review(published, person, job_id)

    assert re.search(rf"review +answer: {re.escape(REVIEW)}", said)
    after = result(person.door, job_id)
    assert (after["reviewed_answer"], after["reviewed_score"]) == (REVIEW, 91.5)
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert None not in [before[name] for name in KEPT]
    assert f"reviewed_answer={REVIEW}" in look(published, person, job_id)


def test_a_review_is_scored_against_the_collection(
    published: Published, person: Person, job_id: int
) -> None:
    review(published, person, job_id)

    score = eventually(
        lambda: result(person.door, job_id)["reviewed_computed_score"], "computed score"
    )
    assert 0.5 < score <= 1


def test_an_expert_reviews_the_results_of_others(
    published: Published, admin: Person, person: Person, another: Person, job_id: int
) -> None:
    made = redten(admin, "users", "role", another.email, "expert")
    assert made.returncode == 0, made.stderr

    review(published, another, job_id, score="70")

    reviewed = result(person.door, job_id)
    assert (reviewed["reviewed_answer"], reviewed["reviewed_score"]) == (REVIEW, 70)
    assert reviewed["user_id"] == person.door.call("POST", "/login", person.credentials)["user_id"]


def test_an_empty_record_is_stored_once(published: Published, person: Person) -> None:
    first, second = deliver(published, person, "{}")

    assert first["id"] > 0
    assert first == second


def test_a_delivered_result_is_found_by_its_job(
    published: Published, person: Person, job_id: int
) -> None:
    first, second = deliver(published, person, f'{{"job_id": {job_id}, "answer": "31 metres"}}')
    assert first["id"] == second["id"]

    seen = published.evaluate(person, LOOK_UP, str(job_id))

    assert seen["got"]["answer"] == "31 metres"
    assert len(seen["found"]) == len(results(person.door, job_id)) == 2
    assert {one["job_id"] for one in seen["found"]} == {job_id}


def deliver(published: Published, person: Person, given: str) -> list[dict[str, Any]]:
    """The record as it came back from each of two deliveries."""
    return list(published.evaluate(person, DELIVER, given))
