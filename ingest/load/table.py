"""CSV and TSV: each row a line that names its columns, so that it can be read on its own."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from ingest.load.encoding import open_text
from ingest.load.page import LoadError, Page
from ingest.load.rows import Row, named, one_line, row_pages

NO_TEXT = "the table has no rows below its header"
DELIMITERS = ",\t;|"
SAMPLE_CHARS = 1 << 16
SAMPLE_ROWS = 20


def pages(path: Path, name: str) -> Iterator[Page]:
    """One per 50 rows or fewer; the first row names the columns.

    Rows are counted from 1 without that one and without blank rows.
    """
    with open_text(path, newline="") as file:
        delimiter = _delimiter(file.read(SAMPLE_CHARS))
        file.seek(0)
        rows = csv.reader(file, delimiter=delimiter)
        try:
            yield from _pages(row for row in rows if any(map(str.strip, row)))
        except csv.Error as exc:
            message = f"the table is broken at line {rows.line_num}; is a quote left open?"
            raise LoadError("broken_document", message) from exc


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _pages(rows: Iterator[list[str]]) -> Iterator[Page]:
    header = [one_line(column) for column in next(rows, [])]
    below = (Row(number, named(header, row)) for number, row in enumerate(rows, 1))
    yield from row_pages(below, count(1))


def _delimiter(sample: str) -> str:
    """What splits most of the first rows into the same number of cells; csv.Sniffer guesses worse.

    Of equals the one that makes more cells, then the one listed first.
    """
    return max(DELIMITERS, key=lambda delimiter: _evenness(sample, delimiter))


def _evenness(sample: str, delimiter: str) -> tuple[int, int]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    widths = Counter(len(row) for row in islice(reader, SAMPLE_ROWS) if len(row) > 1)
    return max(((rows, width) for width, rows in widths.items()), default=(0, 0))
