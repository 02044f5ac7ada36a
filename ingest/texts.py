"""Texts to be embedded, out of a file of them: a line, a record or a row for each."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
from pyarrow import parquet, types

from ingest.load.encoding import open_text
from ingest.load.page import LoadError

TEXT_CHARS = 200_000
BATCH_ROWS = 1_000
USUAL = "text"
PARQUET = (b"PAR1", b"PARE")
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
RECORDS = (".jsonl", ".ndjson")
MOST_NAMED = 20


def texts(path: Path, name: str, column: str = "") -> Iterator[tuple[int, str]]:
    """(row, text) of each that is not blank; rows, records and lines are counted from 1.

    The name tells the format: CSV, TSV, JSON lines, Parquet, or else a text a line. `column` is
    the one of the texts, by default `text` or the only one. Raises LoadError.
    """
    suffix = PurePosixPath(name).suffix.lower()
    for row, text in enumerate(_cells(path, suffix, column), 1):
        if text.strip():
            if len(text) > TEXT_CHARS:
                raise LoadError(
                    "text_too_long", f"row {row}: a text has at most {TEXT_CHARS:,} characters"
                )
            # Half characters, as JSON may hold them, can be neither embedded nor written.
            yield row, text.encode(errors="replace").decode()


def _cells(path: Path, suffix: str, column: str) -> Iterator[str]:
    with path.open("rb") as file:
        is_parquet = suffix == ".parquet" or file.read(4) in PARQUET
    if is_parquet:
        return _parquet(path, column)
    if suffix in DELIMITERS:
        return _table(path, DELIMITERS[suffix], column)
    if suffix in RECORDS:
        return _records(path, column)
    if column:
        said = "name the file .csv, .tsv, .jsonl or .parquet, or leave out the column"
        raise LoadError("no_columns", f"a file of lines has no columns: {said}")
    return _lines(path)


def _lines(path: Path) -> Iterator[str]:
    with open_text(path) as file:
        # A line that does not end must not fill the memory before it is refused.
        while line := file.readline(TEXT_CHARS + 2):
            yield line.rstrip("\n")


def _table(path: Path, delimiter: str, column: str) -> Iterator[str]:
    csv.field_size_limit(TEXT_CHARS + 1)
    with open_text(path, newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        try:
            header = next(rows, [])
            at = header.index(_chosen(header, column))
            for row in rows:
                yield row[at] if at < len(row) else ""
        except csv.Error as exc:
            said = f"the table is broken at line {rows.line_num}: {exc}"
            raise LoadError("broken_document", said) from exc


def _records(path: Path, column: str) -> Iterator[str]:
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            yield _field(_record(line, number), number, column) if line.strip() else ""


def _record(line: str, number: int) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise LoadError("broken_document", f"line {number} is not valid JSON: {exc}") from exc


def _field(record: object, number: int, column: str) -> str:
    value = record
    if isinstance(record, Mapping):
        value = record.get(_chosen(list(record), column))
    if value is None:
        return ""
    if not isinstance(value, str):
        said = f"line {number} holds no text there, but {type(value).__name__}"
        raise LoadError("no_text", said)
    return value


def _parquet(path: Path, column: str) -> Iterator[str]:
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            chosen = _chosen(schema.names, column)
            kind = schema.field(chosen).type
            if not (types.is_string(kind) or types.is_large_string(kind)):
                raise LoadError("no_text", f"the column {chosen} holds no texts but {kind}")
            for batch in file.iter_batches(BATCH_ROWS, columns=[chosen], use_threads=False):
                yield from (value or "" for value in batch.column(0).to_pylist())
    except (pa.ArrowException, OSError, ValueError, OverflowError) as exc:
        raise LoadError("broken_document", "the Parquet file is damaged or encrypted") from exc


def _chosen(columns: Sequence[str], wanted: str) -> str:
    """The column that is meant. Raises LoadError."""
    if wanted in columns or (not wanted and len(columns) == 1):
        return wanted or columns[0]
    if not wanted and USUAL in columns:
        return USUAL
    named = ", ".join(columns[:MOST_NAMED])
    said = f"there is no column {wanted!r}" if wanted else "which column holds the texts?"
    raise LoadError("unknown_column", f"{said} There are: {named}")
