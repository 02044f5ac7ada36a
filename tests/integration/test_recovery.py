"""What is killed, lost or late: an accepted question still ends with exactly one result."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from models.work import State
from tasks import broker, chains
from tests.integration.door import answer, ask, result
from tests.integration.processes import FAKE, asked, kill, session_value, until, worker, workers


def running(job: int, step: str) -> bool:
    where = f"select count(*) from jobs where id = {job} and step = '{step}' and state = "
    return session_value(f"{where} {State.RUNNING:d}") == 1


def answers_of(job: int) -> int:
    return session_value(f"select count(*) from answers where job_id = {job}")


@pytest.fixture(scope="module", autouse=True)
def light_steps(services: None) -> Iterator[None]:
    """Everything but the inference worker, which each test treats in its own way."""
    with workers(inference="", ingest=""):
        yield


@contextmanager
def answering(tasks: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """An inference worker that answers so many questions at once."""
    with workers(tasks, pipeline="", ingest="", sweep="", inference=FAKE) as made:
        yield made["inference"]


def test_waiting_ones_turn_in_a_long_queue_costs_nothing(http, headers):
    with answering():
        jobs = [ask(http, headers, f"slow question {number}") for number in range(200)]
        for job in jobs:
            assert result(http, headers, job, 90)["status"] == "done"

    assert session_value("select max(attempt) from jobs") == 1
    assert session_value("select sum(losses) from jobs") == 0
    assert sorted(asked()) == sorted(f"slow question {number}" for number in range(200))
    assert session_value("select count(distinct job_id) from answers") == 200
    assert session_value("select count(*) from answers") == 200


def test_a_question_survives_the_worker_that_was_answering_it(http, headers):
    with answering() as process:
        job = ask(http, headers, "slower question")
        until(lambda: running(job, "generate_answer"))
        kill(process)
    with answering():
        answer(http, headers, job, 60)
    assert answers_of(job) == 1
    assert session_value(f"select losses from jobs where id = {job}") == 1
    assert len(asked()) == 2


def test_a_worker_that_is_stopped_hands_its_question_back_without_a_loss(http, headers):
    with answering() as process:
        job = ask(http, headers, "slowest question")
        until(lambda: running(job, "generate_answer"))
        process.terminate()
        until(lambda: session_value(f"select attempt from jobs where id = {job}") == 2)
        kill(process)
    with answering():
        answer(http, headers, job, 60)
    assert session_value(f"select losses from jobs where id = {job}") == 0
    assert answers_of(job) == 1


def test_an_answer_that_takes_longer_than_a_lease_is_not_lost(http, headers):
    with answering():
        job = ask(http, headers, "slowest question")
        answer(http, headers, job, 60)
    assert session_value(f"select attempt from jobs where id = {job}") == 1
    assert len(asked()) == 1


def test_a_question_that_kills_its_worker_is_given_up_and_the_others_are_answered(http, headers):
    with answering() as process:
        deadly = ask(http, headers, "a deadly question")
        others = [ask(http, headers, f"question {number}") for number in range(5)]
        with _Reviver(process):
            over = result(http, headers, deadly, 90)
            for job in others:
                answer(http, headers, job, 60)
    assert (over["state"], over["code"]) == (4, "lost")
    assert "generate_answer" in over["msg"]
    assert asked().count("a deadly question") == 3
    assert session_value(f"select losses from jobs where id = {deadly}") == 3
    assert http.get(f"/ai/result/{deadly}", headers=headers).status_code == 404


def test_a_worker_that_dies_with_eight_in_flight_loses_none(http, headers):
    with answering(8) as process:
        jobs = [ask(http, headers, f"slower question {number}") for number in range(8)]
        until(lambda: all(running(job, "generate_answer") for job in jobs))
        kill(process)
    with answering(8):
        for job in jobs:
            answer(http, headers, job, 60)
    assert session_value("select count(*) from answers") == 8
    assert session_value("select count(distinct job_id) from answers") == 8
    assert session_value("select array_agg(losses) from jobs") == [1] * 8
    assert sorted(asked()) == sorted(f"slower question {number % 8}" for number in range(16))


def test_of_eight_in_flight_only_the_deadly_one_is_given_up(http, headers):
    with answering(8) as process:
        others = [ask(http, headers, f"slower question {number}") for number in range(7)]
        until(lambda: all(running(job, "generate_answer") for job in others))
        deadly = ask(http, headers, "a deadly question")
        with _Reviver(process, 8):
            over = result(http, headers, deadly, 90)
            for job in others:
                answer(http, headers, job, 60)
                assert answers_of(job) == 1
    assert (over["state"], over["code"]) == (4, "lost")
    assert asked().count("a deadly question") == 3
    assert session_value(f"select max(losses) from jobs where id <> {deadly}") == 1


def test_waiting_to_be_alone_after_a_loss_costs_nothing(http, headers):
    with answering(8) as process:
        lost = ask(http, headers, "slow question")
        answer(http, headers, lost, 30)
        session_value("delete from answers returning id")
        slow = ask(http, headers, "slowest question")
        until(lambda: running(slow, "generate_answer"))
        session_value(
            "update jobs set state = 1, step = 'start_job', losses = 1, attempt = 2, since = now()"
            f" where id = {lost} returning id"
        )
        chains.send("job", 1, lost, 2)
        answer(http, headers, slow, 30)
        answer(http, headers, lost, 30)
        assert process.poll() is None
    assert session_value(f"select attempt from jobs where id = {lost}") == 2


class _Reviver:
    """Starts the worker again whenever it has died, as a supervisor does."""

    def __init__(self, process, tasks: int = 1) -> None:
        self.process, self.tasks, self.over = process, tasks, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self) -> None:
        while not self.over.wait(0.1):
            if self.process.poll() is not None:
                self.process = worker("inference", FAKE, self.tasks)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        kill(self.process)


def test_a_stale_attempt_neither_answers_nor_fails_a_newer_one(http, headers):
    with answering():
        job = ask(http, headers, "slower question")
        until(lambda: running(job, "generate_answer"))
        session_value(
            "update jobs set attempt = 2, state = 1, step = 'start_job', since = now()"
            f" where id = {job} returning id"
        )
        until(lambda: len(asked()) == 1)
        chains.send("job", 1, job, 2)
        answer(http, headers, job, 30)
    assert answers_of(job) == 1
    assert session_value(f"select data->>'attempt' from answers where job_id = {job}") == "2"


@pytest.mark.parametrize("loss", ["restart", "flush"])
def test_questions_survive_the_broker_and_its_data(http, headers, valkey_server, loss):
    with answering():
        first = ask(http, headers, "slower question")
        until(lambda: running(first, "generate_answer"))
        second = ask(http, headers, "another question")
        until(lambda: broker.connection().llen("inference") == 1)
        valkey_server.restart() if loss == "restart" else broker.connection().flushall()
        for job in (first, second):
            answer(http, headers, job, 60)
            assert answers_of(job) == 1


ASK_A_HANGING_BROKER = """
import json, sys, time
from api.app import create_app
http, token = create_app().test_client(), sys.argv[1]
body = json.dumps({"ask": {"msg": "a question", "collection_id": "embed-security"}})
told = []
for _ in range(3):
    began = time.monotonic()
    reply = http.post("/job", data=body, headers={"Bearer": token})
    told.append((reply.status_code, reply.json["id"], time.monotonic() - began))
print(json.dumps(told))
"""


def test_a_broker_that_accepts_and_never_answers_holds_up_nobody(http, headers):
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        hanging = f"redis://127.0.0.1:{tarpit.getsockname()[1]}/0"
        told = subprocess.run(
            [sys.executable, "-c", ASK_A_HANGING_BROKER, headers["Bearer"]],
            env=os.environ | {"REDIS_URL": hanging},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        tarpit.settimeout(0)
        tarpit.accept()[0].close()  # it was really asked
    replies = json.loads(told.stdout)
    assert [status for status, _, _ in replies] == [201] * 3
    assert max(seconds for _, _, seconds in replies) < 1.0  # the published client waits for five

    with answering():
        for _, job, _ in replies:
            answer(http, headers, job, 60)
            assert answers_of(job) == 1


def test_a_lost_message_is_missed_although_its_queue_is_never_empty(http, headers):
    jobs: list[int] = []

    def feed() -> bool:
        """Keeps the queue filled until the lost question is sent again."""
        while broker.connection().llen("inference") < 2:
            jobs.append(ask(http, headers, f"slower question {len(jobs)}"))
            until(lambda: broker.connection().llen("inference") > 0)
        return session_value(f"select attempt from jobs where id = {lost}") == 2

    with answering():
        lost = ask(http, headers, "question whose message is lost")
        answer(http, headers, lost, 30)
        session_value("delete from answers returning id")
        jobs += [ask(http, headers, f"slower question {number}") for number in range(4)]
        until(lambda: broker.connection().llen("inference") > 1)
        session_value(
            "update jobs set state = 1, step = 'generate_answer', since = now()"
            f" where id = {lost} returning id"
        )
        until(feed)
        for job in (*jobs, lost):
            answer(http, headers, job, 60)
    assert session_value("select max(attempt) from jobs where id <> %(lost)s", lost=lost) == 1


@pytest.fixture(autouse=True)
def send_at_once() -> Iterator[None]:
    """Forgets that an earlier test's broker did not answer."""
    yield
    chains._leave_until = 0.0
