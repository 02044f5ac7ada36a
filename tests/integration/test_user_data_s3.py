"""Uploaded files in S3: where they may lie, and what happens when it fails."""

from collections.abc import Iterator

import pytest

from settings import settings
from tasks import blobs, s3_blobs
from tests.integration.door import sign_up
from tests.integration.s3_server import CREDENTIALS, S3Server, s3_server
from tests.integration.uploading import files, search, upload


@pytest.fixture(scope="module")
def s3_process() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_process: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server with two buckets, of which the settings allow one prefix."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    told = {"s3_endpoint": s3_process.endpoint, "upload_locations": ("s3://theirs/drop",)}
    for module in ("tasks.s3_blobs", "tasks.uploads", "tasks.blobs"):
        monkeypatch.setattr(f"{module}.settings", settings.model_copy(update=told))
    for bucket in ("theirs", "ours"):
        s3_process.make(bucket)
    s3_blobs._client.cache_clear()
    yield s3_process
    s3_blobs._client.cache_clear()
    blobs.get_blobs.cache_clear()


@pytest.fixture
def kept_in_s3(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A deployment whose store is in S3."""
    for module in ("tasks.uploads", "tasks.blobs"):
        told = {"blobs": "s3://ours/redten", "upload_locations": ()}
        monkeypatch.setattr(f"{module}.settings", s3_blobs.settings.model_copy(update=told))
    blobs.get_blobs.cache_clear()
    return s3


def test_a_file_lies_where_it_was_asked_for(http, headers, s3):
    sloc = "s3://theirs/drop/1/2030/tower.txt"

    reply = upload(http, headers, sloc=sloc)

    assert (reply.status_code, reply.json["sloc"]) == (200, sloc)
    assert s3.keys("theirs") == ["drop/1/2030/tower.txt"]
    assert files() == []


@pytest.mark.parametrize(
    "sloc",
    [
        "s3://ours/drop/1/a",
        "s3://theirs/1/a",
        "s3://theirs/drop/2/a",
        "s3://theirs/drop/1",
        "s3://theirs/drop/1/",
        "s3://theirs/drop/1/../2/a",
        "s3://theirs/drop/1/./a",
        "s3://theirs/drop/1//a",
        "s3://theirs/dropped/1/a",
        "/etc/passwd",
        "s3://theirs/drop/1/" + "\xc3\xa4" * 600,
    ],
)
def test_a_place_outside_of_the_tenants_locations_is_refused(http, headers, s3, sloc):
    reply = upload(http, headers, sloc=sloc)

    assert (reply.status_code, reply.json["code"]) == (403, "location_not_allowed")
    assert s3.keys("theirs") + s3.keys("ours") == []


def test_without_allowed_locations_nobody_chooses_one(http, headers):
    reply = upload(http, headers, sloc="s3://theirs/drop/1/a")

    assert (reply.status_code, reply.json["code"]) == (403, "location_not_allowed")


def test_no_file_takes_the_place_of_another(http, headers, s3):
    sloc = "s3://theirs/drop/1/a"
    first = upload(http, headers, sloc=sloc).json

    for who in (headers, sign_up(http, "stranger@example.org")):
        reply = upload(http, who, b"other", sloc=sloc)
        assert (reply.status_code, reply.json["code"]) == (409, "location_taken")

    link = http.get(f"/user/data/{first['data_id']}", headers=headers).headers["Location"]
    assert link.startswith(f"{s3.endpoint}/theirs/drop/1/a?")
    http.delete(f"/user/data/{first['data_id']}", headers=headers)
    assert s3.keys("theirs") == []


def test_s3_enable_keeps_a_file_in_s3_beside_a_store_in_a_folder(http, headers, s3):
    reply = upload(http, headers, s3_enable="1")

    assert reply.json["sloc"].startswith("s3://theirs/drop/1/")
    assert files() == []


def test_a_deployment_in_s3_keeps_and_gives_files_there(http, headers, kept_in_s3):
    data = upload(http, headers).json

    assert data["sloc"].startswith("s3://ours/redten/data/1/")
    assert kept_in_s3.keys("ours") == [data["sloc"].removeprefix("s3://ours/")]
    reply = http.get(f"/user/data/{data['data_id']}", headers=headers)
    assert reply.status_code == 302
    assert "X-Amz-Signature=" in reply.headers["Location"]


def test_a_store_that_fails_is_an_error_and_leaves_no_row(http, headers, kept_in_s3):
    kept_in_s3.client().delete_bucket(Bucket="ours")

    reply = upload(http, headers)

    assert (reply.status_code, reply.json["code"]) == (503, "unavailable")
    assert search(http, headers)["data"] == []
