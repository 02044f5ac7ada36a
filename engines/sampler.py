"""llama.cpp's samplers, one chain an answer."""

import ctypes
from typing import Any

import llama_cpp
import numpy as np

from engines import grammar
from engines.context import Logits
from engines.errors import EngineError
from engines.model import Model
from engines.sampling import Sampling

PENALTY_WINDOW = 64
LARGEST_SEED = 2**32 - 1
# llama.cpp's llama_token_data.
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Chain:
    """The samplers of one answer; raises EngineError `bad_grammar` for a grammar that is none."""

    def __init__(self, model: Model, wanted: Sampling) -> None:
        self._grammar: Any = None if wanted.grammar is None else _grammar(model, wanted.grammar)
        options = llama_cpp.llama_sampler_chain_default_params()
        self._chain: Any = llama_cpp.llama_sampler_chain_init(options)
        for one in (_penalties(model, wanted), *_draw(wanted)):
            llama_cpp.llama_sampler_chain_add(self._chain, one)
        self._ids = np.arange(model.vocabulary_size, dtype=np.int32)
        self._candidates = np.zeros(model.vocabulary_size, CANDIDATE)

    def draw(self, logits: Logits) -> int:
        """The next token. Raises EngineError `bad_grammar` where the grammar allows none."""
        found = self._candidates
        found["id"], found["logit"], found["p"] = self._ids, logits, 0.0
        data = found.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
        array = llama_cpp.llama_token_data_array(data, len(found), -1, False)
        if self._grammar:
            llama_cpp.llama_sampler_apply(self._grammar, ctypes.byref(array))
            # llama.cpp would draw one all the same, and end the process over it.
            if not np.isfinite(found["logit"]).any():
                raise EngineError("bad_grammar", "the grammar leaves nothing that could come next")
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        for one in filter(None, (self._grammar, self._chain)):
            llama_cpp.llama_sampler_accept(one, token)
        return token

    def close(self) -> None:
        """Frees the samplers."""
        for one in filter(None, (self._grammar, self._chain)):
            llama_cpp.llama_sampler_free(one)


def _penalties(model: Model, wanted: Sampling) -> Any:
    return llama_cpp.llama_sampler_init_penalties(
        model.vocabulary_size,
        PENALTY_WINDOW,
        wanted.repeat_penalty,
        wanted.frequency_penalty,
        wanted.presence_penalty,
    )


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
    grammar.check(text)
    made = llama_cpp.llama_sampler_init_grammar(model.vocabulary, text.encode(), b"root")
    if not made:
        raise EngineError("bad_grammar", "the grammar cannot be read: it must be GBNF with a root")
    return made


def log_probability(logits: Logits, token: int) -> float:
    """The token's natural log-probability before any sampler."""
    highest = logits.max()
    total = np.exp(logits - highest).sum()
    return float(logits[token] - highest - np.log(total))
