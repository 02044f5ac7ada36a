"""Excel (XLSX, XLSM): each row of each sheet a line that names its columns."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain, count, islice
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from ingest.load.office import facts, reading
from ingest.load.page import Facts, Heading, Page
from ingest.load.rows import Row, one_line, row_pages
from ingest.load.sheet import Cells, sheet_rows

NO_TEXT = "the workbook holds no values; charts and pictures are not read"
HEAD_ROWS = 10
NAME_CHARS = 100
# A column is called by a word, or by a year or day.
COLUMN_NAME = re.compile(r".*[^\W\d_].*|(19|20)\d\d(-\d\d-\d\d)?")


def pages(path: Path, name: str) -> Iterator[Facts | Page]:
    """The facts, then for each sheet, hidden ones too, a page per 50 rows or fewer.

    Rows go by the sheet's own numbers. Columns go by their header where one is found in the first
    rows, and by their letter elsewhere. Values are those that were stored last; a formula stands
    for itself if nothing has worked it out yet.
    """
    with reading("workbook", InvalidFileException), path.open("rb") as file:
        yield facts(path)
        numbers = count(1)
        with closing(load_workbook(file, read_only=True, data_only=True, keep_links=False)) as book:
            for sheet in book.worksheets:
                title = one_line(sheet.title)
                rows = _named(sheet_rows(book, sheet))
                yield from row_pages(rows, numbers, {"sheet": title}, (Heading(0, 1, title),))


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _named(rows: Iterator[tuple[int, Cells]]) -> Iterator[Row]:
    head = list(islice(rows, HEAD_ROWS))
    header_number, header = _header(head)
    for number, cells in chain(head, rows):
        if number != header_number:
            names = header if number > header_number else {}
            columns = sorted(cells.items())
            yield Row(number, [(names.get(c) or get_column_letter(c), text) for c, text in columns])


def _header(head: Sequence[tuple[int, Cells]]) -> tuple[int, Cells]:
    """The first row that fills most of the columns, if its cells can be names; else row 0.

    A title above the table fills fewer.
    """
    width = max((len(cells) for _, cells in head), default=0)
    for number, cells in head[:-1]:
        if width > 1 and 2 * len(cells) > width:
            return (number, cells) if _are_names(list(cells.values())) else (0, {})
    return 0, {}


def _are_names(texts: Sequence[str]) -> bool:
    return len(set(texts)) == len(texts) and all(
        len(text) <= NAME_CHARS and COLUMN_NAME.fullmatch(text) for text in texts
    )
