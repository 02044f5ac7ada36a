"""Rows as a Parquet file whose columns have the types of the values in them."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from ingest.rowfile import Batch, printed


def write_parquet(path: Path, header: Sequence[str], batches: Iterable[Batch]) -> None:
    """Columns of values that go together in no type become text; numbers may become floats.

    The rows lie in a spool at first: what a column holds is known when its last value is.
    """
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        types: list[pa.DataType] = [pa.null() for _ in header]
        count = 0
        for batch in batches:
            columns = [_column(values) for values in zip(*batch, strict=True)]
            types = [_common(a, b.type) for a, b in zip(types, columns, strict=True)]
            _append(spool, header, columns)
            count += 1
        spool.seek(0)
        schema = pa.schema(list(zip(header, types, strict=True)))
        with parquet.ParquetWriter(path, schema) as writer:
            for _ in range(count):
                writer.write_table(_next(spool).cast(schema, safe=False))


def _column(values: Iterable[Any]) -> pa.Array:
    kept = list(values)
    try:
        return pa.array(kept)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else printed(value) for value in kept], pa.string())


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    schemas = [pa.schema([("column", kind)]) for kind in (one, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowTypeError:
        return pa.string()


def _append(spool: IO[bytes], header: Sequence[str], columns: Sequence[pa.Array]) -> None:
    batch = pa.record_batch(list(columns), names=list(header))
    with pa.ipc.new_stream(spool, batch.schema) as writer:
        writer.write_batch(batch)


def _next(spool: IO[bytes]) -> pa.Table:
    with pa.ipc.open_stream(spool) as reader:
        return reader.read_all()
