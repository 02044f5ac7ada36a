"""The published client asks: its script `ask-llm.py` and its function `ask()`, unmodified."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.system.commands import Published, redten_json
from tests.system.jobs import FAILED, PUBLIC, answered, outcome, result
from tests.system.people import Person

pytestmark = pytest.mark.usefixtures("examples")

QUESTION = "How high is the tower of Gull Rock?"
# The client ends by itself: it looks every two seconds, and once more for the result.
FAILURE_S = 10.0
ASK = """
import json, sys
from client_aic.ask import ask
user, job, answer = ask(question=sys.argv[1], collection_id=sys.argv[2], wait_interval=0.2)
print(json.dumps({"user": user.email, "job": job.job_id, "answer": answer and answer.get_dict()}))
"""


def job_id_in(said: str) -> int:
    return int(re.findall(r"job_id:? (\d+)", said)[0])


def test_the_first_use_makes_an_account_and_brings_the_answer(
    published: Published, newcomer: Person
) -> None:
    said = published.script(newcomer, "ask-llm.py", "-q", QUESTION)

    assert re.search(r"answer: .*\b31\b", said)
    assert re.search(r"score: 0\.\d+", said)
    record = result(newcomer.logged_in().door, job_id_in(said))
    assert record["question"] == QUESTION
    assert (record["match_source"], record["match_page"]) == ("lighthouse-handbook.pdf", 2)


def test_without_waiting_it_names_a_job_that_is_answered_later(
    published: Published, person: Person
) -> None:
    said = published.script(person, "ask-llm.py", "-n", "-q", QUESTION)

    assert re.search(r"please wait for job_id \d+ to finish processing", said)
    assert "31" in answered(person.door, job_id_in(said))["answer"]


def test_a_question_can_come_from_a_file(
    published: Published, person: Person, tmp_path: Path
) -> None:
    file = tmp_path / "question.txt"
    file.write_text(f"\n{QUESTION}\n")

    said = published.script(person, "ask-llm.py", "-n", "-q", file)

    assert answered(person.door, job_id_in(said))["question"] == QUESTION


def test_a_wrong_password_is_said_and_makes_no_second_account(
    published: Published, person: Person, admin: Person
) -> None:
    forgetful = person.exporting(AI_PASSWORD="a wrong one")

    said = published.script(forgetful, "ask-llm.py", "-q", QUESTION)

    assert f"invalid password for {person.email}" in said
    assert "answer:" not in said
    emails = [member["email"] for member in redten_json(admin, "users", "list")]
    assert emails.count(person.email) == 1
    assert person.logged_in()


@pytest.mark.parametrize("local", [False, True], ids=["v1-dev", "use-local"])
def test_both_shapes_of_address_work(published: Published, newcomer: Person, local: bool) -> None:
    told = newcomer.exporting(USE_LOCAL=str(int(local)), LOG="debug")

    said = published.script(told, "ask-llm.py", "-n", "-q", QUESTION)

    host = newcomer.environment["AI_API"]
    assert f"run job ask: https://{host}{'' if local else '/v1/dev'}/job" in said
    assert outcome(newcomer.logged_in().door, job_id_in(said))["status"] == "done"


def test_a_failed_job_ends_the_client(published: Published, person: Person, tmp_path: Path) -> None:
    file = tmp_path / "question.txt"
    file.write_text("Which of these words is the longest? " + "word " * 3000)

    said = published.script(person, "ask-llm.py", "-q", file, limit_s=FAILURE_S)

    assert "failed to get ai result for job_id=" in said
    ended = outcome(person.door, int(re.findall(r"job_id=(\d+)", said)[-1]))
    assert (ended["state"], ended["code"]) == (FAILED, "question_too_long")
    assert "tokens" in ended["msg"]


def test_an_unknown_collection_is_named_at_once(published: Published, person: Person) -> None:
    said = published.script(person, "ask-llm.py", "-c", "no-such-thing", "-q", QUESTION)

    assert "failed to start job" in said
    assert "no-such-thing" in re.findall(r'"message":"([^"]*)"', said)[0]


def test_every_question_about_the_samples_finds_fact_file_and_page(
    published: Published, person: Person, examples: list[dict[str, Any]]
) -> None:
    wrong = {}
    for example in examples:
        asked = published.evaluate(person, ASK, example["question"], PUBLIC)
        if not bears_out(asked["answer"], example):
            wrong[example["question"]] = asked["answer"]

    assert len(examples) >= 3
    assert wrong == {}


def bears_out(answer: dict[str, Any], example: dict[str, Any]) -> bool:
    place = (answer["match_source"], answer["match_page"])
    facts = all(fact in answer["answer"] for fact in example["answer_contains"])
    return facts and place == (example["source"], example["page"])


def test_a_repeated_question_gets_the_same_answer(published: Published, person: Person) -> None:
    first = published.evaluate(person, ASK, QUESTION, PUBLIC)
    second = published.evaluate(person, ASK, QUESTION, PUBLIC)

    assert first["user"] == person.email
    assert first["job"] != second["job"]
    for name in ("answer", "score", "match_source", "match_page", "match_content"):
        assert first["answer"][name] == second["answer"][name]


def test_the_result_names_its_session_and_the_model_that_really_answered(
    published: Published, person: Person
) -> None:
    said = published.script(person, "ask-llm.py", "-n", "-q", QUESTION)

    record = answered(person.door, job_id_in(said))
    assert re.fullmatch("[0-9a-f]{32}", record["session_id"])
    assert record["model_name"].endswith(".gguf")
    assert not record["model_name"].startswith("mistral")


def test_later_calls_use_the_cached_credentials(published: Published, newcomer: Person) -> None:
    said = published.script(newcomer, "ask-llm.py", "-n", "-q", QUESTION)
    outcome(newcomer.logged_in().door, job_id_in(said))
    cached = Path(newcomer.environment["HOME"], ".redten", "creds.json")
    assert json.loads(cached.read_text())["email"] == newcomer.email

    # An empty variable counts as none: the call does not say who asks.
    nobody = newcomer.exporting(AI_EMAIL="", AI_PASSWORD="", LOG="debug")
    shown = published.script(nobody, "get-ai-result.py", "-i", str(job_id_in(said)))

    assert f"using existing creds: {cached}" in shown
    assert f"job.id={job_id_in(said)}" in shown
