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
