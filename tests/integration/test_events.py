"""Following a job over HTTP, and cancelling it: real Postgres and Valkey, the steps played here."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

import api.events
from client.events import Event, parse
from models.answer import CHAIN, add_answer
from models.job import Job
from models.session import session_scope
from models.tenant import Role, join
from tasks import broker, events, telling
from tests.integration.door import sign_up
from tests.integration.processes import session_value, until

TOLD = [
    ("state", {"state": 1, "status": "waiting", "step": "embed_question", "attempt": 1}),
    ("passages", {"passages": [{"source": "a.md", "page": 1, "text": "oil"}]}),
    ("token", {"text": "The lamp"}),
    ("answer", {"text": "The lamp", "generation": None}),
]
SCORED = {"score": 0.5, "question_score": 0.5, "answer_score": 0.5}


@pytest.fixture(autouse=True)
def nothing_on_its_way(db: None) -> None:
    """What an earlier test emitted is written, and gone: job ids begin anew with each test."""
    events.emit(0, "state", {})
    until(lambda: events.latest(0, "+", 1))
    broker.connection().flushall()


def tell(job: int, *told: tuple[str, dict[str, object]]) -> list[Event]:
    """Emits, and waits until it can be read."""
    before = len(events.latest(job, "+", 1000))
    for kind, data in told:
        events.emit(job, kind, data)
    until(lambda: len(events.latest(job, "+", 1000)) == before + len(told))
    return [Event(*one) for one in reversed(events.latest(job, "+", 1000))]


def fail(job: int, message: str = "why") -> None:
    with session_scope(1) as session:
        failed = Job.fail(session, job, 1, "code", message)
    assert failed
    telling.tell_end(failed)


def finish(job: int) -> None:
    """As the last step does, but without a word of it."""
    with session_scope(1) as session:
        session_value(f"update jobs set step = 'persist_answer' where id = {job} returning id")
        done = Job.finish(session, job, 1, "persist_answer")
        asked = {"tenant_id": 1, "user_id": done.user_id, "job_id": job, "origin": CHAIN}
        made = {"answer": "The lamp", "data": {"generation": {"finish": "stop"}}, **SCORED}
        add_answer(session, **asked, **made)


def follow(http, headers, job: int, after: str | None = None) -> list[Event]:
    """Every event to the end."""
    more = {"Last-Event-ID": after} if after else {}
    return list(reading(http.get(f"/job/{job}/events", headers=headers | more)))


def reading(reply: TestResponse) -> Iterator[Event]:
    """The events of a reply, each as it comes."""
    with reply:
        assert reply.status_code == 200, reply.json
        yield from parse(line for piece in reply.iter_encoded() for line in piece.split(b"\n"))


def kinds(told: list[Event]) -> list[str]:
    return [event.kind for event in told]


def test_a_reader_who_comes_back_gets_exactly_the_rest(http, owner, job):
    tell(job, *TOLD)
    fail(job)

    everything = follow(http, owner, job)

    assert [(event.kind, event.data) for event in everything[:4]] == TOLD
    assert kinds(everything[4:]) == ["state", "error"]
    assert everything[-1].data == {"code": "code", "message": "why"}
    for number, event in enumerate(everything[:-1], start=1):
        assert follow(http, owner, job, after=event.id) == everything[number:]
        named = http.get(f"/job/{job}/events?last_event_id={event.id}", headers=owner)
        assert list(reading(named)) == everything[number:]


def test_a_browser_that_has_seen_the_end_is_told_to_stay_away(http, owner, job):
    fail(job)
    [*_, last] = follow(http, owner, job)
    again = http.get(f"/job/{job}/events", headers=owner | {"Last-Event-ID": last.id})
    assert (again.status_code, again.data) == (204, b"")


@pytest.mark.parametrize("id", ["never", "1-2-3", "9" * 30, "$"])
def test_an_id_that_no_event_has_is_refused(http, owner, job, id):
    reply = http.get(f"/job/{job}/events", headers=owner | {"Last-Event-ID": id})
    assert (reply.status_code, reply.json["code"]) == (400, "bad_event_id")


def test_when_the_stream_has_expired_the_record_tells_the_end(http, owner, job):
    finish(job)
    told = follow(http, owner, job)
    assert kinds(told) == ["answer", "state", "score"]
    assert told[0].data == {"text": "The lamp", "generation": {"finish": "stop"}}
    assert told[1].data == {"state": 3, "status": "done", "step": None, "attempt": 1}
    assert told[2].data.items() >= SCORED.items()
    assert told[2].data["answer_id"] == session_value("select id from answers")


def test_an_answer_that_was_lost_on_its_way_comes_before_the_score(http, owner, job):
    finish(job)
    tell(job, TOLD[0], ("score", {"job_id": job} | SCORED))
    assert kinds(follow(http, owner, job)) == ["state", "answer", "state", "score"]


def test_events_come_while_the_job_goes_on(http, owner, job):
    told = reading(http.get(f"/job/{job}/events", headers=owner))
    for kind, data in TOLD:
        events.emit(job, kind, data)
        event = next(told)
        assert (event.kind, event.data) == (kind, data)
    fail(job)
    assert kinds(list(told)) == ["state", "error"]


def test_a_stream_expires_and_is_not_longer_than_it_may_be(job):
    for number in range(3000):
        events.emit(job, "state", {"attempt": number})
    until(lambda: events.latest(job, "+", 1)[:1] and newest(job) == 2999)
    assert 2048 <= broker.connection().xlen(f"redten:events:{job}") < 2300
    assert 0 < broker.connection().ttl(f"redten:events:{job}") <= 3600


def newest(job: int) -> int:
    return int(events.latest(job, "+", 1)[0].data["attempt"])


def test_a_job_of_somebody_else_is_not_there(http, headers, job):
    for method, path in (("GET", f"/job/{job}/events"), ("DELETE", f"/job/{job}")):
        theirs = http.open(path, method=method, headers=headers)
        none = http.open(path.replace(str(job), "999"), method=method, headers=headers)
        assert (theirs.status_code, theirs.json["code"]) == (404, "job_not_found")
        assert theirs.json["message"].replace(str(job), "999") == none.json["message"]


def test_nobody_holds_more_streams_than_there_are_threads_for(http, owner, job, monkeypatch):
    monkeypatch.setattr(api.events, "_free", threading.BoundedSemaphore(1))
    fail(job)
    # Never read: its reader has gone before the first line.
    held = http.get(f"/job/{job}/events", headers=owner)
    refused = http.get(f"/job/{job}/events", headers=owner)
    assert (refused.status_code, refused.json["code"]) == (503, "too_many_streams")
    assert refused.headers["Retry-After"] == "2"
    held.close()
    assert kinds(follow(http, owner, job)) == ["state", "error"]


def test_a_reader_that_does_not_read_holds_up_nobody(http, owner, job):
    unread = http.get(f"/job/{job}/events", headers=owner)
    say = events.token_sink(job)
    for _ in range(5000):
        say("word ")
    fail(job)
    told = follow(http, owner, job)
    assert "".join(event.data["text"] for event in told if event.kind == "token") == "word " * 5000
    assert list(reading(unread)) == told


@pytest.fixture
def no_broker(valkey_server) -> Iterator[None]:
    """A broker that can be killed; the next test has one again."""
    yield
    valkey_server.restart()


def test_without_its_broker_a_reader_still_learns_the_end(
    http, owner, job, valkey_server, no_broker, caplog
):
    told = reading(http.get(f"/job/{job}/events", headers=owner))
    tell(job, TOLD[0])
    assert next(told).kind == "state"
    valkey_server.kill()
    events.emit(job, *TOLD[1])
    until(lambda: lost(caplog))
    events.emit(job, *TOLD[2])
    events.cancel(job)
    finish(job)
    assert kinds(list(told)) == ["answer", "state", "score"]
    assert lost(caplog) == 1


def lost(caplog) -> int:
    return sum("events are lost" in record.message for record in caplog.records)


def test_streams_end_when_their_process_is_told_to_stop(http, owner, job, monkeypatch):
    monkeypatch.setattr(api.events, "_stopping", threading.Event())
    stopped: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    try:
        told = reading(http.get(f"/job/{job}/events", headers=owner))
        tell(job, *TOLD[:2])
        assert next(told).kind == "state"
        api.events.end_with_process()
        os.kill(os.getpid(), signal.SIGTERM)
        assert list(told) == []
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped == [signal.SIGTERM]


def test_a_cancelled_job_has_failed_for_everybody_who_asks(http, owner, job):
    assert not events.cancelled(job)
    reply = http.delete(f"/job/{job}", headers=owner)
    assert reply.status_code == 200
    assert (reply.json["id"], reply.json["state"], reply.json["code"]) == (job, 4, "cancelled")
    over = http.get(f"/job/result/{job}", headers=owner)
    assert (over.status_code, over.json["state"]) == (200, 4)
    assert follow(http, owner, job)[-1].data == {
        "code": "cancelled",
        "message": "withdrawn by its owner",
    }
    again = http.delete(f"/job/{job}", headers=owner)
    assert (again.status_code, again.json["code"]) == (409, "job_over")
    with session_scope(1) as session:
        assert Job.claim(session, job, 1, Job.FIRST_STEP) is None


def test_whoever_works_on_a_cancelled_job_hears_of_it():
    id = 1_000_000  # a process remembers it, and ids begin anew with each test
    assert not events.cancelled(id)
    until(lambda: events.cancel(id) or events.cancelled(id))
    assert not events.cancelled(id + 1)


def test_only_the_asker_or_an_owner_may_cancel(http, owner, admin, job):
    expert = sign_up(http, "expert@example.org")
    with session_scope(1) as session:
        id = session_value("select id from users where email = 'expert@example.org'")
        join(session, 1, id, Role.EXPERT)
    refused = http.delete(f"/job/{job}", headers=expert)
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    session_value(f"update jobs set user_id = {id} where id = {job} returning id")
    assert http.delete(f"/job/{job}", headers=owner).status_code == 200
