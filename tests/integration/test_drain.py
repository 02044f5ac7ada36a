"""A process that is told to stop takes nothing new, ends what it can and hands back the rest."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from subprocess import Popen

import psutil
import pytest
import requests

from local.ports import usual
from models.seed import COLLECTION
from tasks import lease
from tasks.flow import Flow
from tests.conftest import LAYOUT, PROJECT
from tests.integration.door import ask
from tests.integration.processes import program, session_value, until, workers

PORT = usual(LAYOUT.fingerprint, 12_000)
HERE = f"http://127.0.0.1:{PORT}"


def test_a_step_learns_at_once_that_its_work_is_handed_back(job, monkeypatch):
    monkeypatch.setattr(lease, "_drained", threading.Event())
    flow = Flow(kind="job", tenant_id=1, id=job, attempt=1, seconds={})
    with lease.claimed(flow, "start_job") as held:
        assert held.ours()
        lease._hand_back()
        assert not held.ours()
    with lease.claimed(Flow(**flow | {"attempt": 2}), "start_job") as too_late:
        assert not too_late.ours()
    said = f"select concat_ws(' ', state, attempt, losses) from jobs where id = {job}"
    assert session_value(said) == "1 3 0"


LONG = " ".join(f"The tower number {number} is {number} metres high." for number in range(20_000))


def test_an_ingest_worker_hands_its_document_back_and_leaves_no_parser(http, owner):
    with workers(pipeline="", inference="", sweep="") as made:
        path = f"/collections/{COLLECTION}/documents?name=long.txt"
        document = http.post(path, data=LONG.encode(), headers=owner).json["id"]
        what = f"select {{}} from documents where id = {document}"
        until(lambda: session_value(what.format("step = 'embed_document' and state = 2")), 90)
        parsers = psutil.Process(made["ingest"].pid).children(recursive=True)
        assert parsers
        made["ingest"].terminate()
        assert made["ingest"].wait(60) == 0
        assert session_value(what.format("concat_ws(' ', state, attempt, losses)")) == "1 2 0"
        until(lambda: not any(map(_runs, parsers)))


@pytest.fixture
def gunicorn(db: None) -> Iterator[Popen[bytes]]:
    """The API as `redten up` starts it, without TLS."""
    command = [sys.executable, "-m", "gunicorn", "-c", "python:local.gunicorn_conf", "api.wsgi:app"]
    told = {"REDTEN_API_WORKERS": "1", "REDTEN_PORT": str(PORT)}
    log = (LAYOUT.logs / "api.log").open("ab")
    with log, program(*command, env=os.environ | told, cwd=PROJECT, stderr=log) as process:
        until(_answers, 60)
        yield process


def _answers() -> bool:
    try:
        return requests.get(f"{HERE}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


def test_gunicorn_ends_requests_and_streams_that_are_under_way(gunicorn, http, headers):
    job = ask(http, headers, "a question that nobody answers")
    with ExitStack() as stack:
        stream = stack.enter_context(
            requests.get(f"{HERE}/job/{job}/events", headers=headers, stream=True, timeout=20)
        )
        lines = stream.iter_lines()
        assert next(lines).startswith(b"retry")
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", PORT), 20))
        body = b'{"ask": {"msg": "another question", "collection_id": "embed-security"}}'
        head = f"POST /job HTTP/1.1\r\nHost: a\r\nBearer: {headers['Bearer']}\r\n"
        head += f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        plain.sendall(head.encode() + body[:9])
        assert plain.recv(100).startswith(b"HTTP/1.1 100")  # it is under way
        gunicorn.send_signal(signal.SIGTERM)
        assert not [line for line in lines if line.startswith(b"event: error")]
        plain.sendall(body[9:])
        assert plain.recv(100).startswith(b"HTTP/1.1 201")
        assert gunicorn.wait(30) == 0
    assert session_value("select count(*) from jobs") == 2


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
