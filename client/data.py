"""Files that a user keeps on the server: sent, searched, described, fetched, made documents of."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypedDict, Unpack

from pydantic import AliasChoices, BaseModel, Field

from client.account import Account
from client.collection_records import Document
from client.errors import ClientError
from client.paths import documents_of
from client.records import CONFIG, read
from client.upload import UPLOAD_S, UploadBody


class UserData(BaseModel):
    """A file on the server; `sloc` says where it lies."""

    model_config = CONFIG

    id: int = Field(validation_alias=AliasChoices("data_id", "id"))
    filename: str
    size_in_bytes: int
    content_sha256: str | None = None
    data_type: str | None = None
    comments: str | None = None
    encoding: str | None = None
    sloc: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Described(TypedDict, total=False):
    """What a user says of a file, in words of their own."""

    data_type: str
    comments: str
    encoding: str


class Changes(Described, total=False):
    """What can be changed of a file."""

    filename: str


class Wanted(Changes, total=False):
    """Conditions that all hold: texts that are contained, and sizes."""

    data_id: int
    sloc: str
    above_bytes: int
    below_bytes: int


@dataclass(frozen=True, slots=True)
class Data:
    """What can be done about them."""

    account: Account

    def put(
        self,
        path: Path,
        filename: str | None = None,
        *,
        sloc: str | None = None,
        on_bytes: Callable[[int], None] | None = None,
        **described: Unpack[Described],
    ) -> UserData:
        """Send a file, to be kept at `sloc` (s3://bucket/key) if the server allows it.

        `on_bytes` is told how many bytes have gone so far. OSError if the file cannot be read.
        """
        told = {"filename": filename or path.name, **described} | ({"sloc": sloc} if sloc else {})
        # Hyphens, since many a proxy drops names with underscores. Bytes, since a str goes out as
        # Latin-1, which does not hold every name.
        headers = {
            name.replace("_", "-"): _one_line(str(value)).encode() for name, value in told.items()
        }
        with path.open("rb") as file:
            body = UploadBody(file, path.stat().st_size, on_bytes)
            sent = self.account.call(
                "POST", "/user/data", data=body, headers=headers, answer_s=UPLOAD_S
            )
        return read(UserData, sent)

    def search(self, **wanted: Unpack[Wanted]) -> list[UserData]:
        """One's own files, newest first, the first hundred."""
        found = self.account.call("POST", "/user/data/search", json=wanted)
        return [read(UserData, one) for one in found.get("data") or []]

    def find(self, data_id: int) -> UserData:
        """What is known of a file; ClientError `data_not_found` if it is not there or not one's."""
        found = self.search(data_id=data_id)
        if not found:
            raise _not_found(data_id)
        return found[0]

    def get(self, data_id: int, file: BinaryIO) -> UserData:
        """Writes the bytes to `file`; ClientError `damaged` if others come than were sent."""
        known = self.find(data_id)
        sha256 = hashlib.sha256()
        for piece in self.account.pieces(f"/user/data/{data_id}"):
            sha256.update(piece)
            file.write(piece)
        if known.content_sha256 not in (None, sha256.hexdigest()):
            raise ClientError(f"data {data_id} did not come as it was sent", code="damaged")
        return known

    def edit(self, data_id: int, **changes: Unpack[Changes]) -> UserData:
        """Describe a file anew; what is left out stays."""
        changed = self.account.call("PUT", "/user/data", json={"data_id": data_id, **changes})
        if changed.get("msg") == "no update data found":
            raise _not_found(data_id)
        return read(UserData, changed.get("data"))

    def remove(self, data_id: int) -> None:
        """Take a file off the server; documents that were made of it stay."""
        self.account.call("DELETE", f"/user/data/{data_id}")

    def ingest(self, data_id: int, collection: str, name: str | None = None) -> Document:
        """Make a document of a file, without sending it again; called as the file if not named."""
        params = {"data_id": data_id} | ({"name": name} if name else {})
        made = self.account.call("POST", documents_of(collection), params=params)
        return read(Document, made)


def _one_line(text: str) -> str:
    """As a header can hold it; half characters, as a broken file name gives them, become `?`."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown.strip().encode(errors="replace").decode()


def _not_found(data_id: int) -> ClientError:
    return ClientError(f"you have no data {data_id} on the server", code="data_not_found")
