"""Rows of workbooks can be read on their own, and go by the numbers that Excel shows."""

import datetime
import tracemalloc
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.worksheet import Worksheet

from ingest.load.page import Facts, LoadError, Page
from ingest.load.spreadsheet import pages
from tests.unit.office_files import bomb, rewrite, without

SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def book() -> Workbook:
    return openpyxl.Workbook()


@pytest.fixture
def sheet(book: Workbook) -> Worksheet:
    book.active.title = "Budget"
    return book.active


def fill(sheet: Worksheet, *rows: list[Any]) -> None:
    for row in rows:
        sheet.append(row)


def saved(folder: Path, book: Workbook) -> Path:
    book.save(folder / "blob")
    return folder / "blob"


def read(path: Path) -> list[Page]:
    return [item for item in pages(path, "a.xlsx") if isinstance(item, Page)]


def lines(folder: Path, book: Workbook) -> list[str]:
    return [line for page in read(saved(folder, book)) for line in page.text.splitlines()]


def test_each_row_names_its_columns(tmp_path, book, sheet):
    fill(sheet, ["Place", "Height", 2024], ["Gull Rock", 31, 5], ["Skua Head", None, 7])

    [page] = read(saved(tmp_path, book))

    assert page.text == "Place: Gull Rock; Height: 31; 2024: 5\nPlace: Skua Head; 2024: 7"
    assert page.locator == {"sheet": "Budget", "rows": [2, 3]}
    assert page.rows[1] == {"Place": "Skua Head", "2024": "7"}
    assert [heading.title for heading in page.headings] == ["Budget"]


def test_the_header_is_found_below_a_title(tmp_path, book, sheet):
    fill(sheet, ["All lighthouses"], [], ["Place", "Height"], ["Gull Rock", 31])

    assert lines(tmp_path, book) == ["A: All lighthouses", "Place: Gull Rock; Height: 31"]


@pytest.mark.parametrize("first", [[1, 2], ["a", "a"], ["a", 2], ["a" * 101, "b"]])
def test_columns_without_a_header_go_by_their_letters(tmp_path, book, sheet, first):
    fill(sheet, first, [3, 4])

    assert lines(tmp_path, book) == [f"A: {first[0]}; B: {first[1]}", "A: 3; B: 4"]


def test_every_sheet_is_read_by_its_own_row_numbers(tmp_path, book, sheet):
    fill(sheet, ["Place", "Height"], [], ["Gull Rock", 31])
    hidden = book.create_sheet("Old")
    hidden.sheet_state = "hidden"
    hidden["C7"] = "far away"
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3))
    book.create_chartsheet("Chart").add_chart(chart)

    found = read(saved(tmp_path, book))

    assert [page.number for page in found] == [1, 2]
    assert [page.locator for page in found] == [
        {"sheet": "Budget", "rows": [3, 3]},
        {"sheet": "Old", "rows": [7, 7]},
    ]
    assert found[1].text == "C: far away"


def test_fifty_rows_make_a_page_and_the_sheet_is_named_on_the_first(tmp_path, book, sheet):
    fill(sheet, ["id", "n"], *([n, n] for n in range(120)))

    found = read(saved(tmp_path, book))

    assert [page.locator["rows"] for page in found] == [[2, 51], [52, 101], [102, 121]]
    assert [len(page.headings) for page in found] == [1, 0, 0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (datetime.datetime(2024, 5, 1, 12, 30), "2024-05-01T12:30:00"),
        (datetime.time(3, 4), "03:04:00"),
        (True, "true"),
        (1.1 + 2.2, "3.3"),
        ("two\nlines", "two lines"),
        ("=B1*2", "=B1*2"),
    ],
)
def test_values_read_as_people_write_them(tmp_path, book, sheet, value, text):
    fill(sheet, [value, 1])

    assert lines(tmp_path, book) == [f"A: {text}; B: 1"]


def test_a_stored_result_is_read_in_place_of_its_formula(tmp_path, book, sheet):
    fill(sheet, ["=B1*2", 21])
    path = saved(tmp_path, book)
    rewrite(
        path,
        SHEET,
        lambda xml: xml.replace(b"<v></v>", b"<v>42</v>").replace(b"<v />", b"<v>42</v>"),
    )

    assert [page.text for page in read(path)] == ["A: 42; B: 21"]


def test_a_merged_value_stands_in_each_of_its_rows(tmp_path, book, sheet):
    fill(sheet, ["Region", "Place"], ["North", "Gull Rock"], [None, "Skua Head"], [None, "Rat Cay"])
    sheet.merge_cells("A2:A3")

    assert lines(tmp_path, book) == [
        "Region: North; Place: Gull Rock",
        "Region: North; Place: Skua Head",
        "Place: Rat Cay",
    ]


def test_facts_come_first(tmp_path, book):
    book.properties.title = "Costs"
    book.properties.creator = "The keeper"
    book.properties.created = datetime.datetime(2024, 5, 1)

    facts = next(pages(saved(tmp_path, book), "a.xlsx"))

    assert facts == Facts("Costs", "The keeper", datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC))


def test_facts_that_are_missing_are_not_made_up(tmp_path, book):
    path = saved(tmp_path, book)
    without(path, "docProps/core.xml")

    assert next(pages(path, "a.xlsx")) == Facts()


def test_a_workbook_without_values_has_no_pages(tmp_path, book):
    assert read(saved(tmp_path, book)) == []


# --- hostile and damaged -------------------------------------------------------------------------


def test_rows_and_cells_that_are_only_claimed_take_no_memory(tmp_path, book, sheet):
    fill(sheet, ["Place"])
    sheet["XFD1048576"] = "the last cell"
    path = saved(tmp_path, book)
    tracemalloc.start()
    found = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found[0].text.splitlines() == ["A: Place", "XFD: the last cell"]
    assert peak < 10_000_000


def test_a_row_beyond_every_sheet_is_passed_over(tmp_path, book, sheet):
    fill(sheet, ["Place"], ["Gull Rock"])
    path = saved(tmp_path, book)
    rewrite(path, SHEET, lambda xml: xml.replace(b'<row r="2"', b'<row r="99999999999"'))

    assert [page.text for page in read(path)] == ["A: Place"]


@pytest.mark.parametrize("part", ["xl/workbook.xml", SHEET, "[Content_Types].xml"])
@pytest.mark.parametrize("content", [b"", b"<not"])
def test_a_damaged_part_is_told(tmp_path, book, sheet, part, content):
    fill(sheet, ["Place"])
    path = saved(tmp_path, book)
    rewrite(path, part, lambda _: content)

    with pytest.raises(LoadError, match="damaged") as caught:
        read(path)

    assert caught.value.code == "broken_document"


def test_a_cut_off_file_is_broken(tmp_path, book, sheet):
    path = saved(tmp_path, book)
    path.write_bytes(path.read_bytes()[:2000])

    with pytest.raises(LoadError, match="damaged") as caught:
        read(path)

    assert caught.value.code == "broken_document"


def test_an_entity_bomb_is_refused(tmp_path, book, sheet):
    fill(sheet, ["Place"])
    path = saved(tmp_path, book)
    rewrite(path, SHEET, lambda xml: bomb(b"sheetData")(b'<?xml version="1.0"?>' + xml))

    with pytest.raises(LoadError):
        read(path)
