"""Source code: pages of whole definitions, as far as the layout tells where they end."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest.load.encoding import open_text
from ingest.load.lines import PAGE_CHARS, line_pages, sized
from ingest.load.page import Page

NO_TEXT = "the file holds nothing but blanks"
# What stands at the left edge and is no end of something begins something.
BEGINS = re.compile(r"[^\s)\]}]")
BLANK_LINES = re.compile(r"\n\s*\n")


def pages(path: Path, name: str) -> Iterator[Page]:
    """Pages of about 3,000 characters, one for each definition that is longer than that or more."""
    with open_text(path) as file:
        yield from line_pages(_packed(_definitions(file)))


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _definitions(lines: Iterable[str]) -> Iterator[str]:
    """From each line at the left edge that follows a blank line or a closing one to the next."""
    held: list[str] = []
    ended = False
    for line in lines:
        if ended and held and BEGINS.match(line):
            yield "".join(held)
            held = []
        held.append(line)
        ended = line.isspace() or line[0] in ")]}"
    yield "".join(held)


def _packed(definitions: Iterable[str]) -> Iterator[str]:
    page = ""
    for definition in definitions:
        for part in _parts(definition):
            if page.strip() and len(page) + len(part) > PAGE_CHARS:
                yield page
                page = ""
            page += part
    yield page


def _parts(definition: str) -> Iterator[str]:
    """The definition, or what lies between its blank lines, or lines of it, as it must be."""
    if len(definition) <= PAGE_CHARS:
        yield definition
        return
    start = 0
    for end in (*(found.end() for found in BLANK_LINES.finditer(definition)), len(definition)):
        yield from sized(definition[start:end])
        start = end
