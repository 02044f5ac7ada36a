"""The schema is what the migrations make, up and down."""

import pytest
from alembic import command

from local.postgres import DATABASE
from models.migrate import alembic_config, upgrade
from tests.conftest import CLUSTER
from tests.integration.processes import session_value


@pytest.fixture
def other_database(services: None) -> str:
    """The admin URL of an empty database beside the tests' own."""
    with CLUSTER.connect("postgres") as connection:
        connection.execute(b"drop database if exists other")
        connection.execute(b"create database other")
    return CLUSTER.admin_url.replace(f"/{DATABASE}?", "/other?")


def test_schema_can_be_taken_down_and_built_again(other_database):
    upgrade(other_database)
    command.downgrade(alembic_config(other_database), "base")

    upgrade(other_database)

    with CLUSTER.connect("other") as connection:
        assert connection.execute(b"select name from tenants").fetchall() == [("default",)]


def test_records_say_what_the_migrations_make(services):
    command.check(alembic_config(CLUSTER.admin_url))  # raises if autogenerate finds a difference


def test_application_connects_as_a_role_that_no_wall_lets_through(services):
    from models.session import engine

    with engine().connect() as connection:
        role = connection.exec_driver_sql("select current_user").scalar()
    flags = "select rolsuper or rolbypassrls or rolcreatedb or rolcreaterole from pg_roles"
    assert role == "redten_app"
    assert session_value(flags + " where rolname = 'redten_app'") is False
    assert session_value("select count(*) from pg_tables where tableowner = 'redten_app'") == 0
