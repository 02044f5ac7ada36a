"""A file store without room: uploads are told so and leave nothing, steps wait for room."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import RedtenError
from settings import settings
from tasks import blobs
from tasks.blobs import BlobsFull, FolderBlobs, get_blobs, put_patiently
from tasks.load import load_document
from tests.integration.processes import session_value

PATH = "/collections/embed-security/documents?name=a.txt"
LARGE = b"lamp " * 500_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "redten", str(tmp_path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this process may not mount a file system")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "settings", settings.model_copy(update={"blobs_wait_s": 0.0}))
    monkeypatch.setattr(blobs, "TRY_AGAIN_S", 0.01)


@pytest.fixture
def on_disk(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The deployment's store is on that disk."""
    told = settings.model_copy(update={"blobs": str(disk), "blobs_wait_s": 0.0})
    monkeypatch.setattr(blobs, "settings", told)
    get_blobs.cache_clear()
    yield disk
    get_blobs.cache_clear()


def files(disk: Path) -> list[Path]:
    return [path for path in disk.rglob("*") if path.is_file()]


@pytest.mark.parametrize("path", [PATH, "/user/data", "/embed/files?name=a.txt"])
def test_an_upload_that_does_not_fit_is_told_so_and_leaves_nothing(http, owner, on_disk, path):
    reply = http.post(path, data=LARGE, headers=owner | {"filename": "a.txt"})

    assert (reply.status_code, reply.json["code"]) == (507, "no_space")
    assert "file store is full" in reply.json["message"]
    assert files(on_disk) == []
    for table in ("documents", "users_data", "embeddings"):
        assert session_value(f"select count(*) from {table}") == 0
    assert http.post(path, data=b"lamp", headers=owner | {"filename": "a.txt"}).status_code < 300


def test_a_step_that_finds_no_room_fails_with_the_reason_and_costs_no_loss(http, owner, on_disk):
    document = http.post(PATH, data=LARGE[:600_000], headers=owner).json["id"]
    with pytest.raises(RedtenError) as refused:
        load_document(1, document, 1)

    assert refused.value.code == "no_space"
    assert session_value("select losses from documents") == 0
    assert [path.relative_to(on_disk).parts[0] for path in files(on_disk)] == ["documents"]


def test_a_step_waits_for_room(db, monkeypatch, tmp_path):
    monkeypatch.setattr(blobs, "TRY_AGAIN_S", 0.01)
    file, tried, put = tmp_path / "file", [], FolderBlobs.put
    file.write_bytes(b"lamp")

    def filling(store: FolderBlobs, key: str, path: Path) -> None:
        tried.append(key)
        if len(tried) < 3:
            raise BlobsFull("no room")
        put(store, key, path)

    monkeypatch.setattr(FolderBlobs, "put", filling)
    put_patiently("work/1-1/1/pages", file)

    assert len(tried) == 3
    assert list(get_blobs().keys("work")) == ["work/1-1/1/pages"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_and_a_quota_that_are_full_are_told_apart_from_a_store_that_is_away(
    db, impatient, monkeypatch, tmp_path, number
):
    def full(*_: object) -> None:
        raise OSError(number, "no room")

    file = tmp_path / "file"
    file.write_bytes(b"lamp")
    monkeypatch.setattr(blobs.shutil, "copyfileobj", full)
    with pytest.raises(RedtenError, match="the file store is full"):
        put_patiently("documents/1/a", file)
    monkeypatch.setattr(blobs.shutil, "copyfileobj", lambda *_: (_ for _ in ()).throw(OSError(5)))
    with pytest.raises(blobs.BlobsAway):
        put_patiently("documents/1/a", file)
