"""What must never be read in a log: secrets at any level, what people ask and write at info."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from local import postgres
from local.ports import usual
from tasks.app import app
from tests.conftest import CLUSTER, LAYOUT, PROJECT, VALKEY
from tests.integration.processes import FAKE, program, until, workers
from tests.integration.test_upload_server import Server

S3_KEY, SMTP_PASSWORD = "s3-secret-5d1f0c", "smtp-secret-77ab2e"
PASSWORD, QUESTION, CONTENT = "correct horse 9f3", "who keeps the zorblax lamp?", "zorblax keeper"
TOLD = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": S3_KEY,
    "AWS_DEFAULT_REGION": "us-east-1",
    # Nobody listens there.
    "REDTEN_S3_ENDPOINT": "http://127.0.0.1:9",
    "LOG": "debug",
}
ALL_LOGGED = (
    "import logging; logging.basicConfig(level='DEBUG');from gunicorn.app.wsgiapp import run; run()"
)
LEVELS = "(DEBUG|INFO|WARNING|ERROR|CRITICAL)"
RECORD = re.compile(rf"^(?:\[\d{{4}}-\d\d-\d\d .*?)?{LEVELS}\b")
MAIL = {
    "REDTEN_SMTP_URL": f"smtp+plain://redten:{SMTP_PASSWORD}@127.0.0.1:9",
    "REDTEN_MAIL_FROM": "redten@example.org",
}


@contextmanager
def server(logs: Path) -> Iterator[Server]:
    """gunicorn, as talkative as it can be."""
    made = Server(usual(LAYOUT.fingerprint, 10_000))
    told = TOLD | {
        "REDTEN_API_WORKERS": "1",
        "REDTEN_PORT": str(made.port),
        "API_TLS_CERT": str(LAYOUT.cert),
        "API_TLS_KEY": str(LAYOUT.key),
    }
    options = ["-c", "python:local.gunicorn_conf", "--log-level", "debug", "api.wsgi:app"]
    with (logs / "api.log").open("ab") as log:
        how = {"env": os.environ | told, "cwd": PROJECT, "stdout": log, "stderr": log}
        with program(sys.executable, "-c", ALL_LOGGED, *options, end_with=signal.SIGINT, **how):
            until(made.answers, 60)
            yield made


@contextmanager
def talkative_worker(logs: Path) -> Iterator[None]:
    command = "-m celery -A tasks.app worker -Q pipeline,ingest --pool threads -c 2 -l DEBUG"
    quick = "-n talkative@%h --without-gossip --without-mingle"
    with (logs / "worker.log").open("ab") as log:
        how = {"env": os.environ | TOLD | MAIL, "cwd": PROJECT, "stdout": log, "stderr": log}
        with program(sys.executable, *command.split(), *quick.split(), **how):
            yield


@contextmanager
def withheld(right: str, table: str) -> Iterator[None]:
    """Statements that need the right fail meanwhile."""

    def tell(statement: str) -> None:
        with CLUSTER.connect(postgres.DATABASE) as connection:
            connection.execute(statement.encode())

    tell(f"revoke {right} on {table} from redten_app")
    try:
        yield
    finally:
        tell(f"grant {right} on {table} to redten_app")


def lives(server: Server) -> list[str]:
    """Does what people do, and lets some of it fail; gives the secrets that were used."""
    who = {"email": "keeper@example.org", "password": PASSWORD}
    server.token = server.send("POST", "/user", json=who).json()["token"]
    again = server.send("POST", "/login", json=who).json()["token"]
    assert server.send("POST", "/login", json=who | {"password": f"{PASSWORD}!"}).status_code == 400
    key = server.send("POST", "/keys", json={"name": "nightly"}).json()["key"]
    assert server.send("GET", "/keys", {"Bearer": key + "x"}).status_code == 401
    assert server.send("POST", "/collections", json={"name": "mine"}).status_code == 201
    path = "/collections/mine/documents?name=a.txt"
    assert server.send("POST", path, data=CONTENT).status_code == 202
    ask = {"ask": {"msg": QUESTION, "collection_id": "mine"}}
    job = server.send("POST", "/job", json=ask).json()["id"]
    until(lambda: server.send("GET", f"/job/result/{job}").status_code == 200, 90)
    assert server.send("POST", "/user/data", {"filename": "a", "s3_enable": "1"}, data=b"x").json()
    with withheld("insert", "users"):
        newcomer = {"email": "late@example.org", "password": PASSWORD}
        assert server.send("POST", "/user", json=newcomer).json()["code"] == "internal_error"
    with withheld("insert", "jobs"):
        assert server.send("POST", "/job", json=ask).json()["code"] == "internal_error"
    return [again, key]


def fail_in_workers(server: Server, logs: Path) -> None:
    """Mail that cannot be sent, and a question whose answer cannot be stored."""
    app.send_task("tasks.mail.mail_one_time_password", ["keeper@example.org"])
    until(lambda: "mail is not sent" in told(logs), 90)
    with withheld("insert", "answers"):
        ask = {"ask": {"msg": QUESTION, "collection_id": "mine"}}
        job = server.send("POST", "/job", json=ask).json()["id"]
        until(lambda: server.send("GET", f"/job/{job}").json()["losses"], 90)


@pytest.fixture(scope="module")
def logs(services: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("logs"))


def told(logs: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in logs.iterdir())


def records(text: str) -> list[tuple[str, str]]:
    """Level and text of each record; a traceback belongs to the record above it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if begins := RECORD.match(line):
            found.append((begins[1], line))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
    return found


def test_no_log_tells_a_secret_and_none_at_info_what_was_asked(db, logs):
    with ExitStack() as stack:
        stack.enter_context(talkative_worker(logs))
        made = workers(pipeline="", ingest="", inference=FAKE)
        stack.enter_context(made)
        running = stack.enter_context(server(logs))
        secrets = [*lives(running), running.token]
        fail_in_workers(running, logs)
    text = told(logs)
    own = [url.rpartition("@")[0].rpartition(":")[2] for url in (CLUSTER.url, VALKEY.url)]
    assert all(len(secret) > 8 for secret in own)
    for secret in (*secrets, *own, S3_KEY, SMTP_PASSWORD, PASSWORD, "$argon2"):
        assert secret not in text
    assert "permission denied for table" in text
    spoken = [one for level, one in records(text) if level != "DEBUG"]
    for asked in (QUESTION, CONTENT):
        assert not [one for one in spoken if asked in one]
