"""Transactions, and connections that go away."""

import pytest
from sqlalchemy import text

from models.errors import RedtenError
from models.session import engine, session_scope
from models.user import User
from tests.integration.processes import session_value


def ended() -> int:
    """Ends every connection of the application, as a restart of Postgres does."""
    return int(
        session_value(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'redten'"
        )
    )


def test_a_connection_that_postgres_has_closed_is_replaced_unseen(db):
    with session_scope() as session:
        session.execute(text("select 1"))
    assert ended() > 0
    for _ in range(3):
        with session_scope() as session:
            assert session.query(User).count() == 1


def test_an_exception_undoes_what_was_done(db):
    def change() -> None:
        with session_scope() as session:
            session.query(User).update({"email": "changed@example.org"})
            raise RedtenError("code", "why")

    with pytest.raises(RedtenError):
        change()
    assert session_value("select email from users") == "admin@redten.local"


def test_work_that_may_be_repeated_does_not_wait_for_the_disk(db):
    for durable, expected in ((True, "on"), (False, "off")):
        with session_scope(1, durable=durable) as session:
            assert session.scalar(text("show synchronous_commit")) == expected
    with engine().connect() as connection:
        assert connection.scalar(text("show synchronous_commit")) == "on"


def test_a_statement_may_not_go_on_for_ever_unless_it_is_said_to_be_long(db):
    for long, statements in ((False, "30s"), (True, "0")):
        with session_scope(1, long=long) as session:
            assert session.scalar(text("show statement_timeout")) == statements
            assert session.scalar(text("show lock_timeout")) == "30s"
    with engine().connect() as connection:
        assert connection.scalar(text("show statement_timeout")) == "0"
        assert connection.scalar(text("show idle_in_transaction_session_timeout")) == "5min"


def test_a_statement_that_takes_too_long_is_a_database_away(db, http, monkeypatch):
    def slow(session, _):
        session.execute(text("set local statement_timeout = 20"))
        session.execute(text("select pg_sleep(60)"))

    monkeypatch.setattr("api.quotas.usage", slow)
    account = {"email": "member@example.org", "password": "a secret"}
    token = http.post("/user", json=account).json["token"]

    refused = http.get("/quota", headers={"Bearer": token})

    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert "pg_sleep" not in refused.text
    with session_scope() as session:
        assert session.query(User).count() == 2
