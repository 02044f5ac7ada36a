"""Parquet: each row a line that names its columns, read a few rows at a time."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet, types

from ingest.load.page import LoadError, Page
from ingest.load.rows import PAGE_ROWS, Row, named, one_line, row_pages

NO_TEXT = "the Parquet file has no rows, or nothing but empty and binary cells in them"
ENCRYPTED_MAGIC = b"PARE"
BINARY_KINDS = (
    *(types.is_binary, types.is_large_binary, types.is_binary_view),
    types.is_fixed_size_binary,
)
NO_FRACTION = re.compile(r"\.0+$")
# Named, so that it is known that there is something; no text.
BINARY = "(binary)"


def pages(path: Path, name: str) -> Iterator[Page]:
    """One per 50 rows or fewer; rows are counted from 1, with those that have only empty cells.

    Nested values are JSON, moments ISO 8601 in UTC where they have a time zone. Binary columns
    are named in each row and not read.
    """
    try:
        with parquet.ParquetFile(path) as file:
            yield from row_pages(_rows(file), count(1))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as exc:
        raise _told(path, exc) from exc


def count_pages(path: Path) -> int:
    """Always 0: long rows make more pages."""
    return 0


def _told(path: Path, exc: Exception) -> LoadError:
    with path.open("rb") as file:
        encrypted = file.read(len(ENCRYPTED_MAGIC)) == ENCRYPTED_MAGIC
    if encrypted or "encrypt" in str(exc).lower():
        return LoadError(
            "encrypted_document", "the Parquet file is encrypted; save a copy without encryption"
        )
    return LoadError("broken_document", "the Parquet file is damaged or incomplete")


def _rows(file: parquet.ParquetFile) -> Iterator[Row]:
    schema = file.schema_arrow
    header = [one_line(column) for column in schema.names]
    readable = list(dict.fromkeys(f.name for f in schema if not _is_binary(f.type)))
    if not readable:
        return
    numbers = count(1)
    # More rows at once would be faster, but fifty long ones take memory enough.
    for batch in file.iter_batches(PAGE_ROWS, columns=readable, use_threads=False):
        for values in zip(*_columns(batch, schema), strict=True):
            yield Row(next(numbers), named(header, values))


def _columns(batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[Sequence[str]]:
    """The cells by column, in the order of the file; a batch keeps columns of one name together."""
    read: dict[str, list[pa.Array]] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        read.setdefault(name, []).append(column)
    for field in schema:
        column = read[field.name].pop(0) if field.name in read else None
        yield [BINARY] * batch.num_rows if _is_binary(field.type) else _texts(column)


def _is_binary(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in BINARY_KINDS)


def _texts(column: pa.Array) -> Sequence[str]:
    """The cells as text; those without a value, and numbers that are none, are empty."""
    kind = column.type
    if types.is_timestamp(kind):
        return [
            _moment(text, bool(kind.tz)) for text in _cast(column.cast(pa.timestamp(kind.unit)))
        ]
    if types.is_time(kind):
        return [NO_FRACTION.sub("", text) for text in _cast(column)]
    if types.is_floating(kind):
        return ["" if text == "nan" else text for text in _cast(column)]
    if types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType) or types.is_duration(kind):
        return [_compact(value) for value in column.to_pylist()]
    return _cast(column)


def _cast(column: pa.Array) -> list[str]:
    return [text or "" for text in column.cast(pa.string()).to_pylist()]


def _moment(text: str, in_utc: bool) -> str:
    short = NO_FRACTION.sub("", text)
    return f"{short}Z" if short and in_utc else short


def _compact(value: object) -> str:
    match value:
        case None:
            return ""
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_compact)
        case bytes():
            return BINARY
    return str(value)
