"""Files in S3 are backed up too, and come back where the restored deployment keeps its files."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from local.archive import writing
from local.backup import Backup, blob_name, copy_blobs
from local.file_store import FileStore
from models.restored import move_store
from settings import settings
from tasks import s3_blobs
from tasks.blobs import FolderBlobs, get_blobs
from tests.conftest import CLUSTER
from tests.integration.processes import session_value
from tests.integration.s3_server import CREDENTIALS, S3Server, s3_server
from tests.integration.uploading import CONTENT, upload

CHOSEN = "s3://theirs/drop/1/tower.txt"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A deployment whose store is in S3, and a location there that users may choose."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as server:
        told = {
            "s3_endpoint": server.endpoint,
            "blobs": "s3://ours/redten",
            "upload_locations": ("s3://theirs/drop",),
        }
        for module in ("tasks.s3_blobs", "tasks.uploads", "tasks.blobs"):
            monkeypatch.setattr(f"{module}.settings", settings.model_copy(update=told))
        for bucket in ("ours", "theirs"):
            server.make(bucket)
        s3_blobs._client.cache_clear()
        get_blobs.cache_clear()
        yield server
        s3_blobs._client.cache_clear()
        get_blobs.cache_clear()


def test_files_in_s3_come_back_into_a_folder_and_to_chosen_places(http, headers, s3, tmp_path):
    for sloc in ({}, {"sloc": CHOSEN}):
        assert upload(http, headers, **sloc).status_code == 200
    http.post("/embed/files?name=a.txt", data=b"oil", headers=headers)
    store, engine = FileStore(get_blobs()), create_engine(CLUSTER.admin_url)

    with writing(tmp_path / "backup") as (writer, staged), Session(engine) as session:
        backup = Backup(writer, staged, store)
        copy_blobs(session, backup)
    assert (len(backup.blobs), backup.missing) == (2, []), "one content is kept once"

    client = s3.client()
    client.delete_object(Bucket="theirs", Key="drop/1/tower.txt")
    restored = FileStore(FolderBlobs(tmp_path / "blobs"))
    lines = map(json.loads, (tmp_path / "backup" / "blobs.jsonl").read_text().splitlines())
    kept = {line["place"]: line["sha256"] for line in lines}
    for place, sha256 in kept.items():
        restored.put(place, tmp_path / "backup" / blob_name(sha256))
    with Session(engine) as session, session.begin():
        move_store(session, store.location)
    engine.dispose()

    [data] = [place for place in kept if place.startswith("data/")]
    assert session_value("select sloc from users_data where sloc like 'data/%'") == data
    assert (tmp_path / "blobs" / data).read_bytes() == CONTENT
    assert [place for place in kept if place.startswith("embeddings/")]
    assert s3.keys("theirs") == ["drop/1/tower.txt"]


def test_what_lies_at_a_chosen_place_by_now_stays(db, s3, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    s3.client().put_object(Bucket="theirs", Key="drop/1/tower.txt", Body=b"newer")

    FileStore(FolderBlobs(tmp_path / "blobs")).put(CHOSEN, file)

    found = s3.client().get_object(Bucket="theirs", Key="drop/1/tower.txt")
    assert found["Body"].read() == b"newer"
