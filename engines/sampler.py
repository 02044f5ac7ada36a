"""llama.cpp's samplers, one chain an answer."""

from typing import Any

import llama_cpp
import numpy as np

from engines.context import Logits
from engines.errors import EngineError
from engines.model import Model
from engines.sampling import Sampling

PENALTY_WINDOW = 64
LARGEST_SEED = 2**32 - 1


class Chain:
    """The samplers of one answer; raises EngineError `bad_grammar` for a grammar that is none."""

    def __init__(self, model: Model, wanted: Sampling) -> None:
        options = llama_cpp.llama_sampler_chain_default_params()
        self.pointer: Any = llama_cpp.llama_sampler_chain_init(options)
        try:
            for one in (*_limits(model, wanted), *_draw(wanted)):
                llama_cpp.llama_sampler_chain_add(self.pointer, one)
        except EngineError:
            self.close()
            raise

    def close(self) -> None:
        """Frees the samplers."""
        llama_cpp.llama_sampler_free(self.pointer)


def _limits(model: Model, wanted: Sampling) -> list[Any]:
    made: list[Any] = []
    if wanted.grammar is not None:
        made.append(_grammar(model, wanted.grammar))
    made.append(
        llama_cpp.llama_sampler_init_penalties(
            model.vocabulary_size,
            PENALTY_WINDOW,
            wanted.repeat_penalty,
            wanted.frequency_penalty,
            wanted.presence_penalty,
        )
    )
    return made


def _draw(wanted: Sampling) -> list[Any]:
    if not wanted.temperature:
        return [llama_cpp.llama_sampler_init_greedy()]
    return [
        # 0 is llama.cpp's word for all.
        llama_cpp.llama_sampler_init_top_k(wanted.top_k),
        llama_cpp.llama_sampler_init_top_p(wanted.top_p, 1),
        llama_cpp.llama_sampler_init_min_p(wanted.min_p, 1),
        llama_cpp.llama_sampler_init_temp(wanted.temperature),
        llama_cpp.llama_sampler_init_dist(wanted.seed & LARGEST_SEED),
    ]


def _grammar(model: Model, text: str) -> Any:
    made = llama_cpp.llama_sampler_init_grammar(model.vocabulary, text.encode(), b"root")
    if not made:
        raise EngineError("bad_grammar", "the grammar cannot be read: it must be GBNF with a root")
    return made


def log_probability(logits: Logits, token: int) -> float:
    """The token's natural log-probability before any sampler."""
    highest = logits.max()
    total = np.exp(logits - highest).sum()
    return float(logits[token] - highest - np.log(total))
