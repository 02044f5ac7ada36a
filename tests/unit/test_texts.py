"""Files of texts, whatever their format, as rows and texts."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from ingest.load.page import LoadError
from ingest.spool import read_spool, spool
from ingest.texts import TEXT_CHARS, texts

EXPECTED = [(1, "a tower"), (3, "bread, flour")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def lines(*records: object) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.txt", "a tower\n\nbread, flour\n", ""),
        ("a.csv", 'id,text\n1,a tower\n2,\n3,"bread, flour"\n', ""),
        ("a.csv", 'id,said\n1,a tower\n2\n3,"bread, flour"\n', "said"),
        ("a.tsv", "said\na tower\n \nbread, flour\n", ""),
        ("a.jsonl", lines("a tower", None, "bread, flour"), ""),
        ("a.jsonl", lines({"q": "a tower"}, {"q": None}, {"q": "bread, flour"}), "q"),
        (
            "a.ndjson",
            lines({"n": 1, "text": "a tower"}) + "\n" + lines({"text": EXPECTED[1][1]}),
            "",
        ),
    ],
)
def test_texts_come_with_their_rows_and_blank_ones_are_left_out(file, name, content, column):
    file.write_text(content)
    assert list(texts(file, name, column)) == EXPECTED


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_column_of_a_parquet_file_is_read_whatever_the_file_is_called(file, kind):
    said = pa.array(["a tower", None, "bread, flour"], kind)
    parquet.write_table(pa.table({"n": [1, 2, 3], "said": said}), file)
    assert list(texts(file, "a.bin", "said")) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content", "column", "code", "told"),
    [
        ("a.csv", "a,b\n1,2\n", "", "unknown_column", "There are: a, b"),
        ("a.csv", "a,text\n1,2\n", "c", "unknown_column", "'c'"),
        ("a.txt", "a\n", "c", "no_columns", ".csv"),
        ("a.jsonl", "{\n", "", "broken_document", "line 1"),
        ("a.jsonl", lines({"text": 3}), "", "no_text", "line 1"),
        ("a.jsonl", "[" * 100_000, "", "broken_document", "line 1"),
        ("a.csv", 'text\n"open\n' + "x" * 300_000, "", "broken_document", "line"),
        ("a.txt", "x" * (TEXT_CHARS + 1), "", "text_too_long", "row 1"),
        ("a.parquet", "no parquet", "", "broken_document", "Parquet"),
        ("a.txt", "a\0b", "", "binary_document", "binary"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(file, name, content, column, code, told):
    file.write_text(content)
    with pytest.raises(LoadError, match=told) as refused:
        list(texts(file, name, column))
    assert refused.value.code == code


def test_a_parquet_column_of_numbers_holds_no_texts(file):
    parquet.write_table(pa.table({"n": [1]}), file)
    with pytest.raises(LoadError) as refused:
        list(texts(file, "a.parquet"))
    assert refused.value.code == "no_text"


def test_half_characters_are_replaced(file):
    file.write_text('"a \\ud800 b"\n')
    assert list(texts(file, "a.jsonl")) == [(1, "a ? b")]


def test_a_spool_gives_back_what_was_put_on_it(file):
    assert spool(EXPECTED, file, most=2) == 2
    assert list(read_spool(file)) == EXPECTED


@pytest.mark.parametrize(("found", "code"), [([], "empty_document"), (EXPECTED, "too_many_texts")])
def test_a_spool_takes_neither_nothing_nor_too_much(file, found, code):
    with pytest.raises(LoadError) as refused:
        spool(found, file, most=1)
    assert refused.value.code == code
