"""How well texts answer a question, judged by a cross-encoder that reads both together."""

import itertools
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from engines.encoder import Encoder
from engines.encoder_facts import GRAPHS, TOKENIZER, Facts, find
from engines.tokens import Cutter
from settings import settings

# Padded tokens of the pairs computed at once; the budget is looked at in between.
SLICE_TOKENS = 1024
_loading = threading.Lock()


class Reranker:
    """One loaded cross-encoder; safe to share between threads."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.name = facts.name
        self._cutter = Cutter(folder / TOKENIZER, facts.max_seq_length)
        self._encoder = Encoder(folder / GRAPHS["float32"])

    def score(self, question: str, texts: Sequence[str], budget_s: float) -> list[float]:
        """Relevance 0–1 (the logistic function of the model's score) of the first texts.

        Of as many as the budget allows: it ends where one more slice as slow as the slowest yet
        would go beyond it. At least the first slice is judged.
        """
        pairs = self._cutter.pairs(question, texts)
        began = before = time.monotonic()
        scores: list[float] = []
        slowest = 0.0
        while len(scores) < len(pairs) and before + slowest <= began + budget_s:
            scores += self._slice(pairs[len(scores) :])
            now = time.monotonic()
            slowest, before = max(slowest, now - before), now
        return scores

    def _slice(self, pairs: Sequence[Any]) -> list[float]:
        """The scores of the first pairs, of as many as are computed at once."""
        widths = itertools.accumulate((len(one.ids) for one in pairs), max)
        fits = (number * width <= SLICE_TOKENS for number, width in enumerate(widths, 1))
        count = max(1, sum(itertools.takewhile(bool, fits)))
        first = pairs[:count]
        logits, _ = self._encoder.run([one.ids for one in first], [one.type_ids for one in first])
        return [float(one) for one in 1 / (1 + np.exp(-logits.reshape(count)))]


def get_reranker(name: str) -> Reranker:
    """The cross-encoder called `name`, loaded once per process.

    Raises EngineError `unknown_embedder` if its weights are not on this machine.
    """
    with _loading:
        return _load(name)


@lru_cache(maxsize=1)
def _load(name: str) -> Reranker:
    folder, facts = find(settings.weights_dir, name, "reranker")
    return Reranker(folder, facts)
