"""Files by key: in a local folder, or in S3 through boto3."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from models.errors import RedtenError
from settings import settings


class Blobs(Protocol):
    """A flat store of files; keys use `/`. A key that is not there raises KeyError."""

    def put(self, key: str, path: Path) -> None:
        """Stores a copy of the file, whole or not at all."""

    def get(self, key: str, path: Path) -> None:
        """Fetches the file into `path`."""

    def remove(self, prefix: str) -> None:
        """Removes the file `prefix` and everything below it; harmless to repeat."""


class FolderBlobs:
    """Below a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, path: Path) -> None:
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as half_made:
            try:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, half_made)
                Path(half_made.name).replace(target)
            except OSError:
                Path(half_made.name).unlink(missing_ok=True)
                raise

    def get(self, key: str, path: Path) -> None:
        try:
            shutil.copyfile(self.root / key, path)
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def remove(self, prefix: str) -> None:
        target = self.root / prefix
        with suppress(FileNotFoundError, NotADirectoryError):
            shutil.rmtree(target) if target.is_dir() else target.unlink()


class S3Blobs:
    """Below a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        import boto3

        self.bucket, self.prefix = bucket, prefix
        self.client: Any = boto3.client("s3", endpoint_url=settings.s3_endpoint)

    def put(self, key: str, path: Path) -> None:
        self.client.upload_file(str(path), self.bucket, self.prefix + key)

    def get(self, key: str, path: Path) -> None:
        try:
            self.client.download_file(self.bucket, self.prefix + key, str(path))
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                raise KeyError(key) from error
            raise

    def remove(self, prefix: str) -> None:
        key = self.prefix + prefix
        self.client.delete_object(Bucket=self.bucket, Key=key)
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{key}/"
        )
        for page in pages:
            for found in page.get("Contents", []):
                self.client.delete_object(Bucket=self.bucket, Key=found["Key"])


@lru_cache(maxsize=1)
def get_blobs() -> Blobs:
    """The deployment's store. Raises RedtenError `no_blobs` if REDTEN_BLOBS is not set."""
    if not settings.blobs:
        raise RedtenError("no_blobs", "REDTEN_BLOBS is not set: start with `redten up`")
    if settings.blobs.startswith("s3://"):
        bucket, _, prefix = settings.blobs.removeprefix("s3://").partition("/")
        return S3Blobs(bucket, prefix.rstrip("/") + "/" if prefix.strip("/") else "")
    return FolderBlobs(Path(settings.blobs))


def new_document_key(collection_id: int) -> str:
    """Where the content of a new document is to lie; no other upload has the same place."""
    return f"documents/{collection_id}/{uuid.uuid4().hex}"


def work_key(tenant_id: int, document_id: int) -> str:
    """Where the steps of a document leave each other their work; a folder an attempt below it."""
    return f"work/{tenant_id}-{document_id}"


@contextmanager
def fetched(key: str) -> Iterator[Path]:
    """A local copy of a file, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="redten-") as folder:
        path = Path(folder) / "file"
        get_blobs().get(key, path)
        yield path
