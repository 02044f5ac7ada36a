"""Characters that no database, reader or model has a use for are taken out of what is loaded."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ingest.load.page import Attachment, Facts, Heading, Page

TITLE_CHARS = 200
# Each chunk of a page has its locator, so what a file puts there must not be long.
LOCATOR_CHARS = 1_000
# Postgres refuses NUL and halves of surrogate pairs.
UNCLEAN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
CLEANING = {
    **dict.fromkeys([*range(9), *range(14, 32), *range(127, 160)]),
    **dict.fromkeys([11, 12, 13, 133], "\n"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}


def clean(item: Facts | Page | Attachment) -> Facts | Page | Attachment:
    """The same without control characters but tab and newline; headings stay where they are."""
    match item:
        case Facts():
            return replace(item, title=_line(item.title), author=_line(item.author))
        case Attachment():
            return replace(item, name=_line(item.name))
    locator = {key: _value(value) for key, value in item.locator.items()}
    # Cells stand in the text, so they are clean if it is.
    rows = tuple(map(_row, item.rows)) if UNCLEAN.search(item.text) else item.rows
    return Page(item.number, _text(item.text), locator, tuple(_headings(item)), rows)


def _text(text: str) -> str:
    return text.translate(CLEANING) if UNCLEAN.search(text) else text


def _line(text: str) -> str:
    return " ".join(_text(text).split())


def _value(value: object) -> object:
    return _text(value)[:LOCATOR_CHARS] if isinstance(value, str) else value


def _headings(page: Page) -> Iterator[Heading]:
    before = start = 0
    for heading in page.headings:
        start += len(_text(page.text[before : heading.start]))
        before = heading.start
        yield Heading(start, heading.level, _line(heading.title)[:TITLE_CHARS])


def _row(row: Mapping[str, str]) -> dict[str, str]:
    return {_text(column): _text(value) for column, value in row.items()}
