"""Text in, vectors of length 1 out: sentence-transformers encoders on ONNX Runtime."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from engines.encoder import Encoder
from engines.encoder_facts import GRAPHS, TOKENIZER, Facts, Precision, find
from engines.microbatch import MicroBatcher, Tokens, Vectors
from engines.pooling import pooled
from engines.tokens import Cutter, Tokenizer
from settings import settings

log = logging.getLogger(__name__)
TextKind = Literal["document", "query"]

# Padded tokens computed at once. More are no faster on a CPU, and let a question wait longer.
SLICE_TOKENS = 1024
_loading = threading.Lock()


class Embedder:
    """One loaded encoder; threads share it, and what they ask for at once is computed together."""

    def __init__(self, folder: Path, facts: Facts, precision: Precision) -> None:
        self.name, self.dimensions, self.precision = facts.name, facts.dimensions, precision
        self._prompts = {"query": facts.query_prompt, "document": facts.document_prompt}
        self._pooling = facts.pooling
        self._tokenizer = Tokenizer(folder / TOKENIZER)
        self._cutter = Cutter(folder / TOKENIZER, facts.max_seq_length)
        prompt = max(self._tokenizer.lengths([*self._prompts.values()]))
        # Tokens of a text that are read: special ones and the prompt take their part of all.
        self.window = facts.max_seq_length - self._cutter.special - prompt
        self._encoder = Encoder(folder / GRAPHS[precision])
        self._batcher = MicroBatcher(self._compute, self.dimensions, SLICE_TOKENS)

    def embed(
        self,
        texts: Sequence[str],
        kind: TextKind = "document",
        wanted: Callable[[], bool] = lambda: True,
    ) -> Vectors:
        """float32 (len(texts), dimensions), normalised; text beyond the model's window is cut.

        A query goes before all documents that wait, and both have the prompt that the model was
        trained with. Raises EngineError `cancelled` when no longer `wanted`.
        """
        return self._batcher.run(self._ids(texts, kind), kind == "query", wanted)

    def count(self, texts: Sequence[str], kind: TextKind = "document") -> int:
        """Tokens that `embed` reads of them all, special ones and prompts included."""
        return sum(map(len, self._ids(texts, kind)))

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones not counted, be they more than the window or not."""
        return self._tokenizer.lengths(texts)

    def _ids(self, texts: Sequence[str], kind: TextKind) -> list[list[int]]:
        return self._cutter.ids([self._prompts[kind] + text for text in texts])

    def _compute(self, ids: list[Tokens]) -> Vectors:
        states, mask = self._encoder.run(ids)
        return pooled(states, mask, self._pooling)


def get_embedder(name: str | None = None) -> Embedder:
    """The encoder called `name` (default: the deployment's), loaded once per process.

    Raises EngineError `unknown_embedder` if its weights are not on this machine.
    """
    with _loading:
        return _load(name or settings.embed_model)


def get_tokenizer(name: str | None = None) -> Tokenizer:
    """The tokenizer of the encoder called `name`, without its weights. Raises as `get_embedder`."""
    with _loading:
        return _load_tokenizer(name or settings.embed_model)


@lru_cache(maxsize=3)
def _load(name: str) -> Embedder:
    folder, facts = find(settings.weights_dir, name, "embedder")
    wanted = settings.embed_precision
    precision = facts.precision if wanted == "auto" else wanted
    log.info("embedding by %s in %s", facts.name, precision)
    return Embedder(folder, facts, precision)


@lru_cache(maxsize=8)
def _load_tokenizer(name: str) -> Tokenizer:
    folder, _ = find(settings.weights_dir, name, "embedder")
    return Tokenizer(folder / TOKENIZER)
