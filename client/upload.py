"""A file on its way to the server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from client.paths import documents_of

BLOCK_BYTES = 65_536
UPLOAD_S = 300.0  # a silence that long after the last byte ends it


class UploadBody:
    """A file as a request body of known length; `on_bytes` is told how much of it has gone."""

    def __init__(self, file: BinaryIO, size: int, on_bytes: Callable[[int], None] | None) -> None:
        self._file = file
        self._size = size
        self._on_bytes = on_bytes

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(BLOCK_BYTES), b"")

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        if block and self._on_bytes:
            self._on_bytes(self._file.tell())
        return block


def upload_document(
    call: Callable[..., Any],
    collection: str,
    path: Path,
    name: str,
    on_bytes: Callable[[int], None] | None,
) -> Any:
    """What the server says of the document; `call` is `Account.call`."""
    with path.open("rb") as file:
        return call(
            "POST",
            documents_of(collection),
            params={"name": name},
            data=UploadBody(file, path.stat().st_size, on_bytes),
            headers={"Content-Type": "application/octet-stream"},
            answer_s=UPLOAD_S,
        )
