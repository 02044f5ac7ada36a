"""What a reader of a job is told while real workers answer it with a fake generator."""

from collections.abc import Iterator

import pytest

from client.events import Event, parse
from tests.integration.door import answer, ask, upload
from tests.integration.processes import FAKE, asked, session_value, until, workers


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[None]:
    with workers(inference=FAKE, ingest="tasks.app"):
        yield


def follow(http, headers, job: int) -> list[Event]:
    """Every event to the end, beginning while the job goes on."""
    with http.get(f"/job/{job}/events", headers=headers) as reply:
        return list(parse(line for piece in reply.iter_encoded() for line in piece.split(b"\n")))


def _newest_attempt(told: list[Event]) -> list[Event]:
    """What counts: the sweep may have taken the emptied broker for one that has lost a message."""
    attempts = [one.data["attempt"] if one.kind == "state" else 0 for one in told]
    return told[attempts.index(max(attempts)) :]


def test_events_come_in_the_order_of_the_steps(http, headers, owner):
    upload(http, owner, "rocks/gull.md", b"The tower of Gull Rock is 31 metres high.")
    job = ask(http, headers, "How high is the tower of Gull Rock?")

    told = _newest_attempt(follow(http, headers, job))

    kinds = [event.kind for event in told]
    merged = [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]
    assert merged == ["state", "passages", "state", "token", "answer", "state", "score"]
    data = {event.kind: event.data for event in told}
    assert data["passages"]["passages"][0]["source"] == "rocks/gull.md"
    assert "vectors" not in data["passages"]
    text = "".join(event.data["text"] for event in told if event.kind == "token")
    found = answer(http, headers, job)
    assert text.strip() == data["answer"]["text"] == found["answer"]
    assert data["answer"]["generation"] == found["data"]["generation"]
    assert data["score"] == {"job_id": job, "answer_id": found["id"]} | {
        name: found[name] for name in data["score"] if name not in ("job_id", "answer_id")
    }


def test_a_question_that_fails_ends_its_stream_with_the_reason(http, headers):
    job = ask(http, headers, "why " * 3000)
    last = follow(http, headers, job)[-1]
    assert (last.kind, last.data["code"]) == ("error", "question_too_long")


def test_a_cancelled_question_gets_no_answer_and_the_next_one_does(http, headers):
    # A worker remembers who was cancelled, and job ids begin anew with each test.
    session_value("select setval(pg_get_serial_sequence('jobs', 'id'), 1000)")
    job = ask(http, headers, "slowest question")
    until(asked)

    assert http.delete(f"/job/{job}", headers=headers).status_code == 200

    assert follow(http, headers, job)[-1].data["code"] == "cancelled"
    answer(http, headers, ask(http, headers, "the next question"))
    assert session_value(f"select count(*) from answers where job_id = {job}") == 0
