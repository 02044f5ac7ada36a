"""Files by key: in a local folder, or in S3."""

import errno
import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from models.errors import RedtenError
from models.referred import documents_folder
from settings import settings

log = logging.getLogger(__name__)

# Folders of ours: documents' content, users' files, embedding files, what steps leave each other.
ROOMS = ("documents", "data", "embeddings", "work")
INCOMING = ".incoming"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
TRY_AGAIN_S = 1.0


class BlobsAway(Exception):
    """The store does not answer, or does not take or give what it should; passing, maybe."""


class BlobsFull(BlobsAway):
    """The store has no room left."""


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

    def keys(self, room: str) -> Iterator[str]:
        """Every whole file below that folder, in no order."""

    def remove_half_made(self, silent_s: float) -> None:
        """Removes what was never stored whole and has not grown for so long."""


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
        with _speaking_of(self.root / key):
            (self.root / key).unlink(missing_ok=True)

    def remove(self, prefix: str) -> None:
        target = self.root / prefix
        try:
            if target.is_dir():
                shutil.rmtree(target, onerror=_unless_gone)
            else:
                target.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise BlobsAway(f"{target} cannot be removed: {error}") from error

    def keys(self, room: str) -> Iterator[str]:
        for folder, _, names in os.walk(self.root / room):
            below = Path(folder).relative_to(self.root)
            yield from ((below / name).as_posix() for name in names)

    def remove_half_made(self, silent_s: float) -> None:
        for path in (self.root / INCOMING).glob("*"):
            with _speaking_of(path), suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > silent_s:
                    path.unlink()

    @contextmanager
    def _half_made(self, key: str) -> Iterator[IO[bytes]]:
        """A file that takes its place when the block ends well, and is gone otherwise."""
        target, incoming = self.root / key, self.root / INCOMING
        with _speaking_of(target), ExitStack() as undo:
            for folder in (incoming, target.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # All together, where those are found whose process was killed.
            with tempfile.NamedTemporaryFile(dir=incoming, delete=False) as file:
                undo.callback(Path(file.name).unlink, missing_ok=True)
                yield file
                file.flush()
                Path(file.name).replace(target)
                undo.pop_all()


def _unless_gone(_call: object, _path: str, raised: Any) -> None:
    """Others remove here too, and store what they remove themselves; the rest is still to go."""
    error = raised[1]
    if not isinstance(error, FileNotFoundError) and error.errno != errno.ENOTEMPTY:
        raise error


@contextmanager
def _speaking_of(path: Path) -> Iterator[None]:
    """What the file system raises, in the words of this house."""
    try:
        yield
    except OSError as error:
        kind = BlobsFull if error.errno in NO_ROOM else BlobsAway
        raise kind(f"{path}: {error.strerror}") from error


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


def new_document_key(collection_id: int) -> str:
    """Where the content of a new document is to lie; no other upload has the same place."""
    return f"{documents_folder(collection_id)}{uuid.uuid4().hex}"


def put_patiently(key: str, path: Path) -> None:
    """Stores a copy of the file, for a step: waits for a while if the store is full or away.

    Raises RedtenError `no_space` if it stays full, BlobsAway if it stays away.
    """
    deadline = time.monotonic() + settings.blobs_wait_s
    while True:
        try:
            return get_blobs().put(key, path)
        except BlobsAway as error:
            if time.monotonic() > deadline:
                if isinstance(error, BlobsFull):
                    raise no_space() from error
                raise
            log.warning("the file store does not take %s yet: %s", key, error)
        time.sleep(TRY_AGAIN_S)


def no_space() -> RedtenError:
    """The refusal of a file that there is no room for."""
    return RedtenError(
        "no_space", "the file store is full: try again once its operator has made room"
    )


@contextmanager
def fetched(key: str) -> Iterator[Path]:
    """A local copy of a file, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="redten-") as folder:
        path = Path(folder) / "file"
        get_blobs().get(key, path)
        yield path
