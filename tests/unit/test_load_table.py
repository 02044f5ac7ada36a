"""Table rows can be read on their own."""

from pathlib import Path

import pytest

from ingest.load import LoadError, Page, load


def load_pages(folder: Path, text: str, name: str = "a.csv") -> list[Page]:
    path = folder / "blob"
    path.write_text(text, newline="")
    return [item for item in load(path, name) if isinstance(item, Page)]


def read(folder: Path, text: str, name: str = "a.csv") -> list[str]:
    return [page.text for page in load_pages(folder, text, name)]


def test_each_row_names_its_columns(tmp_path):
    assert read(tmp_path, "id,place,height\n1,Gull Rock,31\n2,Skua Head,\n") == [
        "id: 1; place: Gull Rock; height: 31\nid: 2; place: Skua Head"
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path, delimiter):
    rows = [["id", "place", "note"], ["1", "Gull Rock", "dry"], ["2", "Skua Head", "wet"]]
    text = "\n".join(delimiter.join(row) for row in rows)

    [page] = read(tmp_path, text)

    assert page.splitlines()[1] == "id: 2; place: Skua Head; note: wet"


def test_decimal_commas_are_not_taken_for_the_delimiter(tmp_path):
    assert read(tmp_path, "place;height\nGull Rock;31,5\nSkua Head;12,0\n") == [
        "place: Gull Rock; height: 31,5\nplace: Skua Head; height: 12,0"
    ]


def test_quotes_hold_delimiters_and_line_ends(tmp_path):
    text = 'place,note\n"Rock, Gull","two\r\nlines, ""quoted"""\n'

    assert read(tmp_path, text) == ['place: Rock, Gull; note: two lines, "quoted"']


def test_one_column_is_a_table_too(tmp_path):
    assert read(tmp_path, "place\nGull Rock\nSkua Head\n") == ["place: Gull Rock\nplace: Skua Head"]


def test_fifty_rows_make_a_page(tmp_path):
    pages = read(tmp_path, "id\n" + "".join(f"{n}\n\n" for n in range(1, 121)))

    assert [len(page.splitlines()) for page in pages] == [50, 50, 20]
    assert pages[1].splitlines()[0] == "id: 51"


def test_rows_are_located_by_their_number_without_header_and_blank_rows(tmp_path):
    pages = load_pages(tmp_path, "id\n" + "".join(f"{n}\n\n" for n in range(1, 121)))

    assert [page.locator for page in pages] == [
        {"rows": [1, 50]},
        {"rows": [51, 100]},
        {"rows": [101, 120]},
    ]


def test_cells_are_kept_by_column_for_filters(tmp_path):
    [page] = load_pages(tmp_path, "id,place,note\n1,Gull Rock,\n2,,wet\n")

    assert page.rows == ({"id": "1", "place": "Gull Rock"}, {"id": "2", "note": "wet"})


def test_what_is_no_value_to_filter_by_is_in_the_text_alone(tmp_path):
    columns = ",".join(["c0", "c1", "long " * 201, *(f"c{n}" for n in range(3, 300))])
    values = ",".join(["long " * 201, *map(str, range(1, 300))])

    [page] = load_pages(tmp_path, f"{columns}\n{values}\n")

    assert list(page.rows[0])[:2] == ["c1", "c3"]
    assert len(page.rows[0]) == 254
    assert page.text.startswith("c0: long")
    assert page.text.endswith("c299: 299")


def test_long_rows_make_smaller_pages(tmp_path):
    pages = load_pages(tmp_path, "text\n" + ("word " * 15_000 + "\n") * 5)

    assert [page.locator["rows"] for page in pages] == [[1, 2], [3, 4], [5, 5]]


def test_cells_without_a_column_are_numbered(tmp_path):
    assert read(tmp_path, "id,,place\n1,x,Gull Rock,extra\n2,y\n") == [
        "id: 1; column 2: x; place: Gull Rock; column 4: extra\nid: 2; column 2: y"
    ]


def test_a_table_in_utf16_is_read(tmp_path):
    path = tmp_path / "blob"
    path.write_text("Ort\tHöhe\nGull Rock\t31\n", encoding="utf-16")

    assert [page.text for page in load(path, "a.tsv")] == ["Ort: Gull Rock; Höhe: 31"]


def test_a_header_alone_is_empty(tmp_path):
    with pytest.raises(LoadError, match="no rows") as caught:
        read(tmp_path, "id,place\n")

    assert caught.value.code == "empty_document"


def test_a_quote_left_open_is_told_with_its_line(tmp_path):
    with pytest.raises(LoadError, match="broken at line") as caught:
        read(tmp_path, 'id,place\n1,"Gull Rock\n' + "2,Skua Head\n" * 20_000)

    assert caught.value.code == "broken_document"
