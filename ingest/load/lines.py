"""Texts whose lines mean something, made into pages that say which lines they are."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TextIO

from ingest.chunk import cut
from ingest.load.page import Heading, Page

PAGE_CHARS = 3000
BLOCK_CHARS = 1 << 16

Headings = Callable[[str], Iterable[Heading]]


def line_pages(texts: Iterable[str], headings: Headings = lambda text: ()) -> Iterator[Page]:
    """A page of each text, which follow one upon the other in the file; lines count from 1.

    Blank lines at the end of a page are not counted as its own.
    """
    line = 1
    for number, text in enumerate(texts, 1):
        last = line + text.rstrip("\n").count("\n")
        yield Page(number, text, {"lines": [line, last]}, tuple(headings(text)))
        line += text.count("\n")


def by_size(file: TextIO) -> Iterator[str]:
    """Texts of at most 3,000 characters, read piece by piece."""
    rest = ""
    for block in iter(partial(file.read, BLOCK_CHARS), ""):
        *whole, rest = sized(rest + block)
        yield from whole
    yield rest


def sized(text: str) -> Iterator[str]:
    """The text in parts of at most 3,000 characters, which end with a paragraph or line."""
    start = 0
    while len(text) - start > PAGE_CHARS:
        end = cut(text, start, PAGE_CHARS)
        yield text[start:end]
        start = end
    yield text[start:]
