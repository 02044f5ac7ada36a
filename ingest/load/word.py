"""Word (DOCX): headings, paragraphs, lists and table rows, in the order in which they are read."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import docx
from docx.opc.exceptions import OpcError

from ingest.load.blocks import Block, laid_out, runs
from ingest.load.office import facts, reading
from ingest.load.page import Facts, Page
from ingest.load.word_blocks import blocks

NO_TEXT = "the document holds no text; if it is made of pictures, run OCR on it first"


def pages(path: Path, name: str) -> Iterator[Facts | Page]:
    """The facts, then pages that begin at headings of level 1 and 2, and at about 3,000 characters.

    A DOCX file has no pages of its own: where they end is found out by whoever prints it. The
    locator counts what has text: headings, paragraphs, list items, table rows. Headers, footers,
    footnotes and deleted text are left out.
    """
    with reading("Word document", OpcError):
        yield facts(path)
        yield from _pages(blocks(docx.Document(str(path))))


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _pages(found: Iterable[Block]) -> Iterator[Page]:
    first = 1
    for number, run in enumerate(runs(found), 1):
        text, headings = laid_out(run)
        yield Page(number, text, {"paragraphs": [first, first + len(run) - 1]}, headings)
        first += len(run)
