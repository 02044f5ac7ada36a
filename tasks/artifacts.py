"""What a document's steps leave each other: too large for a message, so it lies with the blobs.

Each attempt has a folder of its own, so that a stale one cannot disturb a newer one.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.embedder import Vectors
from ingest.chunk import Chunk
from ingest.load.page import Page
from ingest.load.wire import page_fields, page_of
from models.referred import work_folder
from tasks.blobs import fetched, put_patiently
from tasks.flow import Flow
from tasks.loose import remove_work

Vector = npt.NDArray[np.float32]


def folder(flow: Flow) -> str:
    """Where the steps of this attempt keep their work."""
    return work_folder(flow["tenant_id"], flow["id"], flow["attempt"])


def write_pages(flow: Flow, pages: Iterable[Page]) -> int:
    """Keeps the pages and counts them."""
    return _write_lines(folder(flow) + "pages", map(page_fields, pages))


def read_pages(flow: Flow) -> Iterator[Page]:
    """The pages that `write_pages` kept."""
    return map(page_of, _lines(folder(flow) + "pages"))


def write_chunks(flow: Flow, chunks: Iterable[Chunk]) -> int:
    """Keeps the chunks and counts them."""
    return _write_lines(folder(flow) + "chunks", map(asdict, chunks))


def read_chunks(flow: Flow) -> Iterator[Chunk]:
    """The chunks that `write_chunks` kept."""
    return (Chunk(**fields) for fields in _lines(folder(flow) + "chunks"))


def write_vectors(flow: Flow, batches: Iterable[Vectors]) -> None:
    """Keeps the vectors, in the order of the chunks."""
    with _kept(folder(flow) + "vectors") as path, path.open("wb") as file:
        for batch in batches:
            np.save(file, batch, allow_pickle=False)


def read_vectors(flow: Flow) -> Iterator[Vector]:
    """The vectors that `write_vectors` kept: float32 (dimensions,) each."""
    with fetched(folder(flow) + "vectors") as path, path.open("rb") as file:
        size = path.stat().st_size
        while file.tell() < size:
            yield from np.load(file, allow_pickle=False)


def remove_attempt(flow: Flow) -> None:
    """What this attempt left, once another has taken over or the document is gone."""
    remove_work(flow["tenant_id"], flow["id"], flow["attempt"])


def _write_lines(key: str, items: Iterable[Mapping[str, object]]) -> int:
    count = 0
    with _kept(key) as path, path.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(item) + "\n")
            count += 1
    return count


@contextmanager
def _kept(key: str) -> Iterator[Path]:
    """A file to be filled in the block, and stored whole after it."""
    with tempfile.TemporaryDirectory(prefix="redten-") as place:
        path = Path(place) / "file"
        yield path
        put_patiently(key, path)


def _lines(key: str) -> Iterator[dict[str, Any]]:
    with fetched(key) as path, path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
