"""Rows of named cells, made into pages: each row a line that can be read on its own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ingest.load.page import Heading, Page

PAGE_ROWS = 50
PAGE_CHARS = 100_000
CELL_CHARS = 1_000_000
# Who filters names a column and a value; neither is a text.
FILTER_COLUMNS = 256
FILTER_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its format counts it: (column, value) of each cell that is not empty."""

    number: int
    cells: Sequence[tuple[str, str]]


def named(header: Sequence[str], values: Sequence[str]) -> list[tuple[str, str]]:
    """The cells under their columns' names, or under `column 3` where there is no name.

    Of a value longer than a million characters the first million are kept.
    """
    cells = enumerate(zip_longest(header, values, fillvalue=""), 1)
    return [
        (column or f"column {n}", text)
        for n, (column, value) in cells
        if (text := one_line(value[:CELL_CHARS]))
    ]


def one_line(text: str) -> str:
    """The text with each run of blanks and line ends as one blank."""
    return " ".join(text.split())


def row_pages(
    rows: Iterable[Row],
    numbers: Iterator[int],
    where: Mapping[str, object] | None = None,
    headings: tuple[Heading, ...] = (),
) -> Iterator[Page]:
    """A page per 50 rows, or fewer when they are long; rows without a cell are left out.

    `where` goes before the rows in each locator, `headings` stand on the first page. For filters
    a page keeps of each row the first 256 cells, without values or names of more than 1,000
    characters; of two columns by one name the last counts.
    """
    for run in _runs(row for row in rows if row.cells):
        locator = {**(where or {}), "rows": [run[0].number, run[-1].number]}
        text = "\n".join(map(_line, run))
        yield Page(next(numbers), text, locator, headings, tuple(map(_filterable, run)))
        headings = ()


def _runs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    run: list[Row] = []
    chars = 0
    for row in rows:
        run.append(row)
        chars += sum(len(column) + len(value) for column, value in row.cells)
        if len(run) == PAGE_ROWS or chars >= PAGE_CHARS:
            yield run
            run, chars = [], 0
    if run:
        yield run


def _line(row: Row) -> str:
    return "; ".join(f"{column}: {value}" for column, value in row.cells)


def _filterable(row: Row) -> dict[str, str]:
    first = row.cells[:FILTER_COLUMNS]
    return {
        column: value for column, value in first if max(len(column), len(value)) <= FILTER_CHARS
    }
