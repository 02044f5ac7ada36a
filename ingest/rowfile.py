"""Rows from elsewhere as one file: Parquet, which keeps types, or CSV where pyarrow is missing."""

import csv
import importlib.util
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

KEPT = (bool, int, float, str, bytes, memoryview)
KEPT_MODULES = {"datetime", "decimal"}
BINARY = "(binary)"
# Python's csv module reads no longer ones.
CSV_CELL_CHARS = 131_072

Batch = Sequence[Sequence[Any]]


def write_rows(folder: Path, header: Sequence[str], batches: Iterable[Batch]) -> Path:
    """The file that the rows have become, in `folder`; its suffix says which format it has.

    Only one batch is held at a time. What is neither text, number nor moment is kept as JSON or
    as it would be printed; in CSV binary values are named only, and long ones are cut.
    """
    if importlib.util.find_spec("pyarrow"):
        from ingest.parquet_file import write_parquet

        path = folder / "rows.parquet"
        write_parquet(path, header, ([list(map(plain, row)) for row in batch] for batch in batches))
    else:
        path = folder / "rows.csv"
        _write_csv(path, header, batches)
    return path


def plain(value: Any) -> Any:
    """The value as one that a column of a file can hold."""
    if value is None or isinstance(value, KEPT) or type(value).__module__ in KEPT_MODULES:
        return value
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def printed(value: Any) -> str:
    """A plain value as text; that of a binary one says so."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case bytes() | memoryview():
            return BINARY
    return str(value)


def _write_csv(path: Path, header: Sequence[str], batches: Iterable[Batch]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        # With everything in quotes the delimiter cannot be mistaken.
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for row in (row for batch in batches for row in batch):
            writer.writerow([printed(plain(value))[:CSV_CELL_CHARS] for value in row])
