"""A backup becomes a deployment again: a new data directory, or a database and its file store."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from tqdm import tqdm

from local import pg_programs, postgres
from local.archive import Archive, reading
from local.backup import BLOBS, DUMP, SECRETS, blob_name
from local.deployment import connected
from local.errors import LocalError
from local.file_store import FileStore
from local.layout import Layout, write_private
from local.logs import end_of
from local.migration import migrate
from local.postgres import Postgres
from local.postgres_home import data_folder
from local.terminal import tell
from local.waiting import Patience
from models.migrate import alembic_config
from models.restored import begin_again, is_empty, major_version, make_role, move_store
from settings import settings

START_LIMIT_S = 60.0


def restore_deployment(backup: Path, data_dir: Path) -> None:
    """Makes a data directory, ready for `redten up`, of a backup.

    Raises LocalError if the directory has anything in it; a restore that fails leaves nothing.
    """
    _require_new(data_dir)
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    with reading(backup) as archive, ExitStack() as undo:
        told = _checked(archive)
        half_made = Path(tempfile.mkdtemp(dir=data_dir.parent, prefix=f".{data_dir.name}."))
        undo.callback(shutil.rmtree, half_made, ignore_errors=True)
        layout = Layout(half_made)
        layout.make()
        _put_secrets(archive, told, layout)
        # As root the cluster lies elsewhere.
        undo.callback(shutil.rmtree, data_folder(layout).parent, ignore_errors=True)
        with running(layout) as server:
            server.make_roles_and_database()
            _restore_database(archive, told, server.admin_url, FileStore.of(layout))
        _put_blobs(archive, told, FileStore.of(layout))
        shutil.rmtree(layout.sockets, ignore_errors=True)
        half_made.replace(data_dir)
        undo.pop_all()


def restore_database(backup: Path, data_dir: Path | None) -> None:
    """Fills the empty database of the environment, and REDTEN_BLOBS with its files.

    A data directory, if one is named, gets certificates and keys. Raises LocalError; a database
    that could not be filled is empty again.
    """
    named = settings.database_admin_url or settings.database_url
    if named is None or settings.blobs is None:
        raise LocalError("DATABASE_URL and REDTEN_BLOBS have to name where the backup is to go")
    store = FileStore.of(Layout(settings.data_dir))
    with reading(backup) as archive:
        told, url = _checked(archive), named.get_secret_value()
        _require_empty(url, told)
        if data_dir is not None:
            _require_new(data_dir)
            layout = Layout(data_dir)
            layout.make()
            _put_secrets(archive, told, layout)
        # Files without rows harm nobody, rows without files do.
        _put_blobs(archive, told, store)
        _restore_database(archive, told, url, store)


def _require_new(data_dir: Path) -> None:
    if data_dir.exists() and not (data_dir.is_dir() and not any(data_dir.iterdir())):
        raise LocalError(f"{data_dir} is not empty: restore into a new data directory")


def _checked(archive: Archive) -> dict[str, Any]:
    """The manifest, after all that it names was found whole: what follows can rely on it."""
    told = archive.manifest()
    scripts = ScriptDirectory.from_config(alembic_config("postgresql://"))
    if told["schema"] not in {script.revision for script in scripts.walk_revisions()}:
        raise LocalError(
            f"the backup is of schema {told['schema']}, made by redten {told['redten']}:"
            " restore it with that version or a newer one"
        )
    hashes = {blob_name(sha256): sha256 for _, sha256 in _listed(archive, told)}
    with _landing() as path:
        for name, sha256 in tqdm((told["files"] | hashes).items(), "checking", disable=None):
            archive.fetch(name, sha256, path)
    return told


@contextmanager
def _landing() -> Iterator[Path]:
    """A path for one file at a time."""
    with tempfile.TemporaryDirectory(prefix="redten-") as folder:
        yield Path(folder) / "file"


def _listed(archive: Archive, told: dict[str, Any]) -> list[tuple[str, str]]:
    """(place, SHA-256) of every file of the store."""
    with _landing() as path:
        archive.fetch(BLOBS, told["files"][BLOBS], path)
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return [(line["place"], line["sha256"]) for line in lines]


def _put_secrets(archive: Archive, told: dict[str, Any], layout: Layout) -> None:
    with _landing() as path:
        for name in told["files"]:
            if name.startswith(SECRETS):
                archive.fetch(name, told["files"][name], path)
                target = layout.root / name.removeprefix(SECRETS)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_private(target, path.read_bytes())


def _put_blobs(archive: Archive, told: dict[str, Any], store: FileStore) -> None:
    with _landing() as path:
        for place, sha256 in tqdm(_listed(archive, told), "files", disable=None):
            archive.fetch(blob_name(sha256), sha256, path)
            store.put(place, path)


def _restore_database(archive: Archive, told: dict[str, Any], url: str, store: FileStore) -> None:
    tell("restoring the database ...")
    _require_empty(url, told)
    with connected(url) as session:
        make_role(session)
    program = pg_programs.program("pg_restore", told["postgres"])
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-comments")
    with _landing() as path:
        archive.fetch(DUMP, told["files"][DUMP], path)
        pg_programs.run(program, url, *options, str(path))
    migrate(url, None)
    with connected(url) as session:
        begin_again(session)
        if told["store"] and told["store"] != store.location:
            move_store(session, told["store"])


def _require_empty(url: str, told: dict[str, Any]) -> None:
    with connected(url) as session:
        empty, version = is_empty(session), major_version(session)
    if not empty:
        raise LocalError("the database has tables already: restore into an empty one")
    if version < told["postgres"]:
        raise LocalError(f"the backup is of Postgres {told['postgres']}, and this is {version}")


@contextmanager
def running(layout: Layout) -> Iterator[Postgres]:
    """A new cluster of the data directory, serving as long as the block lasts."""
    server = postgres.prepare(layout)
    home, log = server.home, layout.logs / "postgres.log"
    account = home.account
    with log.open("ab") as file:
        process = subprocess.Popen(
            [str(home.binaries / "postgres"), "-D", str(home.data)],
            stderr=file,
            cwd="/",
            env={"LC_ALL": "C"},
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    try:
        Patience().until(server.answers, "starting postgres", START_LIMIT_S)
        yield server
    except TimeoutError as error:
        raise LocalError(f"{error}; {end_of(log)}") from error
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
