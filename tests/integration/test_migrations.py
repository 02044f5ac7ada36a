"""The schema is what the migrations make, up and down."""

import re
import threading

import pytest
from alembic import command
from sqlalchemy import Engine, event

from local.postgres import DATABASE
from models.migrate import alembic_config, upgrade
from tests.conftest import CLUSTER
from tests.integration.processes import session_value, until


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


OLD = """
insert into users (email, password, state, default_tenant_id) values ('a@example.org', 'x', 0, 1);
insert into collections (tenant_id, owner_id, name, visibility, embed_model_name)
    values (1, 1, 'c', 'private', 'm');
insert into documents (tenant_id, collection_id, name, content_sha256, size_in_bytes, blob, state,
                       attempt, losses, chunks)
    values (1, 1, 'reports/ACME_2021.pdf', '0', 1, 'b', 3, 1, 0, 1);
insert into chunks (tenant_id, collection_id, document_id, position, page, text, embedding)
    values (1, 1, 1, 0, 7, 'The lamp burns oil.', '[0, 1]');
"""


def test_documents_of_an_older_version_are_found_by_all_signals_and_survive_the_way_back(
    other_database,
):
    config = alembic_config(other_database)
    command.upgrade(config, "0004")
    with CLUSTER.connect("other") as connection:
        connection.execute(OLD.encode())

    upgrade(other_database)

    found = """
        select lexemes @@ to_tsquery('english', 'lamps & acme & 2021'), locator->>'page',
               naming @@ 'acme:A & 2021:A & oil:D', embedding::text
        from chunks join documents on documents.id = document_id
    """
    with CLUSTER.connect("other") as connection:
        assert connection.execute(found.encode()).fetchall() == [(True, "7", True, "[0,1]")]
        assert connection.execute(b"select build_partition(1)").fetchone() == (1,)

    command.downgrade(config, "0004")

    with CLUSTER.connect("other") as connection:
        kept = connection.execute(b"select id, page, text, embedding::text from chunks")
        assert kept.fetchall() == [(1, 7, "The lamp burns oil.", "[0,1]")]


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


NOT_ADDITIVE = re.compile(
    r"drop (column|table|view)|rename |alter column .* (type|set not null)|set default"
    r"|drop function(?! if exists)",
    re.IGNORECASE,
)


def test_migrations_only_add_so_that_code_already_running_goes_on(other_database):
    """Renaming and dropping is for a later version, when no older code runs any more."""
    config, said = alembic_config(other_database), []
    command.upgrade(config, "0009")

    def listen(_connection, _cursor, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        upgrade(other_database)
    finally:
        event.remove(Engine, "before_cursor_execute", listen)

    assert any("create trigger work_moves" in statement for statement in said)
    outside = [re.sub(r"\$\$.*?\$\$", "", one, flags=re.DOTALL) for one in said]
    assert [one for one in outside if NOT_ADDITIVE.search(one)] == []


def test_a_migration_lets_readers_pass_while_a_long_transaction_keeps_it_waiting(other_database):
    config = alembic_config(other_database)
    command.upgrade(config, "0013")
    migrating = threading.Thread(target=upgrade, args=(other_database,))
    connect = CLUSTER.connect
    with connect("other") as long, connect("other") as reader, long.transaction():
        long.execute(b"select from jobs")
        migrating.start()
        until(lambda: reader.execute(WAITING_FOR_JOBS).fetchone() == (1,))
        # Behind one that waits for ever it would wait for ever too.
        reader.execute(b"set lock_timeout = '20s'")
        reader.execute(b"select from jobs")
    migrating.join(60)
    with CLUSTER.connect("other") as connection:
        assert connection.execute(b"select resent from jobs").fetchall() == []


WAITING_FOR_JOBS = b"""
select count(*) from pg_locks where relation = 'jobs'::regclass and not granted
  and database = (select oid from pg_database where datname = 'other')
"""
