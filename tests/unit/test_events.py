"""A job's events on their way: few of them, and as the standard writes them."""

import pytest

from api.events import sse
from client.events import Event, parse
from tasks import events
from tasks.events import Entry, coalesced


def token(job: int, text: str) -> Entry:
    return Entry(job, "token", {"text": text})


def test_tokens_of_a_job_become_one_event_whatever_other_jobs_say_in_between() -> None:
    other = Entry(2, "state", {"attempt": 1})

    assert coalesced([token(1, "The "), token(2, "A"), token(1, "lamp"), other, token(2, "B")]) == [
        token(1, "The lamp"),
        token(2, "A"),
        other,
        token(2, "B"),
    ]


def test_tokens_do_not_pass_another_event_of_their_job() -> None:
    again = Entry(1, "state", {"attempt": 2})
    told = [token(1, "void"), again, token(1, "The lamp")]

    assert coalesced(told) == told


def test_an_event_is_read_as_it_was_written() -> None:
    data = {"text": "two\nlines: \u2028 of Øre", "none": None}
    written = "retry: 1000\n\n: still there\n\n" + sse("7-0", "token", data)

    assert list(parse(written.encode().splitlines())) == [Event("7-0", "token", data)]


def test_an_event_that_breaks_off_is_none() -> None:
    assert list(parse([b"id: 1-0", b"event: token", b'data: {"text": "The la'])) == []


def test_more_events_than_can_be_written_are_dropped_without_a_wait(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "MOST_UNWRITTEN", 2)
    monkeypatch.setattr(events.Writer, "_run", lambda self: None)
    stuck = events.Writer()

    for _ in range(4):
        stuck.put(token(1, "word "))

    assert [record.message for record in caplog.records] == ["events are lost: too many at once"]
