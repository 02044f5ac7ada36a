"""Following a job: `Client.events`, `redten ask --stream` and `redten cancel`."""

import json
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from cli import main
from client.errors import ClientError
from tests.unit.client_stub import Reply, Stub, answering

SCORE = {"job_id": 5, "answer_id": 9}


def stream(*told: tuple[str, str, dict[str, Any]]) -> tuple[int, bytes]:
    lines = [f"id: {id}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for id, kind, data in told]
    return 200, "".join(["retry: 1000\n\n", ": still there\n\n", *lines]).encode()


def state(id: str, attempt: int) -> tuple[str, str, dict[str, Any]]:
    return id, "state", {"state": 1, "attempt": attempt}


def token(id: str, text: str) -> tuple[str, str, dict[str, Any]]:
    return id, "token", {"text": text}


LAST = (("3-0", "answer", {"text": "The lamp burns."}), ("end", "score", SCORE))
TOLD = (state("1-0", 1), token("2-0", "The lamp "), token("2-1", "burns."), *LAST)


@pytest.fixture
def stub() -> Stub:
    made = answering()
    made.on("GET", "/job/5/events", stream(*TOLD))
    return made


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, args, obj=stub.client())


def last_event_ids(stub: Stub) -> list[str | None]:
    asked = [one for one in stub.requests if str(one.url).endswith("/events")]
    return [one.headers.get("Last-Event-ID") for one in asked]


def test_events_come_in_order_and_end_with_the_last(stub: Stub) -> None:
    told = list(stub.client().events(5))

    assert [event.kind for event in told] == ["state", "token", "token", "answer", "score"]
    assert last_event_ids(stub) == [None]


@pytest.mark.parametrize(
    "failure", [requests.ConnectionError(), (503, {"code": "too_many_streams"})]
)
def test_a_lost_connection_is_taken_up_after_the_last_event(stub: Stub, failure: Reply) -> None:
    stub.on("GET", "/job/5/events", stream(*TOLD[:2]), failure, stream(*TOLD[2:]))

    assert [event.id for event in stub.client().events(5)] == [id for id, _, _ in TOLD]
    assert last_event_ids(stub) == [None, "2-0", "2-0"]


def test_a_job_that_is_not_there_is_told_at_once(stub: Stub) -> None:
    stub.on("GET", "/job/5/events", (404, {"code": "job_not_found", "message": "no job 5"}))

    with pytest.raises(ClientError, match="no job 5"):
        next(stub.client().events(5))


def test_an_answer_is_printed_as_it_comes_and_then_how_far_to_trust_it(stub: Stub) -> None:
    result = run(stub, "ask", "how much oil?", "--stream")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "The lamp burns.",
        "",
        "score      0.80 (question 0.75, answer 0.85)",
        "source     handbook.pdf, page 3",
        "model      small.gguf",
        "job        5",
    ]


def test_a_new_attempt_is_told_and_starts_afresh(stub: Stub) -> None:
    void = (state("0-1", 1), token("0-2", "A lam"), state("1-0", 2))
    stub.on("GET", "/job/5/events", stream(*void, *TOLD[1:]))

    result = run(stub, "ask", "how much oil?", "--stream")

    assert result.stdout.splitlines()[:2] == ["A lam", "The lamp burns."]
    assert result.stderr == "redten: the work was lost and begins anew\n"


def test_tokens_that_were_lost_are_made_good_by_the_answer(stub: Stub) -> None:
    stub.on("GET", "/job/5/events", stream(TOLD[0], TOLD[2], *LAST))

    result = run(stub, "ask", "how much oil?", "--stream")

    assert result.stdout.splitlines()[:3] == ["burns.", "", "The lamp burns."]


def test_events_as_json_are_one_object_a_line(stub: Stub) -> None:
    result = run(stub, "ask", "how much oil?", "--stream", "--json")

    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(event["id"], event["kind"], event["data"]) for event in told] == list(TOLD)


def test_a_job_that_fails_is_one_line_and_exit_code_1(stub: Stub) -> None:
    refused = ("end", "error", {"code": "lost", "message": "lost three times"})
    stub.on("GET", "/job/5/events", stream(TOLD[0], TOLD[1], refused))

    result = run(stub, "ask", "how much oil?", "--stream")

    assert (result.exit_code, result.stdout) == (1, "The lamp \n")
    assert result.stderr == "redten: job 5 failed: lost three times\n"


def test_who_stops_following_is_told_how_to_go_on(stub: Stub) -> None:
    stub.on("GET", "/job/5/events", KeyboardInterrupt())

    result = run(stub, "ask", "how much oil?", "--stream")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "redten: job 5 goes on: redten result 5\n"


def test_what_a_terminal_obeys_is_not_printed(stub: Stub) -> None:
    stub.on("GET", "/job/5/events", stream(TOLD[0], token("2-0", "a\x1b]0;owned\x07b"), *LAST))

    assert run(stub, "ask", "how much oil?", "--stream").stdout.startswith("a]0;ownedb")


def test_streaming_without_waiting_is_wrong_usage(stub: Stub) -> None:
    assert run(stub, "ask", "how much oil?", "--stream", "--no-wait").exit_code == 2
    assert stub.requests == []


def test_a_job_is_cancelled(stub: Stub) -> None:
    stub.on("DELETE", "/job/5", (200, {"id": 5, "state": 4, "code": "cancelled"}))

    result = run(stub, "cancel", "5")

    assert (result.exit_code, result.stdout) == (0, "job 5 is cancelled\n")
