"""Our own commands, as they are typed."""

from pathlib import Path

import certifi
import pytest

from tests.system.commands import Ended, redten, redten_json
from tests.system.jobs import PUBLIC
from tests.system.people import Person
from tests.system.stack import free_port

pytestmark = pytest.mark.usefixtures("examples")

QUESTION = "How high is the tower of Gull Rock?"
# What is asked matters here, not how well it is answered.
BRIEF = ("--max-tokens", "4", "--match-docs", "1")


def failed(ended: Ended) -> str:
    """The one line that a command leaves behind when it fails."""
    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.strip().splitlines()
    assert line.startswith("redten: ")
    return line


def test_ask_prints_answer_score_and_place(newcomer: Person) -> None:
    ended = redten(newcomer, "ask", QUESTION)

    assert ended.returncode == 0, ended.stderr
    answer, _, facts = ended.stdout.partition("\n\n")
    assert "31" in answer
    assert "lighthouse-handbook.pdf, page 2" in facts


def test_an_email_without_an_account_gets_one_and_is_told(newcomer: Person) -> None:
    ended = redten(newcomer, "collections")

    assert ended.returncode == 0
    assert ended.stderr == f"made an account for {newcomer.email}\n"


def test_a_question_comes_from_a_file_or_from_standard_input(
    person: Person, tmp_path: Path
) -> None:
    file = tmp_path / "question.txt"
    file.write_text(QUESTION)

    asked = [
        redten_json(person, "ask", "-f", file, *BRIEF),
        redten_json(person, "ask", *BRIEF, stdin=QUESTION),
        redten_json(person, "ask", "-", *BRIEF, stdin=QUESTION),
    ]

    assert [one["question"] for one in asked] == [QUESTION] * 3


def test_an_answer_is_fetched_reviewed_and_found_later(person: Person) -> None:
    job = redten_json(person, "ask", QUESTION, "--no-wait", *BRIEF)
    job_id = str(job["id"])

    fetched = redten_json(person, "result", job_id)
    reviewed = redten_json(person, "review", job_id, "-s", "95", "-a", "31 metres")
    found = redten_json(person, "search", job_id)

    assert fetched["job_id"] == job["id"]
    assert (reviewed["reviewed_score"], reviewed["answer"]) == (95, fetched["answer"])
    assert [one["reviewed_answer"] for one in found] == ["31 metres"]


def test_a_review_must_lie_between_0_and_100(person: Person) -> None:
    ended = redten(person, "review", "1", "-s", "100.5", "-a", "anything")

    assert ended.returncode == 2
    assert "0<=x<=100" in ended.stderr


def test_an_answer_without_documents_says_so(person: Person) -> None:
    ended = redten(person, "ask", "--no-collection", QUESTION, *BRIEF)

    assert ended.returncode == 0, ended.stderr
    assert "not grounded" in ended.stdout


def test_documents_are_listed_and_removed(person: Person, tmp_path: Path) -> None:
    (tmp_path / "tides.md").write_text("The tide at Yarrow turns at noon.")
    (tmp_path / "wells.md").write_text("The well of Yarrow is dry.")
    redten_json(person, "ingest", tmp_path / "tides.md", tmp_path / "wells.md", "-c", "mine")

    names = [one["name"] for one in redten_json(person, "documents", "-c", "mine")]
    removed = redten(person, "documents", "rm", "-c", "mine", "wells.md")

    assert sorted(names) == ["tides.md", "wells.md"]
    assert (removed.returncode, removed.stdout) == (0, "removed wells.md\n")
    assert [one["name"] for one in redten_json(person, "documents", "-c", "mine")] == ["tides.md"]
    assert "wells.md" in failed(redten(person, "documents", "rm", "-c", "mine", "wells.md"))


def test_collections_are_listed_for_those_who_may_read_them(
    person: Person, another: Person
) -> None:
    redten_json(person, "collections", "create", "secrets")
    redten_json(person, "collections", "create", f"of-{person.email}", "--visibility", "tenant")

    mine = {one["name"]: one["mine"] for one in redten_json(person, "collections")}
    theirs = {one["name"]: one["mine"] for one in redten_json(another, "collections")}

    assert mine == {**mine, "secrets": True, f"of-{person.email}": True, PUBLIC: False}
    assert "secrets" not in theirs
    assert theirs == {**theirs, f"of-{person.email}": False, PUBLIC: False}


def test_a_private_collection_of_somebody_else_is_like_none(
    person: Person, another: Person
) -> None:
    redten_json(person, "collections", "create", "secrets")

    theirs = failed(redten(another, "ask", QUESTION, "-c", "secrets"))
    nothing = failed(redten(another, "ask", QUESTION, "-c", "nothing"))

    assert theirs == nothing.replace("nothing", "secrets")


def test_a_failed_job_gives_its_reason(person: Person) -> None:
    line = failed(redten(person, "ask", "--no-collection", "-", stdin="word " * 3000))

    assert "tokens" in line
    assert "n_ctx" in line


def test_an_unknown_collection_is_named(person: Person) -> None:
    assert "no-such-thing" in failed(redten(person, "ask", QUESTION, "-c", "no-such-thing"))


def test_an_untrusted_certificate_is_explained(person: Person) -> None:
    trusting_others = person.exporting(AI_API_CA=certifi.where())

    line = failed(redten(trusting_others, "ask", QUESTION))

    assert f"AI_API_CA={certifi.where()}" in line


def test_nothing_at_the_address_is_explained(person: Person) -> None:
    address = f"localhost:{free_port()}"

    line = failed(redten(person.exporting(AI_API=address), "ask", QUESTION))

    assert f"nothing answers at https://{address}" in line


def test_a_wrong_password_is_explained(person: Person) -> None:
    forgetful = person.exporting(AI_PASSWORD="a wrong one")

    assert "invalid password" in failed(redten(forgetful, "collections"))


def test_a_session_remembers_its_earlier_turns(person: Person) -> None:
    first = redten_json(person, "ask", QUESTION, *BRIEF)
    told = ["--session", first["session_id"], "--tags", "towers"]

    second = redten_json(person, "ask", "When was it finished?", *told, *BRIEF)

    assert second["session_id"] == first["session_id"]
    assert second["tags"] == "towers"
    assert second["data"]["generation"]["turns"] == 1
