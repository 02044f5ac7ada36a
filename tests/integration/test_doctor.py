"""The doctor on real services: what is in order, and what is found when it is not."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local import postgres
from local.doctor import broker, database
from local.doctor.finding import Status
from models.password import hash_password
from settings import settings
from tasks import broker as messages
from tests.conftest import CLUSTER
from tests.integration.processes import session_value, until, workers


def wrong(*findings) -> list[str]:
    """The checks that did not find all well."""
    return [f"{one.check}: {one.said}" for one in findings if one.status is not Status.OK]


@pytest.fixture
def as_owner(db, monkeypatch) -> None:
    """The environment of a deployment that knows the owner of its tables."""
    known = database.Database(CLUSTER.url, CLUSTER.admin_url)
    monkeypatch.setattr(database, "named", lambda: known)


@contextmanager
def changed(statement: str, back: str) -> Iterator[None]:
    """The database as a statement leaves it."""
    with CLUSTER.connect(postgres.DATABASE) as connection:
        connection.execute(statement.encode())
        try:
            yield
        finally:
            connection.execute(back.encode())


def test_the_embedded_services_are_in_order(as_owner):
    assert wrong(*database.database(), *database.tables(), *broker.memory()) == []


def test_a_table_of_tenants_without_its_wall_is_a_failure(as_owner):
    with changed(
        "alter table jobs disable row level security", "alter table jobs enable row level security"
    ):
        assert wrong(*database.tables()) == ["walls: jobs has rows of tenants and no policy"]


def test_a_superuser_is_no_login_for_the_application(as_owner):
    found = wrong(*database.looked_at(CLUSTER.admin_url, database.roles))

    assert "roles: postgres is a superuser" in found


def test_an_older_schema_is_to_be_migrated(as_owner):
    head = session_value("select version_num from alembic_version")
    with changed(
        "update alembic_version set version_num = '0009'",
        f"update alembic_version set version_num = '{head}'",
    ):
        assert wrong(*database.tables()) == [f"migrations: the schema is 0009, not {head}"]


def test_an_administrator_with_a_password_that_everybody_tries_is_found(as_owner):
    hashed = hash_password("changeme")
    session_value("update users set password = %(hashed)s returning id", hashed=hashed)

    [finding] = [one for one in database.tables() if one.status is Status.FAILURE]

    assert finding.check == "administrators"


def test_failed_work_and_files_left_over_are_told(as_owner, job):
    session_value("update jobs set state = 4 returning id")
    session_value(
        "insert into loose_blobs (tenant_id, place, since)"
        " values (1, 'documents/x', now() - interval '1 day') returning place"
    )

    assert [one.split(": ")[1][:2] for one in wrong(*database.tables())] == ["1 ", "1 "]


def test_a_broker_that_may_drop_messages_is_a_failure(db):
    client = messages.connection()
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert wrong(*broker.memory()) == ["broker memory: maxmemory-policy is allkeys-lru"]
    finally:
        client.config_set("maxmemory-policy", "noeviction")


def test_queues_without_worker_and_a_clock_that_stands_still_are_found(db):
    found = wrong(*broker.workers(), *broker.beat())

    assert len(found) == len(messages.QUEUES) + 1
    assert found[-1] == "beat: the sweep has never run"


def test_a_sweep_that_runs_is_seen(db):
    with workers(pipeline="", inference="", ingest=""):
        until(lambda: wrong(*broker.beat()) == [])
    assert messages.swept_s_ago() < settings.sweep_every_s + broker.LATE_S
