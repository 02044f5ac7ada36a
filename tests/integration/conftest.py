"""Real services and real workers, one set for all tests, emptied before each."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from local import postgres
from models.migrate import upgrade
from models.seed import seed
from models.session import session_scope
from models.tenant import Caller, Role
from models.user import find_user
from tasks import broker
from tests.conftest import CLUSTER, LAYOUT, PROJECT, VALKEY

TABLES = "reviews, answers, chunks, documents, jobs, collections, memberships, users_tokens, users"
ADMIN = ("admin@redten.local", "a secret")


def until(condition: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """Waits until the condition holds and gives its value."""
    deadline = time.monotonic() + limit_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {condition}")
        time.sleep(0.02)


@contextmanager
def program(
    *command: str | Path, end_with: int = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is gone afterwards."""
    process = subprocess.Popen([str(word) for word in command], start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, end_with)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Broker:
    """Valkey, on the port and the data of this run; it can be killed, and comes back."""

    def __init__(self) -> None:
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [str(VALKEY.binary), "valkey.conf"]
        with (LAYOUT.logs / "valkey.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=LAYOUT.run, stdout=log, start_new_session=True)
        until(VALKEY.answers)
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """As a supervisor would after a crash."""
        self.kill()
        self.process = self._start()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Broker]:
    """The broker of all tests."""
    server = Broker()
    yield server
    server.kill()


def _as_account() -> dict[str, Any]:
    account = CLUSTER.home.account
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def services(valkey_server: Broker) -> Iterator[None]:
    """Postgres with the schema that the migrations make, and Valkey."""
    cluster = postgres.prepare(LAYOUT)
    log = (LAYOUT.logs / "postgres.log").open("ab")
    command = (cluster.home.binaries / "postgres", "-D", cluster.home.data)
    fast = signal.SIGINT  # does not wait for the pool's connections to go
    with log, program(*command, end_with=fast, stderr=log, cwd="/", **_as_account()):
        until(cluster.answers)
        cluster.make_roles_and_database()
        upgrade(cluster.admin_url)
        yield


@pytest.fixture
def db(services: None) -> None:
    """An empty database with the administrator and the public collection, and an empty broker."""
    with CLUSTER.connect(postgres.DATABASE) as connection:
        connection.execute(f"truncate {TABLES} restart identity cascade".encode())
        connection.execute(b"delete from tenants where id <> 1")
    broker.connection().flushall()
    (LAYOUT.run / "asked").unlink(missing_ok=True)
    shutil.rmtree(LAYOUT.blobs, ignore_errors=True)
    seed(*ADMIN)


@pytest.fixture
def admin(db: None) -> Caller:
    """The owner of the default tenant."""
    with session_scope() as session:
        user = find_user(session, ADMIN[0])
    assert user is not None
    return Caller(user.id, user.email, 1, Role.OWNER)


@pytest.fixture
def http(db: None) -> FlaskClient:
    """The API in this process."""
    from api.app import create_app

    return create_app().test_client()


def sign_up(http: FlaskClient, email: str) -> dict[str, str]:
    """A new account; gives the headers that it signs with."""
    reply = http.post("/user", data=f'{{"email": "{email}", "password": "a secret"}}')
    assert reply.status_code == 201, reply.json
    return {"Bearer": reply.json["token"]}


@pytest.fixture
def headers(http: FlaskClient) -> dict[str, str]:
    """A member of the default tenant."""
    return sign_up(http, "member@example.org")


def worker(queue: str, module: str = "tasks.app") -> subprocess.Popen[bytes]:
    """A worker for one queue, started and taking messages."""
    log = (LAYOUT.logs / f"{queue}.log").open("ab")
    pool = {"ingest": "prefork", "sweep": "solo"}.get(queue, "threads")
    command = f"-m celery -A {module} worker -Q {queue} --pool {pool} -c 1 -l INFO".split()
    quick = f"-n {queue}-{time.monotonic_ns()}@%h --without-gossip --without-mingle".split()
    process = subprocess.Popen(
        [sys.executable, *command, *quick],
        stdout=log,
        stderr=log,
        cwd=PROJECT,
        start_new_session=True,
    )
    log.close()
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a worker and its children, as a crash of the machine would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def workers(**modules: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A worker for every queue but those given as None; ready when it gives them."""
    queues = {"pipeline": "tasks.app", "inference": "tasks.app", "ingest": "tasks.app"}
    with ExitStack() as stack:
        made = {}
        for queue, module in (queues | {"sweep": "tasks.app"} | modules).items():
            if module:
                made[queue] = worker(queue, module)
                stack.callback(_stop, made[queue])
        if "sweep" in made:
            stack.enter_context(_beat())
        until(lambda: not set(made) & set(broker.queues_without_worker()), 60)
        yield made


@contextmanager
def _beat() -> Iterator[None]:
    schedule = LAYOUT.run / "beat-schedule"
    command = f"-m celery -A tasks.app beat -s {schedule} --pidfile=".split()
    log = (LAYOUT.logs / "beat.log").open("ab")
    with log, program(sys.executable, *command, stdout=log, stderr=log, cwd=PROJECT):
        yield


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


FAKE = "tests.integration.fake_engine"


def asked() -> list[str]:
    """The questions that reached the fake engine, in order."""
    path = LAYOUT.run / "asked"
    return path.read_text().splitlines() if path.exists() else []


def ask(http: FlaskClient, headers: dict[str, str], question: str, **more: Any) -> int:
    """Asks the public collection with the published client's limits; gives the job's id."""
    rag = {name: more.pop(name) for name in RAG if name in more}
    wanted = {"msg": question, "collection_id": "embed-security", "rag": rag} | more
    reply = http.post("/job", json={"ask": wanted}, headers=headers)
    assert reply.status_code == 201, reply.json
    return int(reply.json["id"])


RAG = ("match_docs", "max_doc_scores", "min_q_score", "min_a_score")


def result(http: FlaskClient, headers: dict[str, str], job: int, limit_s: float = 30.0) -> Any:
    """How the job ended, as the client sees it."""

    def over() -> Any:
        reply = http.get(f"/job/result/{job}", headers=headers)
        return reply.json if reply.status_code == 200 else None

    return until(over, limit_s)


def answer(http: FlaskClient, headers: dict[str, str], job: int, limit_s: float = 30.0) -> Any:
    """The answer to a job that must succeed."""
    over = result(http, headers, job, limit_s)
    assert over["status"] == "done", over
    return http.get(f"/ai/result/{job}", headers=headers).json


def upload(http: FlaskClient, headers: dict[str, str], name: str, content: bytes) -> Any:
    """Sends a document to the public collection and waits until it is over."""
    path = f"/collections/embed-security/documents?name={name}"
    sent = http.post(path, data=content, headers=headers).json

    def over() -> Any:
        seen = http.get(f"/documents/{sent['id']}", headers=headers).json
        return seen if seen["state"] > 2 else None

    return until(over)


@pytest.fixture
def owner(http: FlaskClient) -> dict[str, str]:
    """The administrator's headers."""
    body = {"email": ADMIN[0], "password": ADMIN[1]}
    return {"Bearer": http.post("/login", json=body).json["token"]}


def session_value(statement: str, **values: Any) -> Any:
    """One value, read past the walls."""
    with CLUSTER.connect(postgres.DATABASE) as connection:
        row = connection.execute(statement.encode(), values or None).fetchone()
    return row[0] if row else None
