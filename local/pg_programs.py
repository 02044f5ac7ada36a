"""pg_dump and pg_restore: which ones can do it, and how they are told where."""

import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from local.errors import LocalError
from local.postgres_home import INSTALL, site_packages
from models.session import driver_url
from settings import inherited_environment, settings


def program(name: str, least: int) -> Path:
    """One of at least that major version, which its server has.

    REDTEN_PG_BIN names the folder of the only one that is asked for; without it, the embedded
    Postgres has one, and PATH may have another. Raises LocalError if none will do.
    """
    found = {path: _major(path) for path in _candidates(name)}
    for path, version in found.items():
        if version >= least:
            return path
    seen = ", ".join(f"{path} is of {version}" for path, version in found.items()) or "none found"
    raise LocalError(
        f"the database is of Postgres {least}, and takes a {name} that is no older ({seen}):"
        " set REDTEN_PG_BIN to the folder of one"
    )


def _candidates(name: str) -> list[Path]:
    if settings.pg_bin is not None:
        return [settings.pg_bin / name]
    found = []
    # The embedded build knows no TLS, so for a database of somebody's own it comes last.
    if settings.database_url is not None and (path := shutil.which(name)):
        found.append(Path(path))
    with suppress(LocalError):
        found.append(site_packages() / INSTALL / "bin" / name)
    return [path for path in found if path.exists()]


def _major(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\) (\d+)", said)
    return int(number[1]) if number else 0


def run(program: Path, url: str, *arguments: str) -> None:
    """Runs it on the database of the URL. Raises LocalError with what it complains of."""
    where, environment = _told(url)
    # A password on the command line could be read by everybody.
    command = [str(program), f"--dbname={where}", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if ended.returncode != 0:
        raise LocalError(f"{program.name} failed: {ended.stderr.strip()[-2000:]}")


def _told(url: str) -> tuple[str, dict[str, str]]:
    _, options = PGDialect_psycopg().create_connect_args(make_url(driver_url(url)))
    named: dict[str, Any] = dict(options)
    environment = inherited_environment() | {"LC_ALL": "C"}
    if password := named.pop("password", None):
        environment["PGPASSWORD"] = str(password)
    return make_conninfo(**named), environment
