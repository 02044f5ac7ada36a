"""What loading a file gives: facts about it, pages of text, attachments, or why there are none."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


class LoadError(Exception):
    """A file that will not become text however often it is tried."""

    def __init__(self, code: str, message: str) -> None:
        # Both to the base: Celery pickles exceptions, and unpickling calls with these.
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself; comes first, if at all. `dated` is when it was written."""

    title: str = ""
    author: str = ""
    dated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in a page's text, from the character `start` on; level 1 is the highest."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page, slide, message or run of rows; `number` counts from 1, as a viewer shows it.

    `locator` says where it lies in terms of its format: `{"page": 3}`, `{"slide": 2}`,
    `{"message": "<id>"}`, `{"rows": [51, 100]}`, `{"sheet": "Budget", "rows": [2, 51]}`,
    `{"lines": [120, 180]}`, or in a DOCX file, which has no pages, `{"paragraphs": [12, 30]}`: of
    those with text, table rows counted too. In HTML it is the headings above the beginning of the
    page, `{"section": "Signals › Horn"}`. Where it has rows or lines, each line of `text` is one of
    them. `rows` are the cells of each row by column, for filters.
    """

    number: int
    text: str
    locator: Mapping[str, object]
    headings: tuple[Heading, ...] = ()
    rows: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file within a file, a document of its own; `name` is a path below the outer one's."""

    name: str
    content: bytes
