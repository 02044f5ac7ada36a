"""A JSON array of any length, item by item: the json module reads a text whole or not at all."""

import json
from collections.abc import Iterator
from typing import TextIO

from ingest.load.page import LoadError

BLOCK_CHARS = 1 << 16
BLANKS = " \t\r\n"
DECODER = json.JSONDecoder()


def begins_array(file: TextIO) -> bool:
    """Whether the file, at its beginning before and after, holds an array."""
    first = _Reader(file).peek()
    file.seek(0)
    return first == "["


def array_items(file: TextIO) -> Iterator[object]:
    """The items of the array that the file holds. LoadError names the line that is broken."""
    reader = _Reader(file)
    reader.take("[", "an array must begin")
    if reader.peek() != "]":
        yield reader.value()
        while reader.peek() != "]":
            reader.take(",", "a comma or the end of the array is missing")
            yield reader.value()
    reader.take("]", "the array must end")
    reader.take("", "there is more below the array")


def broken(line: int, reason: object) -> LoadError:
    """The error for JSON that cannot be read, found at that line of the file."""
    said = reason.msg if isinstance(reason, json.JSONDecodeError) else reason
    return LoadError("broken_document", f"line {line} is not valid JSON: {said}")


class _Reader:
    """JSON text of which only what is being read is held."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._line = 1

    def peek(self) -> str:
        """The next character that is no blank; none at the end."""
        while True:
            rest = self._text[self._at : self._at + BLOCK_CHARS]
            blanks = len(rest) - len(rest.lstrip(BLANKS))
            self._advance(self._at + blanks)
            if blanks < len(rest) or not (rest or self._more()):
                return self._text[self._at : self._at + 1]

    def take(self, mark: str, otherwise: str) -> None:
        """Go past the mark that must come next; "" is the end."""
        if self.peek() != mark:
            raise broken(self._line, otherwise)
        self._at += len(mark)

    def value(self) -> object:
        """The next value, and past it."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except ValueError as exc:
                if not self._more():
                    raise broken(self._line + self._lines_to(exc), exc) from exc
            else:
                # What ends with the text may be half a number.
                if end < len(self._text) or not self._more():
                    self._advance(end)
                    return value

    def _lines_to(self, exc: ValueError) -> int:
        end = exc.pos if isinstance(exc, json.JSONDecodeError) else self._at
        return self._text.count("\n", self._at, end)

    def _advance(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        """As much again as is held, so that a long value is not tried too often."""
        held = len(self._text) - self._at
        block = self._file.read(max(BLOCK_CHARS, held))
        if block:
            self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)
