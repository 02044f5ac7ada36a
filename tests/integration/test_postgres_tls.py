"""A Postgres with TLS: `sslmode=verify-full` reaches everything that connects to it.

The embedded build has no OpenSSL, so this takes a server of the system's, where there is one. It
has no pgvector: only connections are tried.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local import ports, tls
from local.layout import Layout
from tests.conftest import PROJECT
from tests.integration.processes import program, until

FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
ACCOUNT = "postgres" if os.getuid() == 0 else None
pytestmark = pytest.mark.skipif(not FOUND, reason="no Postgres of the system's, built with OpenSSL")

# Roles and types as they would be, so that a connection of the application comes to its end.
PREPARED = """
create role redten_app nologin;
create type vector as enum ();
create type bit_vector as enum ();
create type halfvec as enum ();
create type sparsevec as enum ();
"""
# Each says its name once it is in.
CALLERS = """
import logging, tempfile
from contextlib import suppress
from pathlib import Path
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from local import pg_programs
from local.deployment import as_owner
from local.errors import LocalError
from models.migrate import alembic_config
from models.session import engine
from settings import settings

logging.disable()
ANY = text("select 1")
url = settings.database_url.get_secret_value()

with suppress(OperationalError), engine().connect() as connection:
    connection.execute(ANY)
    print("application")
with suppress(LocalError), as_owner(Path()) as session:
    session.execute(ANY)
    print("owner")
with suppress(OperationalError):
    command.ensure_version(alembic_config(url))
    print("migrations")
with tempfile.TemporaryDirectory() as folder, suppress(LocalError):
    pg_programs.run(pg_programs.program("pg_dump", 1), url, f"--file={folder}/dump")
    print("pg_dump")
"""
ALL = ["application", "owner", "migrations", "pg_dump"]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A place that the server's account may enter."""
    made = Path(tempfile.mkdtemp(prefix="redten-pg-tls-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def layout(folder: Path) -> Layout:
    made = Layout(folder / "authority")
    made.make()
    tls.prepare(made, "127.0.0.1")
    return made


@pytest.fixture(scope="module")
def port(folder: Path, layout: Layout) -> Iterator[int]:
    """A server of its own, which takes nobody without TLS."""
    data, port = folder / "data", ports.first_free(25432)
    data.mkdir(mode=0o700)
    _own(data)
    _run("initdb", "-D", str(data), "-U", "owner", "--auth=trust", "--no-sync")
    for path, name in ((layout.cert, "server.crt"), (layout.key, "server.key")):
        shutil.copyfile(path, data / name)
        (data / name).chmod(0o600)
        _own(data / name)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    told = (f"-cport={port}", "-cssl=on", "-cfsync=off", f"-cunix_socket_directories={data}")
    server = FOUND[-1], "-D", data, *told
    groups = [] if ACCOUNT else None
    with program(*server, user=ACCOUNT, group=ACCOUNT, extra_groups=groups, cwd="/") as process:
        until(lambda: _answers(port))
        with psycopg.connect(_url("127.0.0.1", port, layout.ca)) as connection:
            connection.execute(PREPARED.encode())
        yield port
        assert process.poll() is None


def _own(path: Path) -> None:
    if ACCOUNT:
        known = pwd.getpwnam(ACCOUNT)
        os.chown(path, known.pw_uid, known.pw_gid)


def _run(name: str, *arguments: str) -> None:
    command = [str(FOUND[-1].with_name(name)), *arguments]
    ended = subprocess.run(
        command, user=ACCOUNT, capture_output=True, text=True, check=False, cwd="/"
    )
    assert ended.returncode == 0, ended.stderr


def _answers(port: int) -> bool:
    try:
        psycopg.connect(f"host=127.0.0.1 port={port} user=owner dbname=postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _url(host: str, port: int, ca: Path) -> str:
    told = f"hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={ca}"
    return f"postgresql://owner@{host}:{port}/postgres?{told}"


def let_in(host: str, port: int, ca: Path) -> list[str]:
    """Who gets into the database by that name, believing that authority."""
    told = os.environ | {"DATABASE_URL": _url(host, port, ca)}
    told |= {"REDTEN_PG_BIN": str(FOUND[-1].parent)}
    command = [sys.executable, "-c", CALLERS]
    ended = subprocess.run(
        command, env=told, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_who_trusts_its_authority_gets_in_over_tls(layout, port):
    assert let_in("127.0.0.1", port, layout.ca) == ALL


def test_nobody_believes_another_authority(port, tmp_path):
    other = Layout(tmp_path)
    other.make()
    tls.prepare(other, "127.0.0.1")

    assert let_in("127.0.0.1", port, other.ca) == []


def test_nobody_takes_it_for_a_host_that_its_certificate_does_not_name(layout, port):
    assert let_in("postgres.example.org", port, layout.ca) == []
