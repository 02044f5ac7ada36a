"""Objects in an S3 bucket."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ingest.sources.item import Item, Sink, SourceError

BLOCK_BYTES = 1 << 20
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard"})


class Bucket:
    """The objects of a bucket below `prefix`, or the one that is called so."""

    def __init__(self, bucket: str, prefix: str, endpoint: str | None) -> None:
        self.bucket, self.prefix = bucket, prefix
        with _told(bucket):
            # Of its own session: the default one may not be used by two threads at once.
            self.client: Any = Session().client("s3", endpoint_url=endpoint, config=CONFIG)

    def items(self, known: Mapping[str, str]) -> Iterator[Item]:
        """Hidden ones are left out, as in a folder, and so are the marks of empty folders."""
        with _told(self.bucket):
            for found in self._found():
                key = found["Key"]
                name = key.removeprefix(self.prefix).lstrip("/") or key.rpartition("/")[2]
                hidden = any(part.startswith(".") for part in name.split("/"))
                if not key.endswith("/") and not hidden:
                    yield Item(name, key, f"{found['ETag']}-{found['Size']}")

    def _found(self) -> Iterator[dict[str, Any]]:
        listed = self.client.get_paginator("list_objects_v2")
        if self.prefix:
            # The first key that begins so; it is the object itself if there is one.
            first = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
            yield from (one for one in first.get("Contents", []) if one["Key"] == self.prefix)
        below = f"{self.prefix}/" if self.prefix else ""
        for page in listed.paginate(Bucket=self.bucket, Prefix=below):
            yield from page.get("Contents", [])

    def read(self, item: Item, known: str, sink: Sink) -> str | None:
        with _told(item.name):
            found = self.client.get_object(Bucket=self.bucket, Key=item.place)
            with closing(found["Body"]) as body:
                for piece in body.iter_chunks(BLOCK_BYTES):
                    sink.write(piece)
            return f"{found['ETag']}-{found['ContentLength']}"


@contextmanager
def _told(what: str) -> Iterator[None]:
    """S3's refusals as ours; the code is all that may be told of them."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise SourceError("unreadable_source", f"{what}: S3 answers {code}") from error
    except BotoCoreError as error:
        said = f"{what}: S3 cannot be asked ({type(error).__name__})"
        raise SourceError("unreadable_source", said) from error
