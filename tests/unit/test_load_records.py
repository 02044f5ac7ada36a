"""Records of JSON lines and JSON arrays can be read on their own."""

import json
from pathlib import Path

import pytest

from ingest.load.page import LoadError, Page
from ingest.load.records import pages


def load(folder: Path, text: str) -> list[Page]:
    path = folder / "blob"
    path.write_text(text, encoding="utf-8")
    return list(pages(path, "a.jsonl"))


def read(folder: Path, text: str) -> list[str]:
    return [line for page in load(folder, text) for line in page.text.splitlines()]


def failure(folder: Path, text: str) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(folder, text)
    return caught.value


BOTH = pytest.mark.parametrize(
    "form", ['{"id": 1}\n\n{"id": 2}\n', '[{"id": 1},\n{"id": 2}]', ' [ {"id":1} , {"id":2} ] \n']
)


@BOTH
def test_each_record_is_a_line_counted_without_blanks(tmp_path, form):
    [page] = load(tmp_path, form)

    assert page.text == "id: 1\nid: 2"
    assert page.locator == {"rows": [1, 2]}
    assert page.rows == ({"id": "1"}, {"id": "2"})


@pytest.mark.parametrize(
    ("record", "line"),
    [
        ({"a": {"name": "Ann", "born": {"year": 1900}}}, "a.name: Ann; a.born.year: 1900"),
        ({"tags": ["oil", 2, True, None], "none": None, "empty": {}}, "tags: oil, 2, true, "),
        ({"lamps": [{"id": 1}]}, 'lamps: [{"id":1}]'),
        ({"text": "two\n lines", "score": 0.5}, "text: two lines; score: 0.5"),
        ({"b": {"c": {}}, "d": [[]]}, "d: [[]]"),
        ({"a\nb": "x"}, "a b: x"),
        ("alone", "value: alone"),
        (7, "value: 7"),
    ],
)  # fmt: skip
def test_fields_are_flattened(tmp_path, record, line):
    assert read(tmp_path, json.dumps(record)) == [line.strip()]


def test_deep_objects_end_as_json(tmp_path):
    record: object = {"end": 1}
    for _ in range(9):
        record = {"x": record}

    assert read(tmp_path, json.dumps(record)) == [".".join("x" * 8) + ': {"x":{"end":1}}']


def test_long_arrays_are_read_in_pieces(tmp_path):
    records = [{"id": n, "text": "a word " * (n % 40)} for n in range(3000)]
    records[1500]["text"] = "word " * 50_000

    found = load(tmp_path, json.dumps(records, indent=1))

    assert found[0].locator == {"rows": [1, 50]}
    assert found[-1].locator["rows"][1] == 3000
    assert [row["id"] for page in found for row in page.rows] == [str(n) for n in range(3000)]


def test_numbers_are_not_cut_where_a_piece_ends(tmp_path):
    numbers = list(range(100_000, 150_000))

    assert read(tmp_path, json.dumps(numbers)) == [f"value: {n}" for n in numbers]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id": 1}\n\n{"id": \n', "line 3 is not valid JSON: Expecting value"),
        ('{"id": 1}\n{"id": 2} x\n', "line 2 is not valid JSON: Extra data"),
        ('[{"id": 1},\n{"id": }]', "line 2 is not valid JSON: Expecting value"),
        ('[{"id": 1}\n{"id": 2}]', "line 2 is not valid JSON: a comma or the end"),
        ('[{"id": 1},\n{"id": 2}\n', "line 3 is not valid JSON: a comma or the end"),
        ('[{"id": 1},\n', "line 2 is not valid JSON: Expecting value"),
        ('[{"id": 1}]\n[{"id": 2}]', "line 2 is not valid JSON: there is more"),
        ("no JSON at all", "line 1 is not valid JSON: Expecting value"),
    ],
)
def test_what_is_no_json_is_told_with_its_line(tmp_path, text, said):
    error = failure(tmp_path, text)

    assert error.code == "broken_document"
    assert error.message.startswith(said)


@pytest.mark.parametrize("opening", ["[", "[[", '{"a":'])
def test_endless_nesting_is_refused(tmp_path, opening):
    assert failure(tmp_path, opening * 100_000).code in {"nested_too_deep", "broken_document"}


def test_numbers_too_long_for_a_number_are_told(tmp_path):
    assert failure(tmp_path, "1" * 10_000).message.startswith("line 1")


@pytest.mark.parametrize("text", ["[]", "\n \n", "{}", "[null, {}]"])
def test_nothing_but_empty_records_give_no_page(tmp_path, text):
    assert load(tmp_path, text) == []
