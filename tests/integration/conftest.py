"""Real services, started once, and emptied before each test."""

import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from psycopg.errors import DeadlockDetected, LockNotAvailable

from engines.generator import Generator
from local import postgres
from models import password
from models.job import Job
from models.migrate import upgrade
from models.seed import seed
from models.session import session_scope
from models.tenant import Caller, Role
from models.user import find_user
from settings import settings
from tasks import broker
from tests.conftest import CLUSTER, LAYOUT
from tests.integration.door import ADMIN, log_in, sign_up
from tests.integration.processes import Broker, Database, until

# A password is hashed slowly on purpose, and every test makes some. How it is done in earnest is
# looked at in tests/unit/test_password.py.
password.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

TABLES = (
    "reviews, answers, chunks, documents, jobs, collections, memberships, users_tokens, users,"
    " loose_blobs, quotas"
)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Broker]:
    """The broker of all tests."""
    server = Broker()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Database]:
    """The database server of all tests."""
    postgres.prepare(LAYOUT)
    server = Database()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def services(valkey_server: Broker, postgres_server: Database) -> None:
    """Postgres with the schema that the migrations make, and Valkey."""
    CLUSTER.make_roles_and_database()
    upgrade(CLUSTER.admin_url)


def _emptied() -> bool:
    """Empties the tables; a step that still runs may stand in the way, and Postgres ends one."""
    with CLUSTER.connect(postgres.DATABASE) as connection:
        try:
            connection.execute(f"truncate {TABLES} restart identity cascade".encode())
            # The number of a collection comes again, and would find the partition of another.
            connection.execute(b"select drop_partitions()")
        except (DeadlockDetected, LockNotAvailable):
            return False
        connection.execute(b"delete from tenants where id <> 1")
    return True


def empty() -> None:
    """Back to the administrator and the public collection; nothing in the broker."""
    until(_emptied)
    broker.connection().flushall()
    (LAYOUT.run / "asked").unlink(missing_ok=True)
    shutil.rmtree(LAYOUT.blobs, ignore_errors=True)
    seed(*ADMIN)


@pytest.fixture
def db(services: None) -> None:
    """An empty database with the administrator and the public collection, and an empty broker."""
    empty()


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


@pytest.fixture
def headers(http: FlaskClient) -> dict[str, str]:
    """A member of the default tenant."""
    return sign_up(http, "member@example.org")


@pytest.fixture
def owner(http: FlaskClient) -> dict[str, str]:
    """The administrator's headers."""
    return {"Bearer": log_in(http, *ADMIN).json["token"]}


@pytest.fixture
def job(admin: Caller) -> int:
    """A job that waits for its first step."""
    with session_scope(1) as session:
        made = Job(
            tenant_id=1,
            user_id=admin.user_id,
            worker_id=1,
            job_type=1,
            question="?",
            session_id="s",
            derived_session_id="d",
            step=Job.FIRST_STEP,
        )
        session.add(made)
        session.flush()
        return made.id


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    """The real weights, loaded once for a module."""
    with closing(Generator(settings.weights_dir / settings.model)) as made:
        yield made
