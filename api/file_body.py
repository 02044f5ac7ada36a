"""Bodies that are files: read piece by piece, measured and hashed on the way."""

import hashlib
import sys
from collections.abc import Iterator
from typing import Self

from flask import request

from models.errors import RedtenError
from settings import settings

PIECE_BYTES = 1 << 20
NO_DOCUMENT = "the document is empty: send the file as the body"


class FileBody:
    """The request's body, to be read once; `size` and `sha256` are of what has been read.

    When its block ends in a refusal, the body is read on for a while: a client that is still
    sending would see a broken connection instead of the reason.
    """

    def __init__(self, empty: str = NO_DOCUMENT) -> None:
        request.max_content_length = sys.maxsize  # the limit of JSON bodies does not hold here
        self.size = 0
        self._hash = hashlib.sha256()
        self._empty = empty

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        while kind and self.size <= 2 * settings.max_upload_bytes and self._next():
            pass

    @property
    def announced(self) -> int:
        """How many bytes the client says that it sends; 0 if it does not."""
        return request.content_length or 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """All of it. Ends in a RedtenError if it is too large, or empty, or has broken off."""
        while (piece := self._next()) and self.size <= settings.max_upload_bytes:
            self._hash.update(piece)
            yield piece
        self._check()

    def _next(self) -> bytes:
        try:
            piece = request.stream.read(PIECE_BYTES)
        except OSError as error:  # gunicorn's own errors of broken chunks are such as well
            raise _incomplete(f"the body broke off after {self.size} bytes") from error
        self.size += len(piece)
        return piece

    def _check(self) -> None:
        announced, most = request.content_length, settings.max_upload_bytes
        if self.size > most:
            raise RedtenError("too_large", f"the body is larger than {most} bytes")
        if announced is not None and announced != self.size:
            raise _incomplete(f"{self.size} of {announced} bytes came")
        if not self.size:
            raise RedtenError("empty_document", self._empty)


def _incomplete(what: str) -> RedtenError:
    return RedtenError("incomplete_document", f"{what}: send it again")
