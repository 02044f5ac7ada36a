"""Rows of Parquet files read as rows of tables do."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from ingest.load.page import LoadError, Page
from ingest.load.parquet import NO_TEXT, pages


def read(folder: Path, columns: dict[str, Any], **options: Any) -> list[Page]:
    path = folder / "blob"
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    parquet.write_table(table, path, **options)
    return list(pages(path, "a.parquet"))


def test_each_row_names_its_columns(tmp_path):
    [page] = read(tmp_path, {"id": [1, 2], "place": ["Gull Rock", None], "dry": [True, False]})

    assert page.text == "id: 1; place: Gull Rock; dry: true\nid: 2; dry: false"
    assert page.locator == {"rows": [1, 2]}
    assert page.rows == (
        {"id": "1", "place": "Gull Rock", "dry": "true"},
        {"id": "2", "dry": "false"},
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pa.array([datetime.date(2024, 5, 1)]), "2024-05-01"),
        (pa.array([datetime.datetime(2024, 5, 1, 12, 30)]), "2024-05-01 12:30:00"),
        (pa.array([1_500_000_000], pa.timestamp("ns")), "1970-01-01 00:00:01.500000000"),
        (pa.array([0], pa.timestamp("s", "Europe/Paris")), "1970-01-01 00:00:00Z"),
        (pa.array([datetime.time(3, 4)]), "03:04:00"),
        (pa.array([Decimal("1.50")]), "1.50"),
        (pa.array([0.1], pa.float32()), "0.1"),
        (pa.array([2.0]), "2"),
        (pa.array(["Gull Rock"]).dictionary_encode(), "Gull Rock"),
        (pa.array([datetime.timedelta(hours=25)]), "1 day, 1:00:00"),
        (pa.array([["oil", "wick"]]), '["oil","wick"]'),
        (pa.array([{"é": 1, "raw": b"\xff"}]), '{"é":1,"raw":"(binary)"}'),
        (pa.array([{"since": datetime.date(2024, 5, 1)}]), '{"since":"2024-05-01"}'),
    ],
)
def test_values_read_as_people_write_them(tmp_path, values, text):
    assert [page.text for page in read(tmp_path, {"x": values})] == [f"x: {text}"]


def test_what_is_no_number_is_an_empty_cell(tmp_path):
    assert [page.text for page in read(tmp_path, {"x": [float("nan"), 1.5]})] == ["x: 1.5"]


def test_binary_columns_are_named_and_left_out(tmp_path):
    [page] = read(tmp_path, {"photo": [b"\x89PNG", None], "place": ["Gull Rock", "Skua Head"]})

    assert page.text.splitlines()[0] == "photo: (binary); place: Gull Rock"


def test_a_file_of_binary_columns_alone_has_no_text(tmp_path):
    assert read(tmp_path, {"photo": [b"\x89PNG"]}) == []
    assert "binary" in NO_TEXT


def test_rows_are_counted_through_row_groups_and_pages(tmp_path):
    found = read(tmp_path, {"id": range(120)}, row_group_size=40)

    assert [page.number for page in found] == [1, 2, 3]
    assert [page.locator["rows"] for page in found] == [[1, 50], [51, 100], [101, 120]]


def test_columns_of_one_name_keep_their_own_values(tmp_path):
    table = pa.Table.from_arrays(
        [pa.array([1]), pa.array(["x"]), pa.array([b"x"]), pa.array([b"y"]), pa.array([2])],
        names=["n", "text", "raw", "n", "n"],
    )

    assert [page.text for page in read(tmp_path, table)] == [
        "n: 1; text: x; raw: (binary); n: (binary); n: 2"
    ]


def test_long_rows_make_smaller_pages(tmp_path):
    found = read(tmp_path, {"text": ["word " * 15_000] * 5})

    assert [page.locator["rows"] for page in found] == [[1, 2], [3, 4], [5, 5]]
    assert [set(map(len, page.rows)) for page in found] == [{0}] * 3


@pytest.mark.parametrize("length", [4, 100, -8])
def test_a_cut_off_file_is_broken(tmp_path, length):
    path = tmp_path / "blob"
    parquet.write_table(pa.table({"id": range(1000)}), path)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(LoadError, match="damaged") as caught:
        list(pages(path, "a.parquet"))

    assert caught.value.code == "broken_document"


def test_damage_in_the_middle_is_broken(tmp_path):
    path = tmp_path / "blob"
    parquet.write_table(pa.table({"id": range(5000)}), path, use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)

    with pytest.raises(LoadError, match="damaged"):
        list(pages(path, "a.parquet"))


def test_an_encrypted_file_is_told_as_such(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(b"PARE" + bytes(100) + b"PARE")

    with pytest.raises(LoadError, match="encrypted") as caught:
        list(pages(path, "a.parquet"))

    assert caught.value.code == "encrypted_document"
