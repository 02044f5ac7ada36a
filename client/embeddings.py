"""Vectors of texts, and of files of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel

from client.account import Account
from client.errors import ClientError
from client.patience import patiently, pauses
from client.records import CONFIG, OVER, State, read
from client.upload import UPLOAD_S, UploadBody


class Vectors(BaseModel):
    """A vector for each text; `tokens` is how many were read."""

    model_config = CONFIG

    model: str
    dimensions: int
    vectors: list[list[float]]
    tokens: int


class EmbeddingFile(BaseModel):
    """A file of texts on the server, and how far it is: (done, total) texts."""

    model_config = CONFIG

    id: int
    name: str
    state: State
    model: str | None = None
    kind: str | None = None
    progress: tuple[int, int] = (0, 0)
    code: str | None = None
    msg: str | None = None

    @property
    def over(self) -> bool:
        """Done or failed: nothing will change any more."""
        return self.state in OVER


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What can be embedded; `kind` is `document`, or `query` for texts that are to find them."""

    account: Account

    def embed(
        self, texts: Sequence[str], model: str | None = None, kind: str = "document"
    ) -> Vectors:
        """The vectors of at most 2,048 texts, at once."""
        body = {"texts": list(texts), "model": model, "kind": kind}
        return read(Vectors, self.account.call("POST", "/embed", json=body))

    def send(
        self,
        path: Path,
        column: str | None = None,
        model: str | None = None,
        kind: str = "document",
    ) -> EmbeddingFile:
        """A file of texts: CSV, TSV, JSON lines, Parquet, or a text a line, told by its name.

        `column` holds the texts, by default `text` or the only one. OSError if it cannot be read.
        """
        told = {"name": path.name, "column": column, "model": model, "kind": kind}
        params = {name: value for name, value in told.items() if value is not None}
        with path.open("rb") as file:
            body = UploadBody(file, path.stat().st_size, None)
            sent = self.account.call(
                "POST", "/embed/files", params=params, data=body, answer_s=UPLOAD_S
            )
        return read(EmbeddingFile, sent)

    def file(self, file_id: int) -> EmbeddingFile:
        """How far it is."""
        return read(EmbeddingFile, self.account.call("GET", f"/embed/files/{file_id}"))

    def finished(
        self, file_id: int, on_progress: Callable[[EmbeddingFile], None] | None = None
    ) -> EmbeddingFile:
        """Waited for; `on_progress` sees every look. ClientError with its reason if it fails."""
        for pause in pauses():
            seen = patiently(lambda: self.file(file_id))
            if on_progress:
                on_progress(seen)
            if seen.state == State.FAILED:
                reason = seen.msg or "the server gives no reason"
                raise ClientError(f"{seen.name}: {reason}", code=seen.code or "embedding_failed")
            if seen.over:
                return seen
            time.sleep(pause)
        raise AssertionError("pauses() never ends")

    def vectors(self, file_id: int, file: BinaryIO) -> None:
        """Writes the Parquet file with columns `row`, `text` and `vector` to `file`."""
        for piece in self.account.pieces(f"/embed/files/{file_id}/vectors"):
            file.write(piece)

    def remove(self, file_id: int) -> None:
        """Take the file and its vectors off the server."""
        self.account.call("DELETE", f"/embed/files/{file_id}")
