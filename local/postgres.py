"""The embedded Postgres: one cluster, a superuser for migrations, a plain role for the rest."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from local.credentials import password
from local.errors import LocalError
from local.layout import Layout, write_private
from local.postgres_home import Home, choose

SUPERUSER, LOGIN, PLAIN_ROLE, DATABASE = "postgres", "redten", "redten_app", "redten"
PORT = 5432  # in the name of the socket; said everywhere, or PGPORT would be asked
SHARED_BUFFERS_MB = 256

CONFIG = """\
listen_addresses = ''
unix_socket_directories = '"{sockets}"'
unix_socket_permissions = 0700
shared_buffers = {shared_buffers}MB
max_connections = 100
cluster_name = 'redten'
logging_collector = off
log_destination = 'stderr'
"""
INCLUDE = "\ninclude 'redten.conf'  # rewritten on every start; your own lines go below\n"


@dataclass(frozen=True)
class Postgres:
    """A cluster on disk; `url` and `admin_url` lead to it once it runs."""

    home: Home
    superuser_password: str
    login_password: str

    @property
    def url(self) -> str:
        return self._url(LOGIN, self.login_password)

    @property
    def admin_url(self) -> str:
        return self._url(SUPERUSER, self.superuser_password)

    def _url(self, role: str, secret: str) -> str:
        host = quote(str(self.home.sockets), safe="")
        return f"postgresql+psycopg://{role}:{secret}@:{PORT}/{DATABASE}?host={host}"

    def answers(self) -> bool:
        """Whether it takes connections: its recovery after a crash, if any, is over.

        Raises LocalError if it does, but not with the password that this data directory has.
        """
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError as exc:
            if "password authentication failed" in str(exc):
                raise LocalError(f"{self.home.data} was made with another password") from exc
            return False
        return True

    def connect(self, database: str) -> psycopg.Connection:
        """A connection as superuser, each statement its own transaction."""
        return psycopg.connect(
            host=str(self.home.sockets),
            port=PORT,
            user=SUPERUSER,
            password=self.superuser_password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def make_roles_and_database(self) -> None:
        """What migrations expect to find; harmless to repeat."""
        with self.connect("postgres") as connection:
            if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", PLAIN_ROLE):
                connection.execute(
                    sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(PLAIN_ROLE))
                )
            if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", LOGIN):
                connection.execute(_create_login(self.login_password))
            if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _exists(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None


def _create_login(secret: str) -> sql.Composed:
    return sql.SQL(
        "CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
        " IN ROLE {} PASSWORD {}"
    ).format(sql.Identifier(LOGIN), sql.Identifier(PLAIN_ROLE), sql.Literal(secret))


def prepare(layout: Layout) -> Postgres:
    """Makes the cluster if there is none and writes its configuration."""
    superuser = password(layout, "postgres-superuser")
    home = choose(layout)
    if not home.data.exists():
        _initialise(home, superuser)
    write_private(home.data / "redten.conf", _config(home).encode(), home.owner)
    _forget_last_run(home)
    return Postgres(home, superuser, password(layout, "postgres-login"))


def _initialise(home: Home, superuser_password: str) -> None:
    """Runs initdb beside the final place, so that a failure leaves nothing half made."""
    half_made = home.data.with_name("postgres.new")
    shutil.rmtree(half_made, ignore_errors=True)
    with _password_file(home, superuser_password) as secret:
        ended = home.run("initdb", "-D", str(half_made), *_initdb_options(secret))
    if ended.returncode != 0:
        shutil.rmtree(half_made, ignore_errors=True)
        raise LocalError(f"Postgres could not make its data directory: {ended.stderr.strip()}")
    config = half_made / "postgresql.conf"
    write_private(config, (config.read_text() + INCLUDE).encode(), home.owner)
    half_made.rename(home.data)


def _initdb_options(password_file: Path) -> tuple[str, ...]:
    return (
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # The built-in provider sorts alike whatever the operating system and its version.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--data-checksums",
    )


@contextmanager
def _password_file(home: Home, secret: str) -> Iterator[Path]:
    """initdb takes a password from a file only, and its account has to read it."""
    with tempfile.NamedTemporaryFile("w", dir=home.data.parent) as file:
        file.write(f"{secret}\n")
        file.flush()
        if home.owner is not None:
            os.fchown(file.fileno(), *home.owner)
        yield Path(file.name)


def _config(home: Home) -> str:
    quarter = psutil.virtual_memory().total // 2**20 // 4
    return CONFIG.format(
        sockets=str(home.sockets).replace("'", "''").replace('"', '""'),
        shared_buffers=min(SHARED_BUFFERS_MB, quarter),
    )


def _forget_last_run(home: Home) -> None:
    """Removes the lock files of a run that is over.

    A process that has since got the same number would keep Postgres from starting.
    """
    for lock in (home.data / "postmaster.pid", home.sockets / ".s.PGSQL.5432.lock"):
        lock.unlink(missing_ok=True)
