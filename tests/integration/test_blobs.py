"""Files by key, in a folder and in S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from models.errors import RedtenError
from settings import settings
from tasks import blobs, s3_blobs
from tests.integration.s3_server import CREDENTIALS, S3Server, s3_server

PART = b"a part of it " * 500_000  # more than S3 needs for a part of its own
WHOLE = {"one part": [b"con", b"tent"], "two parts": [PART, b"the rest"], "parts alone": [PART] * 2}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(autouse=True)
def fresh_clients() -> Iterator[None]:
    """No store or client of an earlier test is used again."""
    blobs.get_blobs.cache_clear()
    s3_blobs._client.cache_clear()
    yield
    blobs.get_blobs.cache_clear()
    s3_blobs._client.cache_clear()


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on the server that the settings name."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        s3_blobs,
        "settings",
        settings.model_copy(update={"s3_endpoint": s3.endpoint, "s3_encryption": "AES256"}),
    )
    s3.make("files")
    return "files"


@pytest.fixture(params=["folder", "s3", "s3 with a prefix"])
def store(request, tmp_path, monkeypatch) -> blobs.Blobs:
    where = str(tmp_path / "blobs")
    if request.param != "folder":
        request.getfixturevalue("bucket")
        where = "s3://files" + ("/some/where" if "prefix" in request.param else "")
    monkeypatch.setattr(blobs, "settings", settings.model_copy(update={"blobs": where}))
    return blobs.get_blobs()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def content(store: blobs.Blobs, key: str) -> bytes:
    with store.open(key) as file:
        return file.read()


def test_what_was_put_is_fetched(store, file):
    store.put("a/b/c", file)
    with blobs.fetched("a/b/c") as path:
        assert path.read_bytes() == b"content"
    assert not path.exists()


def test_what_is_not_there_is_a_key_error(store):
    with pytest.raises(KeyError), blobs.fetched("no/such"):
        pass
    with pytest.raises(KeyError):
        store.open("no/such")


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
    for remove in (store.remove, store.remove_one):
        store.put("a/b", file)
        remove("a/b")
        remove("a/b")
        with pytest.raises(KeyError), blobs.fetched("a/b"):
            pass


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE)
def test_a_stream_is_stored_whole(store, pieces):
    store.put_stream("a/b", iter(pieces))

    assert content(store, "a/b") == b"".join(pieces)


@pytest.mark.parametrize("before", [[b"some"], [PART, PART]], ids=["early", "after a part"])
def test_a_stream_that_breaks_off_leaves_nothing(request, store, tmp_path, before):
    def breaking():
        yield from before
        raise RedtenError("broken_off", "the client has gone")

    with pytest.raises(RedtenError, match="the client has gone"):
        store.put_stream("a/b", breaking())

    if "folder" in request.node.name:
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    else:
        s3 = request.getfixturevalue("s3")
        assert (s3.keys("files"), s3.unfinished("files")) == ([], [])


def test_a_file_is_copied_within_a_store_and_into_it(store, tmp_path, file):
    beside = blobs.FolderBlobs(tmp_path / "beside")
    beside.put("x", file)

    store.copy_from(beside, "x", "a")
    store.copy_from(store, "a", "b")
    beside.copy_from(store, "b", "y")
    store.remove_one("a")

    assert content(store, "b") == content(beside, "y") == b"content"
    with pytest.raises(KeyError):
        store.copy_from(store, "a", "c")


def test_a_link_gives_the_file_to_who_has_it_under_its_own_name(store, file):
    store.put("a/b", file)

    link = store.url("a/b", 'ein "böser"\r\nName.txt', 60)

    if link is not None:
        reply = requests.get(link, timeout=10)
        assert reply.content == b"content"
        assert reply.headers["Content-Disposition"] == (
            "attachment; filename*=UTF-8''ein%20%22b%C3%B6ser%22%0D%0AName.txt"
        )
    assert (link is None) == isinstance(store, blobs.FolderBlobs)


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE)
def test_a_chosen_place_in_s3_is_never_taken_from_another_file(s3, bucket, pieces):
    chosen = s3_blobs.S3Blobs(bucket, "", overwrite=False)
    chosen.put_stream("mine", [b"first"])

    with pytest.raises(RedtenError) as refused:
        chosen.put_stream("mine", pieces)

    assert refused.value.code == "location_taken"
    assert content(chosen, "mine") == b"first"
    assert s3.unfinished(bucket) == []


def test_streams_are_encrypted_and_of_the_class_that_is_set(s3, bucket, monkeypatch):
    told = s3_blobs.settings.model_copy(update={"s3_storage_class": "STANDARD_IA"})
    monkeypatch.setattr(s3_blobs, "settings", told)
    store = s3_blobs.S3Blobs(bucket, "")
    for key, pieces in (("small", [b"x"]), ("large", [PART, PART])):
        store.put_stream(key, pieces)
        head = s3.client().head_object(Bucket=bucket, Key=key)
        assert (head["ServerSideEncryption"], head["StorageClass"]) == ("AES256", "STANDARD_IA")


def test_a_store_that_fails_says_so_and_not_that_there_is_no_such_file(bucket, file, tmp_path):
    away = s3_blobs.S3Blobs("no-such-bucket", "")
    for attempt in (
        lambda: away.put("a", file),
        lambda: away.put_stream("a", [b"x"]),
        lambda: away.put_stream("a", [PART, PART]),
        lambda: away.remove_one("a"),
        lambda: blobs.FolderBlobs(file).put_stream("below/a/file", [b"x"]),
    ):
        with pytest.raises(blobs.BlobsAway):
            attempt()


def test_the_files_of_a_folder_are_listed_and_half_made_ones_are_not(store, file):
    for key in ("a/1/x", "a/2/y", "ab/z"):
        store.put(key, file)
    assert sorted(store.keys("a")) == ["a/1/x", "a/2/y"]
    assert list(store.keys("none")) == []


def test_uploads_to_s3_that_nobody_goes_on_with_are_aborted(s3, bucket):
    client, store = s3.client(), s3_blobs.S3Blobs(bucket, "some/")
    for key in ("some/documents/1/a", "others/documents/1/a"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    # This server says of each that it was begun in 2010.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_blobs, "FORGOTTEN_AFTER_S", 50 * 365 * 86_400)
        store.remove_half_made(0)
    assert len(s3.unfinished(bucket)) == 2, "they are not old enough"
    store.remove_half_made(0)
    assert s3.unfinished(bucket) == ["others/documents/1/a"]


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE)
def test_at_a_chosen_place_only_what_was_put_there_is_removed(s3, bucket, pieces):
    chosen = s3_blobs.S3Blobs(bucket, "", overwrite=False)
    s3.client().put_object(Bucket=bucket, Key="theirs", Body=b"of somebody else")
    chosen.put_stream("ours", pieces)
    for key in ("theirs", "ours", "none"):
        chosen.remove_one(key)
    assert s3.keys(bucket) == ["theirs"]
