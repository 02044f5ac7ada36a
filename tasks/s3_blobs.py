"""Files by key in S3, through boto3."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from boto3.exceptions import Boto3Error
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from models.user_data import location_taken
from settings import settings
from tasks.blobs import ROOMS, Blobs, BlobsAway, BlobsFull

LEAST_PART_BYTES, MOST_PARTS = 6_000_000, 10_000
# Of uploads that were neither completed nor aborted; nobody sees them, and they are paid for.
FORGOTTEN_AFTER_S = 86_400
FULL = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage")
MARK = {"redten": "1"}
ABSENT = ("404", "NoSuchKey")
TAKEN = ("412", "PreconditionFailed", "409", "ConditionalRequestConflict")


class S3Blobs:
    """Below a prefix of a bucket.

    With `overwrite=False` a stream takes no other file's place, and `remove_one` takes away only
    what a stream of ours has put there.
    """

    def __init__(self, bucket: str, prefix: str, overwrite: bool = True) -> None:
        self.bucket, self.prefix = bucket, prefix
        self.client = _client(settings.s3_endpoint)
        self._unless_taken = {} if overwrite else {"IfNoneMatch": "*"}

    def put(self, key: str, path: Path) -> None:
        with self._speaking_of(key):
            to = (self.bucket, self.prefix + key)
            self.client.upload_file(str(path), *to, ExtraArgs=_encrypted())

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        """As a multipart upload, unless one part holds it all; keeps two parts in memory."""
        parts = _parts(pieces, max(LEAST_PART_BYTES, settings.max_upload_bytes // MOST_PARTS + 1))
        first, second = next(parts, b""), next(parts, None)
        with self._speaking_of(key):
            if second is None:
                wanted = {**self._object(key), **_marked(), **self._unless_taken}
                self.client.put_object(**wanted, Body=first)
            else:
                self._put_parts(self._object(key), chain((first, second), parts))

    def _put_parts(self, where: dict[str, str], parts: Iterable[bytes]) -> None:
        upload = self.client.create_multipart_upload(**where, **_marked())
        where = where | {"UploadId": upload["UploadId"]}
        with ExitStack() as undo:
            # What is not aborted is paid for, though nobody sees it.
            undo.callback(self.client.abort_multipart_upload, **where)
            done = [
                {
                    "PartNumber": number,
                    "ETag": self.client.upload_part(**where, PartNumber=number, Body=part)["ETag"],
                }
                for number, part in enumerate(parts, 1)
            ]
            self.client.complete_multipart_upload(
                **where, MultipartUpload={"Parts": done}, **self._unless_taken
            )
            undo.pop_all()

    def copy_from(self, source: Blobs, name: str, key: str) -> None:
        """Inside of S3 the bytes do not pass through this process."""
        if not isinstance(source, S3Blobs):
            with source.open(name) as file:
                self.put_stream(key, iter(lambda: file.read(LEAST_PART_BYTES), b""))
            return
        with self._speaking_of(key):
            to = (self.bucket, self.prefix + key)
            self.client.copy(source._object(name), *to, ExtraArgs=_kept())

    def get(self, key: str, path: Path) -> None:
        with self._speaking_of(key):
            self.client.download_file(self.bucket, self.prefix + key, str(path))

    def open(self, key: str) -> BinaryIO:
        with ExitStack() as undo, self._speaking_of(key):
            file = undo.enter_context(tempfile.TemporaryFile(prefix="redten-"))
            self.client.download_fileobj(self.bucket, self.prefix + key, file)
            undo.pop_all()
        file.seek(0)
        return cast(BinaryIO, file)

    def url(self, key: str, filename: str, expires_s: int) -> str:
        disposition = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        wanted = self._object(key) | {
            "ResponseContentDisposition": disposition,
            "ResponseContentType": "application/octet-stream",
        }
        # The signature holds for the host that it was made for.
        public = _client(settings.s3_public_endpoint or settings.s3_endpoint)
        return str(public.generate_presigned_url("get_object", wanted, ExpiresIn=expires_s))

    def location(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def remove_one(self, key: str) -> None:
        # Some stores say so if there is nothing to be removed.
        with suppress(KeyError), self._speaking_of(key):
            if not self._unless_taken or self._is_ours(key):
                self.client.delete_object(**self._object(key))

    def _is_ours(self, key: str) -> bool:
        try:
            with self._speaking_of(key):
                head = self.client.head_object(**self._object(key))
        except KeyError:
            return False
        return bool(head["Metadata"].items() >= MARK.items())

    def remove(self, prefix: str) -> None:
        self.remove_one(prefix)
        for key in self.keys(prefix):
            self.remove_one(key)

    def keys(self, room: str) -> Iterator[str]:
        with self._speaking_of(room):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix}{room}/"
            )
            for page in pages:
                for found in page.get("Contents", []):
                    yield found["Key"].removeprefix(self.prefix)

    def remove_half_made(self, silent_s: float) -> None:
        """Among the keys of ours: the bucket may hold others' uploads, which go on for days."""
        oldest = datetime.now(UTC) - timedelta(seconds=max(silent_s, FORGOTTEN_AFTER_S))
        for room in ROOMS:
            with self._speaking_of(room):
                pages = self.client.get_paginator("list_multipart_uploads").paginate(
                    Bucket=self.bucket, Prefix=f"{self.prefix}{room}/"
                )
                for upload in (one for page in pages for one in page.get("Uploads", [])):
                    if upload["Initiated"] < oldest:
                        where = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                        self.client.abort_multipart_upload(Bucket=self.bucket, **where)

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + key}

    @contextmanager
    def _speaking_of(self, key: str) -> Iterator[None]:
        """What boto3 raises, in the words of this house."""
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ABSENT:
                raise KeyError(key) from error
            if code in TAKEN and self._unless_taken:
                raise location_taken(self.location(key)) from error
            kind = BlobsFull if code in FULL else BlobsAway
            raise kind(f"{self.location(key)}: {error}") from error
        except (BotoCoreError, Boto3Error) as error:
            raise BlobsAway(f"{self.location(key)}: {error}") from error


@lru_cache(maxsize=4)
def _client(endpoint: str | None) -> Any:
    """A client, which threads may share; credentials and region are those of the environment."""
    # Of its own session, since the default one may not be used by two threads at once.
    config = Config(
        # Links are signed in the older way otherwise, which newer regions refuse.
        signature_version="s3v4",
        connect_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    return Session().client("s3", endpoint_url=endpoint, config=config)


def _parts(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in parts of at least `size` but for the last one, as S3 wants them."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= size:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _encrypted() -> dict[str, str]:
    # Servers other than Amazon's often have no keys for it, and refuse.
    chosen = settings.s3_encryption or ("none" if settings.s3_endpoint else "AES256")
    return {} if chosen == "none" else {"ServerSideEncryption": chosen}


def _marked() -> dict[str, Any]:
    return _kept() | {"Metadata": MARK}


def _kept() -> dict[str, str]:
    """Of files that stay; what the steps leave each other is of the standard class."""
    storage = {"StorageClass": settings.s3_storage_class} if settings.s3_storage_class else {}
    return _encrypted() | storage
