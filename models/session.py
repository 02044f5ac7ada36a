"""Transactions: one scope at the edge of a view or a step, as the plain role, for one tenant."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pgvector.psycopg import register_vector
from psycopg import Error as PsycopgError
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from models.errors import RedtenError
from settings import settings

APP_ROLE = "redten_app"
SCOPE = text(
    "select set_config('app.tenant_id', :tenant, true),"
    " set_config('synchronous_commit', :sync, true),"
    " set_config('statement_timeout', :statement_ms, true),"
    " set_config('lock_timeout', :lock_ms, true)"
)


def driver_url(url: str) -> str:
    """Any Postgres URL, with the driver that redten uses."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The process's pool. Every connection steps down to the plain role as it is made."""
    if settings.database_url is None:
        raise RedtenError("no_database", "DATABASE_URL is not set: start with `redten up`")
    idle_ms = int(settings.idle_transaction_s * 1000)
    options = f"-c role={APP_ROLE} -c idle_in_transaction_session_timeout={idle_ms}"
    made = create_engine(
        driver_url(settings.database_url.get_secret_value()),
        connect_args={"options": options, "connect_timeout": 5},
        # Errors quote the statement and go to the log; what people write does not belong there.
        hide_parameters=True,
        pool_size=10,
        max_overflow=10,
        pool_timeout=5,
    )
    event.listen(made, "connect", _prepare)
    return made


def _prepare(connection: Any, _record: object) -> None:
    """Raises RedtenError `unsafe_role` where something on the way has ignored the role."""
    [role] = connection.execute("select current_user").fetchone()
    if role != APP_ROLE:
        raise RedtenError(
            "unsafe_role", f"connected as {role}, not as {APP_ROLE}: no pooler between"
        )
    register_vector(connection)


@contextmanager
def session_scope(
    tenant_id: int | None = None,
    *,
    durable: bool = True,
    snapshot: bool = False,
    long: bool = False,
    waits_s: float | None = None,
) -> Iterator[Session]:
    """One transaction that sees the rows of `tenant_id`, and with None those of no tenant.

    With `durable=False` a crash of Postgres may forget its last moments; for what the sweep
    would repeat anyway. With `snapshot` everything is seen as of one moment. Statements that may
    take longer than REDTEN_STATEMENT_LIMIT_S need `long`; locks are waited for no longer even then,
    and with `waits_s` so many seconds.
    Commits at the end, rolls back on an exception.
    """
    limit_ms = str(int(settings.statement_limit_s * 1000))
    scope = {
        "tenant": "" if tenant_id is None else str(tenant_id),
        "sync": "on" if durable else "off",
        "statement_ms": "0" if long else limit_ms,
        "lock_ms": limit_ms if waits_s is None else str(int(waits_s * 1000)),
    }
    bind = engine().execution_options(isolation_level="REPEATABLE READ") if snapshot else engine()
    with Session(bind, expire_on_commit=False) as session:
        _enter(session, scope)
        yield session
        session.commit()


def is_lock_timeout(error: OperationalError) -> bool:
    """Whether somebody else has held a lock for too long."""
    return isinstance(error.orig, LockNotAvailable)


def is_tenant_gone(error: IntegrityError) -> bool:
    """Whether a row was to be written for a tenant that has just been removed."""
    violated = error.orig.diag.constraint_name if isinstance(error.orig, PsycopgError) else None
    return violated is not None and violated.endswith("_tenant_id")


def _enter(session: Session, scope: dict[str, str]) -> None:
    """Begins the transaction; over a connection that Postgres has closed, once more."""
    try:
        session.execute(SCOPE, scope)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        # The pool has thrown all its connections away; this saves a ping before each use.
        session.rollback()
        session.execute(SCOPE, scope)
