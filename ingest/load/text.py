"""Plain text: pages where the file marks them, else of about equal size."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest.load.encoding import open_text
from ingest.load.lines import by_size, line_pages
from ingest.load.page import Page

NO_TEXT = "the file holds nothing but blanks"


def pages(path: Path, name: str) -> Iterator[Page]:
    """One per form feed, else one per 3,000 characters, which ends with a paragraph if it can."""
    with open_text(path) as file:
        marked = any("\f" in line for line in file)
        file.seek(0)
        yield from line_pages(_by_form_feed(file) if marked else by_size(file))


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


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
