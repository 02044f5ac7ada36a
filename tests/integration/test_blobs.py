"""Files by key, in a folder and in S3."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from settings import settings
from tasks import blobs


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3", "s3 with a prefix"])
def store(request, tmp_path, monkeypatch) -> Iterator[blobs.Blobs]:
    where = str(tmp_path / "blobs")
    if request.param != "folder":
        endpoint = request.getfixturevalue("s3")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="files")
        where = "s3://files" + ("/some/where" if "prefix" in request.param else "")
        monkeypatch.setattr(
            blobs, "settings", settings.model_copy(update={"blobs": where, "s3_endpoint": endpoint})
        )
    else:
        monkeypatch.setattr(blobs, "settings", settings.model_copy(update={"blobs": where}))
    blobs.get_blobs.cache_clear()
    yield blobs.get_blobs()
    blobs.get_blobs.cache_clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def test_what_was_put_is_fetched(store, file):
    store.put("a/b/c", file)
    with blobs.fetched("a/b/c") as path:
        assert path.read_bytes() == b"content"
    assert not path.exists()


def test_what_is_not_there_is_a_key_error(store):
    with pytest.raises(KeyError), blobs.fetched("no/such"):
        pass


def test_removal_takes_everything_below_and_nothing_beside(store, file):
    for key in ("a/1/x", "a/1/y", "a/10/x"):
        store.put(key, file)
    store.remove("a/1")
    store.remove("a/1")
    for key in ("a/1/x", "a/1/y"):
        with pytest.raises(KeyError), blobs.fetched(key):
            pass
    with blobs.fetched("a/10/x") as path:
        assert path.exists()


def test_a_file_can_be_removed_alone(store, file):
    store.put("a/b", file)
    store.remove("a/b")
    with pytest.raises(KeyError), blobs.fetched("a/b"):
        pass
