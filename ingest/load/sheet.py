"""The rows of one sheet of a workbook: values as text, by the sheet's own numbers."""

import datetime
from collections.abc import Iterator, Mapping
from typing import IO
from xml.etree.ElementTree import Element

from openpyxl import Workbook
from openpyxl.utils import range_boundaries
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.worksheet._reader import FORMULA_TAG, SHEET_MAIN_NS, WorkSheetParser
from openpyxl.xml.functions import iterparse

from ingest.load.page import LoadError
from ingest.load.rows import CELL_CHARS, one_line

MERGE_TAG = f"{{{SHEET_MAIN_NS}}}mergeCell"
ROW_TAG = f"{{{SHEET_MAIN_NS}}}row"
LAST_ROW = 1_048_576
MIDNIGHT = datetime.time()

# Text by column, counted from 1; empty cells are not in it.
Cells = Mapping[int, str]


class _Parser(WorkSheetParser):
    """Gives the formula itself where no program has stored what it comes to."""

    def parse_cell(self, element: Element) -> dict[str, object]:
        cell: dict[str, object] = super().parse_cell(element)
        if cell["value"] is None and (formula := element.findtext(FORMULA_TAG)):
            cell["value"] = f"={formula}"
        return cell


def sheet_rows(workbook: Workbook, sheet: ReadOnlyWorksheet) -> Iterator[tuple[int, Cells]]:
    """Each row with a value in it: its number, and its cells.

    A value merged over several rows stands in each that has others. Not read through the sheet
    itself, which makes up every row and cell that the file says it has.
    """
    merges = _merges(sheet)
    carried: dict[int, tuple[int, str]] = {}
    with sheet._get_source() as source:
        for number, read in _parser(workbook, sheet, source).parse():
            cells = {cell["column"]: text for cell in read if (text := _text(cell["value"]))}
            if not 0 < number <= LAST_ROW or not cells:
                continue
            carried |= {c: (last, cells.get(c, "")) for c, last in merges.get(number, ())}
            carried = {c: (last, text) for c, (last, text) in carried.items() if number <= last}
            yield number, {c: text for c, (_, text) in carried.items() if text} | cells


def _parser(workbook: Workbook, sheet: ReadOnlyWorksheet, source: IO[bytes]) -> _Parser:
    return _Parser(
        source,
        sheet._shared_strings,
        data_only=True,
        epoch=workbook.epoch,
        date_formats=workbook._date_formats,
        timedelta_formats=workbook._timedelta_formats,
    )


def _merges(sheet: ReadOnlyWorksheet) -> dict[int, list[tuple[int, int]]]:
    """By the row that it begins in: column and last row of what is merged downwards.

    In a reading of its own: the file tells of it below the rows.
    """
    merges: dict[int, list[tuple[int, int]]] = {}
    rows = 0
    with sheet._get_source() as source:
        for _, element in iterparse(source):
            if element.tag == MERGE_TAG:
                left, top, _, bottom = range_boundaries(element.get("ref"))
                if bottom > top:
                    merges.setdefault(top, []).append((left, bottom))
            elif element.tag == ROW_TAG:
                element.clear()
                rows += 1
                # What is left of each stays in memory, so there is an end to them.
                if rows > LAST_ROW:
                    raise LoadError("broken_document", f"a sheet has more than {LAST_ROW:,} rows")
    return merges


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.15g}"  # As many digits as Excel shows.
        case datetime.datetime() if value.time() == MIDNIGHT:
            return value.date().isoformat()
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
    return one_line(str(value)[:CELL_CHARS])
