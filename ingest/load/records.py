"""JSON lines, and JSON that is one array: each record a line that names its fields."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TextIO

from ingest.load.encoding import open_text
from ingest.load.json_stream import array_items, begins_array, broken
from ingest.load.page import LoadError, Page
from ingest.load.rows import CELL_CHARS, Row, one_line, row_pages

NO_TEXT = "the file holds no records, or nothing but empty ones"
DEEPEST = 8


def pages(path: Path, name: str) -> Iterator[Page]:
    """One per 50 records or fewer; records are counted from 1, blank lines are none.

    Fields of nested objects go by a path with dots, eight objects deep; lists of plain values are
    joined, other values in the depth are JSON. A record that is no object is the field `value`.
    """
    with open_text(path) as file:
        values = array_items(file) if begins_array(file) else _lines(file)
        rows = (Row(number, _cells(value)) for number, value in enumerate(values, 1))
        try:
            yield from row_pages(rows, count(1))
        except RecursionError as exc:
            raise LoadError("nested_too_deep", "a record of the file is nested too deep") from exc


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _lines(file: TextIO) -> Iterator[object]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as exc:
                raise broken(number, exc) from exc


def _cells(value: object) -> list[tuple[str, str]]:
    fields = ((one_line(name) or "value", _text(inner)) for name, inner in _flat("", value))
    return [(name, line) for name, text in fields if (line := one_line(text[:CELL_CHARS]))]


def _flat(name: str, value: object, depth: int = 0) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and depth < DEEPEST:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner, depth + 1)
    else:
        yield name, value


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case list() | dict() if not value:
            return ""
        case str():
            return value
        case list() if not any(isinstance(item, list | dict) for item in value):
            return ", ".join(map(_text, value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
