"""Vectors of texts as a Parquet file, written a part at a time."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet


class VectorFile:
    """Columns `row`, `text` and `vector`, a list of float32 of fixed size."""

    def __init__(self, writer: parquet.ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema

    def append(self, rows: list[int], texts: list[str], vectors: npt.NDArray[np.float32]) -> None:
        """A row group of them; `vectors` is (len(texts), dimensions)."""
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
        lists = pa.FixedSizeListArray.from_arrays(flat, type=self._schema.field("vector").type)
        columns = [pa.array(rows, pa.int64()), pa.array(texts, pa.string()), lists]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))


@contextmanager
def writing(path: Path, dimensions: int, **facts: str) -> Iterator[VectorFile]:
    """A new file, whole at the end of the block; `facts` are kept in the metadata of its schema."""
    schema = pa.schema(
        [
            ("row", pa.int64()),
            ("text", pa.string()),
            ("vector", pa.list_(pa.float32(), dimensions)),
        ],
        metadata=facts,
    )
    with parquet.ParquetWriter(path, schema) as writer:
        yield VectorFile(writer, schema)


def joined(path: Path, pieces: Iterable[Path]) -> None:
    """One file of several, of which one row group at a time is held."""
    with ExitStack() as stack:
        writer: parquet.ParquetWriter | None = None
        for piece in pieces:
            with parquet.ParquetFile(piece) as file:
                if writer is None:
                    writer = stack.enter_context(parquet.ParquetWriter(path, file.schema_arrow))
                for number in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(number))
