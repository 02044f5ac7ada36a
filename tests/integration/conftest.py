"""Real services and real workers, one set for all tests, emptied before each."""

import os
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
def program(*command: str | Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is gone afterwards."""
    process = subprocess.Popen([str(word) for word in command], start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def running_valkey() -> Iterator[subprocess.Popen[bytes]]:
    """The broker, on the port and the data of this run."""
    log = (LAYOUT.logs / "valkey.log").open("ab")
    with log, program(VALKEY.binary, "valkey.conf", cwd=LAYOUT.run, stdout=log) as process:
        until(VALKEY.answers)
        yield process


def _as_account() -> dict[str, Any]:
    account = CLUSTER.home.account
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def services() -> Iterator[None]:
    """Postgres with the schema that the migrations make, and Valkey."""
    cluster = postgres.prepare(LAYOUT)
    log = (LAYOUT.logs / "postgres.log").open("ab")
    command = (cluster.home.binaries / "postgres", "-D", cluster.home.data)
    with log, program(*command, stderr=log, cwd="/", **_as_account()), running_valkey():
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
        until(lambda: not set(made) & set(broker.queues_without_worker()), 60)
        yield made


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def session_value(statement: str, **values: Any) -> Any:
    """One value, read past the walls."""
    with CLUSTER.connect(postgres.DATABASE) as connection:
        row = connection.execute(statement.encode(), values or None).fetchone()
    return row[0] if row else None
