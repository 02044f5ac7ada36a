"""What a source holds, and where the content of it goes."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol


class SourceError(Exception):
    """A source or a thing in it that cannot be had; the message says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Item:
    """Something that becomes a document of that `name`, unique within its source.

    `version` changes when the content does; empty where a listing does not tell. `place` is where
    the source finds it; what came with the listing has its `content` already.
    """

    name: str
    place: str = ""
    version: str = ""
    content: bytes | None = None


@dataclass(slots=True)
class Sink:
    """Takes content piece by piece, up to `most` bytes."""

    file: BinaryIO
    most: int
    size: int = 0
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, piece: bytes) -> None:
        """Takes a piece. SourceError `too_large` for one too many."""
        self.size += len(piece)
        if self.size > self.most:
            raise SourceError("too_large", f"larger than {self.most} bytes")
        self._hash.update(piece)
        self.file.write(piece)

    @property
    def sha256(self) -> str:
        """Of all that has been taken, in hex."""
        return self._hash.hexdigest()


class Remote(Protocol):
    """A place that can be listed again and again."""

    def items(self, known: Mapping[str, str]) -> Iterator[Item]:
        """All of it; `known` are versions by name, as far as they were read before.

        SourceError if it cannot be listed, so that nothing is taken for vanished, and `incomplete`
        after the last that could.
        """

    def read(self, item: Item, known: str, sink: Sink) -> str | None:
        """Its content into the sink; gives its version, or None if it is still the `known` one."""
