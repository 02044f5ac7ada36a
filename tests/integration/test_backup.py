"""A backup is tested by restoring it: one moment, whole, while everything goes on."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from pgvector.psycopg import register_vector
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from local.archive import MANIFEST, reading
from local.backup import back_up
from local.errors import LocalError
from local.layout import Layout
from local.postgres import DATABASE
from local.postgres_home import data_folder
from local.restore import restore_database, restore_deployment, running
from models.collection import find_collection
from models.referred import referred_places
from models.restored import row_counts
from models.search import vector_candidates
from models.session import session_scope
from models.tenant import Caller
from settings import inherited_environment, settings
from tests.conftest import CLUSTER, LAYOUT
from tests.integration.door import ask, send
from tests.integration.processes import session_value, until
from tests.integration.shelf import made_collection, move, put_document, vector
from tests.integration.uploading import files, upload

PATH = "/collections/embed-security/documents"
OWN_URLS = {"DATABASE_URL": CLUSTER.url, "DATABASE_ADMIN_URL": CLUSTER.admin_url}
OTHER_URLS = {
    "DATABASE_URL": CLUSTER.url.replace(f"/{DATABASE}?", "/other?"),
    "DATABASE_ADMIN_URL": CLUSTER.admin_url.replace(f"/{DATABASE}?", "/other?"),
}
LOST = "documents/a.txt"  # the shelf has no files
# Of every table the rows that nothing changes any more, as one hash.
HASH = "select md5(string_agg(r::text, ',' order by r::text)) from {table} r where {which}"


def redten(*arguments: object, **told: str) -> subprocess.CompletedProcess[str]:
    """One of the operator's commands."""
    environment = inherited_environment()
    for name in ("DATABASE_URL", "REDTEN_BLOBS", "TOKEN_ALGO_PRIVATE_KEY", "TOKEN_ALGO_PUBLIC_KEY"):
        environment.pop(name)
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment | told, timeout=120
    )


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine where nothing is set: the deployment is that of a data directory."""
    unset = dict.fromkeys(["database_url", "database_admin_url", "blobs"])
    for module in ("deployment", "file_store", "pg_programs", "restore"):
        monkeypatch.setattr(f"local.{module}.settings", settings.model_copy(update=unset))
    mask = os.umask(0o077)
    yield
    os.umask(mask)


@pytest.fixture
def empty_database(services: None) -> Iterator[None]:
    with CLUSTER.connect("postgres") as connection:
        connection.execute(b"drop database if exists other")
        connection.execute(b"create database other")
    yield
    with CLUSTER.connect("postgres") as connection:
        connection.execute(b"drop database other with (force)")


@contextmanager
def connected(url: str, role: str | None = None) -> Iterator[Engine]:
    """The restored database, as the owner of the tables or in that role."""
    options = {"options": f"-c role={role}"} if role else {}
    engine = create_engine(url, connect_args=options)
    event.listen(engine, "connect", lambda connection, _: register_vector(connection))
    try:
        yield engine
    finally:
        engine.dispose()


def filled(http: FlaskClient, owner: dict[str, str], admin: Caller) -> int:
    """Rows in every kind of table; gives a collection with a partition of its own."""
    for number in range(8):
        http.post(f"{PATH}?name={number}.txt", data=b"lamp %d" % number, headers=owner)
    upload(http, owner)
    http.post("/embed/files?name=a.txt", data=b"oil", headers=owner)
    send(http, "POST", "/collections", {"name": "diary", "visibility": "private"}, owner)
    shelf = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, shelf, "a.txt", ["lamps burn oil", "bread needs flour"])
    move(shelf)
    return shelf


@contextmanager
def coming_and_going(http: FlaskClient, who: dict[str, str]) -> Iterator[None]:
    """Documents and questions come, and documents go, until the block ends."""
    enough = threading.Event()

    def go_on() -> None:
        number = 100
        while not enough.wait(0.05):
            number += 1
            content = b"keeper %d" % number
            sent = http.post(f"{PATH}?name={number}.txt", data=content, headers=who)
            ask(http, who, f"question {number}")
            if number % 2:
                http.delete(f"{PATH}/{sent.json['id']}", headers=who)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        until(lambda: session_value("select count(*) > 5 from jobs"))
        yield
    finally:
        enough.set()
        thread.join()


def hashes(engine: Engine) -> dict[str, str]:
    """Of tables of which this test changes nothing that was there."""
    stable = dict.fromkeys(["users", "memberships", "collections", "users_data", "chunks"], "true")
    stable["documents"] = "id <= 8"
    with Session(engine) as session:
        return {
            table: str(session.scalar(text(HASH.format(table=table, which=which))))
            for table, which in stable.items()
        }


def test_what_is_restored_is_one_moment_of_what_went_on(
    http, owner, admin, tmp_path, empty_database
):
    shelf = filled(http, owner, admin)
    target, blobs = tmp_path / "backup.tar", tmp_path / "blobs"
    with connected(CLUSTER.admin_url) as engine:
        before = hashes(engine)
    with coming_and_going(http, owner):
        ended = redten("backup", target, REDTEN_BLOBS=str(LAYOUT.blobs), **OWN_URLS)
    assert ended.returncode == 0, ended.stderr
    assert f"was gone before: {LOST}" in ended.stderr
    with reading(target) as archive:
        told = archive.manifest()
    ended = redten("restore", target, REDTEN_BLOBS=str(blobs), **OTHER_URLS)
    assert ended.returncode == 0, ended.stderr

    with connected(OTHER_URLS["DATABASE_ADMIN_URL"]) as engine, Session(engine) as session:
        assert row_counts(session) == told["rows"] | {"epochs": 1}
        assert hashes(engine) == before
        assert session.scalar(text("select count(*) from documents where state = 2")) == 0
        for place in set(referred_places(session)) - {LOST}:
            there = blobs / place
            assert there.is_dir() if place.endswith("/") else there.is_file(), place
        contents = "select blob, content_sha256 from documents where blob like 'documents/1/%'"
        for blob, sha256 in session.execute(text(contents)):
            assert hashlib.sha256((blobs / blob).read_bytes()).hexdigest() == sha256
    _walls_hold(shelf, admin)


def _walls_hold(shelf: int, admin: Caller) -> None:
    """The plain role finds what is its tenant's, by the index of a partition, and nothing else."""
    with connected(OTHER_URLS["DATABASE_URL"], "redten_app") as engine, Session(engine) as session:
        assert session.scalar(text("select count(*) from jobs")) == 0
        session.execute(text("select set_config('app.tenant_id', '1', true)"))
        [hit] = vector_candidates(session, {shelf: vector("lamps burn oil")}, 1)
        assert hit.text == "lamps burn oil"
        assert find_collection(session, admin, "diary").visibility == "private"
        own = f"select relispartition from pg_class where relname = 'chunks_{shelf}_v1'"
        assert session.scalar(text(own))
        session.execute(text("select set_config('app.tenant_id', '2', true)"))
        assert session.scalar(text("select count(*) from users_data")) == 0
        with pytest.raises(Exception, match="permission denied"):
            session.execute(text("select count(*) from chunks_small"))


def test_a_data_directory_is_made_anew_with_its_keys_and_work_goes_on(
    http, owner, admin, embedded, tmp_path
):
    filled(http, owner, admin)
    session_value(
        "update documents set state = 2, step = 'load_document', attempt = 3,"
        " lease_until = now() where id = 1 returning 1"
    )
    source, new = tmp_path / "backup", tmp_path / "new"
    back_up(LAYOUT.root, source)
    restore_deployment(source, new)
    layout = Layout(new)
    try:
        assert layout.private_key.read_bytes() == LAYOUT.private_key.read_bytes()
        assert layout.ca.read_bytes() == LAYOUT.ca.read_bytes()
        for path in new.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        kept = {one.relative_to(new) for one in layout.blobs.rglob("*") if one.is_file()}
        assert kept == {one.relative_to(LAYOUT.root) for one in files()}
        with running(layout) as server, server.connect(DATABASE) as connection:
            moved = b"select state, step, attempt, losses from documents where id = 1"
            assert connection.execute(moved).fetchall() == [(1, "load_document", 4, 0)]
            epoch = b"select value from epochs where name = 'broker'"
            assert connection.execute(epoch).fetchall() == [("restored",)]
        with pytest.raises(LocalError, match="is not empty"):
            restore_deployment(source, new)
    finally:
        # As root the cluster lies elsewhere.
        shutil.rmtree(data_folder(layout).parent, ignore_errors=True)


def test_a_backup_that_broke_off_or_was_damaged_is_recognised(http, owner, embedded, tmp_path):
    http.post(f"{PATH}?name=a.txt", data=b"lamp", headers=owner)
    whole, new = tmp_path / "whole", tmp_path / "new"
    back_up(LAYOUT.root, whole)
    with pytest.raises(LocalError, match="is there already"):
        back_up(LAYOUT.root, whole)

    damaged = shutil.copytree(whole, tmp_path / "damaged")
    [blob] = [path for path in (damaged / "blobs").rglob("*") if path.is_file()]
    blob.write_bytes(b"lump")
    with pytest.raises(LocalError, match="is damaged"):
        restore_deployment(damaged, new)

    (whole / MANIFEST).unlink()
    with pytest.raises(LocalError, match="is no whole backup"):
        restore_deployment(whole, new)
    (tmp_path / "cut.tar").write_bytes(b"lamp" * 500)
    with pytest.raises(LocalError, match="is no backup"):
        restore_deployment(tmp_path / "cut.tar", new)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.tar", "damaged", "whole"]


def test_a_restore_that_fails_leaves_nothing(http, owner, embedded, tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise LocalError("no room")

    back_up(LAYOUT.root, tmp_path / "backup.tar")
    monkeypatch.setattr("local.restore.running", broken)
    with pytest.raises(LocalError, match="no room"):
        restore_deployment(tmp_path / "backup.tar", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["backup.tar"]


def test_a_backup_that_fails_leaves_nothing_and_lets_files_go_again(
    http, owner, embedded, tmp_path, monkeypatch
):
    def broken(*_: object) -> None:
        raise LocalError("the disk is full")

    document = http.post(f"{PATH}?name=a.txt", data=b"lamp", headers=owner).json["id"]
    monkeypatch.setattr("local.backup.copy_blobs", broken)
    for name in ("backup", "backup.tar"):
        with pytest.raises(LocalError, match="the disk is full"):
            back_up(LAYOUT.root, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert http.delete(f"{PATH}/{document}", headers=owner).status_code == 200
    assert files() == []


def test_only_an_empty_database_is_restored_into(http, embedded, tmp_path, monkeypatch):
    back_up(LAYOUT.root, tmp_path / "backup")
    own = {"database_admin_url": SecretStr(CLUSTER.admin_url), "blobs": str(tmp_path / "blobs")}
    monkeypatch.setattr("local.restore.settings", settings.model_copy(update=own))
    with pytest.raises(LocalError, match="has tables already"):
        restore_database(tmp_path / "backup", None)
    assert not (tmp_path / "blobs").exists()


def test_pg_dump_has_to_be_of_the_servers_version(http, embedded, tmp_path, monkeypatch):
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.1'\n")
    old.chmod(0o700)
    told = settings.model_copy(update={"pg_bin": tmp_path})
    monkeypatch.setattr("local.pg_programs.settings", told)
    with pytest.raises(LocalError, match=r"is of 12.*REDTEN_PG_BIN"):
        back_up(LAYOUT.root, tmp_path / "backup")
    assert list(tmp_path.iterdir()) == [old]
