"""Messages that are lost or late: an accepted question still ends with exactly one result."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tasks import broker, chains
from tests.integration.door import answer, ask
from tests.integration.processes import (
    answering,
    answers_of,
    running,
    session_value,
    until,
    workers,
)


@pytest.fixture(scope="module", autouse=True)
def light_steps(services: None) -> Iterator[None]:
    """Everything but the inference worker, which each test treats in its own way."""
    with workers(inference="", ingest=""):
        yield


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


@pytest.mark.long
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
