"""Text, Markdown, source code: pages where the file marks them, else of about equal size."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TextIO

from ingest.chunk import cut
from ingest.load.encoding import open_text
from ingest.load.page import Page

NO_TEXT = "the file holds nothing but blanks"
PAGE_CHARS = 3000
BLOCK_CHARS = 1 << 16
MARKDOWN_SUFFIXES = {".md", ".markdown", ".mdown", ".mkd"}
HEADING = re.compile(r" {0,3}#{1,2}(\s|$)")
FENCE = re.compile(r" {0,3}(```|~~~)")


def pages(path: Path, name: str) -> Iterator[Page]:
    """Pages at form feeds, or at headings of level 1 and 2 in Markdown, or by size."""
    with open_text(path) as file:
        for number, text in enumerate(_split(file, name), 1):
            yield Page(number, text)


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _split(file: TextIO, name: str) -> Iterator[str]:
    markdown = PurePosixPath(name).suffix.lower() in MARKDOWN_SUFFIXES
    split: Callable[[TextIO], Iterator[str]] = _by_size
    if markdown and any(heading for _, heading in _headings(file)):
        split = _by_heading
    elif not markdown and any("\f" in line for line in file):
        split = _by_form_feed
    file.seek(0)
    return split(file)


def _by_size(file: TextIO) -> Iterator[str]:
    rest = ""
    for block in iter(partial(file.read, BLOCK_CHARS), ""):
        rest += block
        start = 0
        while len(rest) - start > PAGE_CHARS:
            end = cut(rest, start, PAGE_CHARS)
            yield rest[start:end]
            start = end
        rest = rest[start:]
    yield rest


def _by_form_feed(lines: Iterable[str]) -> Iterator[str]:
    page = ""
    for line in lines:
        *ended, rest = line.split("\f")
        for text in ended:
            yield page + text
            page = ""
        page += rest
    # Whoever ends pages with form feeds ends the last one so too.
    if page.strip():
        yield page


def _by_heading(lines: Iterable[str]) -> Iterator[str]:
    """A heading right under another one stays with it: a title alone answers nothing."""
    section: list[str] = []
    has_body = False
    for line, heading in _headings(lines):
        if heading and has_body:
            yield "".join(section)
            section, has_body = [], False
        section.append(line)
        has_body = has_body or not (heading or line.isspace())
    yield "".join(section)


def _headings(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is a heading rather than a comment within a code block."""
    fenced = False
    for line in lines:
        fenced ^= bool(FENCE.match(line))
        yield line, not fenced and bool(HEADING.match(line))
