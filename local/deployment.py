"""Which database a command of the operator's is about, and the way into it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import create_engine, pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from local.credentials import password
from local.errors import LocalError
from local.layout import Layout
from local.postgres import Postgres
from local.postgres_home import choose
from models.session import driver_url
from settings import settings

Isolation = Literal["AUTOCOMMIT", "READ COMMITTED", "REPEATABLE READ"]
SECRETS = ("postgres-superuser", "postgres-login")


def owner_url(data_dir: Path) -> str:
    """The owner of the tables: as the environment names it, else that of a running `redten up`.

    Raises LocalError if neither is there.
    """
    named = settings.database_admin_url or settings.database_url
    if named is not None:
        return named.get_secret_value()
    layout = Layout(data_dir)
    if not all((layout.secrets / name).exists() for name in SECRETS):
        raise LocalError(f"there is no redten in {data_dir}: run `redten up`, or set DATABASE_URL")
    postgres = Postgres(choose(layout), *(password(layout, name) for name in SECRETS))
    if not postgres.answers():
        raise LocalError(f"redten does not run on {data_dir}: start it with `redten up`")
    return postgres.admin_url


def as_owner(data_dir: Path) -> AbstractContextManager[Session]:
    """As `connected`, to the deployment of that data directory or of the environment."""
    return connected(owner_url(data_dir))


@contextmanager
def connected(url: str, isolation: Isolation = "READ COMMITTED") -> Iterator[Session]:
    """One transaction as the owner of the tables, committed at the end. Raises LocalError."""
    engine = create_engine(
        driver_url(url),
        poolclass=pool.NullPool,
        connect_args={"connect_timeout": 5},
        isolation_level=isolation,
    )
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except DBAPIError as exc:
        raise LocalError(
            f"the database cannot be used: {' '.join(str(exc.orig).split())}; it takes the owner of"
            " the tables (DATABASE_ADMIN_URL), brought up to date by `redten migrate`"
        ) from exc
    finally:
        engine.dispose()
