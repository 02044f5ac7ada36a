"""Files by key: in a local folder, or in S3."""

import errno
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from models.errors import RedtenError
from models.removal import Removed
from settings import settings


class BlobsAway(Exception):
    """The store does not answer, or does not take or give what it should; passing, maybe."""


class Blobs(Protocol):
    """A flat store of files; keys use `/`. A key that is not there raises KeyError."""

    def put(self, key: str, path: Path) -> None:
        """Stores a copy of the file, whole or not at all."""

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        """Stores the pieces as they come, whole or not at all; what they raise ends it."""

    def copy_from(self, source: "Blobs", name: str, key: str) -> None:
        """Stores a copy of the file `name` of another store, or of this one."""

    def get(self, key: str, path: Path) -> None:
        """Fetches the file into `path`."""

    def open(self, key: str) -> BinaryIO:
        """The file for reading, which the caller closes."""

    def url(self, key: str, filename: str, expires_s: int) -> str | None:
        """Where anybody downloads the file for so long, under that name; None: by `open` only."""

    def location(self, key: str) -> str:
        """What people are told of where the file lies."""

    def remove_one(self, key: str) -> None:
        """Removes that file; harmless to repeat."""

    def remove(self, prefix: str) -> None:
        """Removes the file `prefix` and everything below it; harmless to repeat."""


class FolderBlobs:
    """Below a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, path: Path) -> None:
        with self._half_made(key) as file, path.open("rb") as source:
            shutil.copyfileobj(source, file)

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        with self._half_made(key) as file:
            file.writelines(pieces)

    def copy_from(self, source: Blobs, name: str, key: str) -> None:
        with self._half_made(key) as file, source.open(name) as found:
            shutil.copyfileobj(found, file)

    def get(self, key: str, path: Path) -> None:
        try:
            shutil.copyfile(self.root / key, path)
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def open(self, key: str) -> BinaryIO:
        try:
            return (self.root / key).open("rb")
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def url(self, key: str, filename: str, expires_s: int) -> None:
        return None

    def location(self, key: str) -> str:
        return key

    def remove_one(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)

    def remove(self, prefix: str) -> None:
        target = self.root / prefix
        try:
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            # What comes meanwhile is removed by who has put it there.
            if error.errno != errno.ENOTEMPTY:
                raise

    @contextmanager
    def _half_made(self, key: str) -> Iterator[IO[bytes]]:
        """A file that takes its place when the block ends well, and is gone otherwise."""
        target = self.root / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (
                ExitStack() as undo,
                tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file,
            ):
                undo.callback(Path(file.name).unlink)
                yield file
                file.flush()
                Path(file.name).replace(target)
                undo.pop_all()
        except OSError as error:
            raise BlobsAway(f"{target} cannot be written: {error}") from error


@lru_cache(maxsize=1)
def get_blobs() -> Blobs:
    """The deployment's store. Raises RedtenError `no_blobs` if REDTEN_BLOBS is not set."""
    if not settings.blobs:
        raise RedtenError("no_blobs", "REDTEN_BLOBS is not set: start with `redten up`")
    if settings.blobs.startswith("s3://"):
        # Who keeps files in a folder need not wait for boto3.
        from tasks.s3_blobs import S3Blobs

        bucket, _, prefix = settings.blobs.removeprefix("s3://").partition("/")
        return S3Blobs(bucket, prefix.rstrip("/") + "/" if prefix.strip("/") else "")
    return FolderBlobs(Path(settings.blobs))


def _documents_key(collection_id: int) -> str:
    return f"documents/{collection_id}"


def new_document_key(collection_id: int) -> str:
    """Where the content of a new document is to lie; no other upload has the same place."""
    return f"{_documents_key(collection_id)}/{uuid.uuid4().hex}"


def work_key(tenant_id: int, document_id: int) -> str:
    """Where the steps of a document leave each other their work; a folder an attempt below it."""
    return f"work/{tenant_id}-{document_id}"


def remove_collection_blobs(removed: Removed) -> None:
    """Removes what a collection that is gone had in the store."""
    get_blobs().remove(_documents_key(removed.collection_id))
    for document_id in removed.unfinished:
        get_blobs().remove(work_key(removed.tenant_id, document_id))


@contextmanager
def fetched(key: str) -> Iterator[Path]:
    """A local copy of a file, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="redten-") as folder:
        path = Path(folder) / "file"
        get_blobs().get(key, path)
        yield path
