"""Text in, vectors of length 1 out: sentence-transformers encoders on ONNX Runtime."""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.errors import EngineError
from settings import settings

Vectors = npt.NDArray[np.float32]

BATCH = 16
_loading = threading.Lock()


class Embedder:
    """One loaded encoder; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        # Imported here: whoever only names an embedding model loads no runtime.
        import onnxruntime
        from tokenizers import Tokenizer

        facts = json.loads((folder / "encoder.json").read_text())
        self.dimensions: int = facts["dimensions"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads or os.cpu_count() or 1
        # Idle threads that spin would take the cores from the generator.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(folder / "model.onnx", options)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(facts["max_seq_length"])
        self._tokenizer.no_padding()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 (len(texts), dimensions), normalised; text beyond the model's window is cut."""
        encoded = self._tokenizer.encode_batch(list(texts))
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for rows in _batches([len(one.ids) for one in encoded]):
            vectors[rows] = self._run([encoded[row].ids for row in rows])
        return vectors

    def count(self, texts: Sequence[str]) -> int:
        """Tokens that `embed` reads of them all."""
        return sum(len(one.ids) for one in self._tokenizer.encode_batch(list(texts)))

    def _run(self, ids: list[list[int]]) -> Any:
        """One batch, padded to its longest."""
        width = max(map(len, ids))
        tokens = np.zeros((len(ids), width), np.int64)
        mask = np.zeros_like(tokens)
        for row, one in enumerate(ids):
            tokens[row, : len(one)] = one
            mask[row, : len(one)] = 1
        return self._session.run(None, {"input_ids": tokens, "attention_mask": mask})[0]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Row numbers, sorted by length so that a batch wastes little on padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def get_embedder(name: str | None = None) -> Embedder:
    """The encoder called `name` (default: the deployment's), loaded once per process.

    Raises EngineError `unknown_embedder` if its weights are not on this machine.
    """
    with _loading:
        return _load(name or settings.embed_model)


@lru_cache(maxsize=2)
def _load(name: str) -> Embedder:
    folder = settings.weights_dir / name.rpartition("/")[2]
    if not (folder / "model.onnx").is_file():
        raise EngineError(
            "unknown_embedder",
            f"no weights for the embedding model {name}; `redten weights` makes the default's",
        )
    return Embedder(folder)
