"""What a document's steps leave each other: too large for a message, so it lies with the blobs.

Each attempt has a folder of its own, so that a stale one cannot disturb a newer one.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from engines.embedder import Vectors
from ingest.chunk import Chunk
from ingest.load import Page
from tasks.blobs import fetched, get_blobs, work_key
from tasks.flow import Flow


def folder(flow: Flow) -> str:
    """Where the steps of this attempt keep their work."""
    return f"{work_key(flow['tenant_id'], flow['id'])}/{flow['attempt']}/"


def write_pages(flow: Flow, pages: Iterable[Page]) -> int:
    """Keeps the pages and counts them."""
    return _write_lines(folder(flow) + "pages", pages)


def read_pages(flow: Flow) -> Iterator[Page]:
    """The pages that `write_pages` kept."""
    for line in _lines(folder(flow) + "pages"):
        yield Page(**json.loads(line))


def write_chunks(flow: Flow, chunks: Iterable[Chunk]) -> int:
    """Keeps the chunks and counts them."""
    return _write_lines(folder(flow) + "chunks", chunks)


def read_chunks(flow: Flow) -> list[Chunk]:
    """The chunks that `write_chunks` kept."""
    return [Chunk(**json.loads(line)) for line in _lines(folder(flow) + "chunks")]


def write_vectors(flow: Flow, batches: list[Vectors]) -> None:
    """Keeps the vectors, in the order of the chunks."""
    with tempfile.TemporaryDirectory(prefix="redten-") as place:
        path = Path(place) / "vectors.npy"
        np.save(path, np.concatenate(batches), allow_pickle=False)
        get_blobs().put(folder(flow) + "vectors", path)


def read_vectors(flow: Flow) -> Vectors:
    """float32 (chunks, dimensions)."""
    with fetched(folder(flow) + "vectors") as path, path.open("rb") as file:
        return np.asarray(np.load(file, allow_pickle=False), np.float32)


def remove(tenant_id: int, document_id: int) -> None:
    """Everything of all attempts; for a document that is over."""
    get_blobs().remove(work_key(tenant_id, document_id))


def remove_attempt(flow: Flow) -> None:
    """What this attempt left, once another has taken over or the document is gone."""
    get_blobs().remove(folder(flow).rstrip("/"))


def _write_lines(key: str, items: Iterable[Page | Chunk]) -> int:
    count = 0
    with tempfile.TemporaryDirectory(prefix="redten-") as place:
        path = Path(place) / "lines"
        with path.open("w", encoding="utf-8") as file:
            for item in items:
                file.write(json.dumps(asdict(item)) + "\n")
                count += 1
        get_blobs().put(key, path)
    return count


def _lines(key: str) -> Iterator[str]:
    with fetched(key) as path, path.open(encoding="utf-8") as file:
        yield from file
