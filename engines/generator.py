"""Text generation by a GGUF model through llama.cpp: one loaded model, one answer at a time."""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from engines import catalog, prompt
from engines.errors import EngineError
from settings import settings

log = logging.getLogger(__name__)
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; temperature 0 takes the likeliest, so that a repeat is the same."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer and what it cost; `finish` is stop, length or deadline."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float


class Generator:
    """One loaded model. Threads may share it: they take turns."""

    def __init__(self, path: Path) -> None:
        # Imported here: whoever only names a model loads no llama.cpp.
        import llama_cpp

        from engines.llama_log import forward_llama_log

        self.name = path.name
        threads = settings.threads or os.cpu_count() or 1
        try:
            self._llama: Any = llama_cpp.Llama(
                str(path),
                n_ctx=settings.n_ctx,
                n_threads=threads,
                n_threads_batch=threads,
                verbose=False,
            )
        except ValueError as error:
            raise EngineError("broken_weights", f"{path.name} cannot be loaded") from error
        forward_llama_log()
        self._turn = threading.Lock()
        self._template: str = self._llama.metadata.get("tokenizer.chat_template", prompt.CHATML)
        self._bos, self._eos = (
            self._llama.detokenize([token], special=True).decode() if token >= 0 else ""
            for token in (self._llama.token_bos(), self._llama.token_eos())
        )

    def close(self) -> None:
        """Frees the model, while llama.cpp is still there to do it."""
        self._llama.close()

    def tokens(self, messages: Sequence[prompt.Message]) -> list[int]:
        """The chat as token ids; only the template's text may become control tokens."""
        pieces = prompt.render(self._template, messages, self._bos, self._eos)
        ids: list[int] = []
        for number, piece in enumerate(pieces):
            if piece:
                from_template = number % 2 == 0
                ids += self._llama.tokenize(piece.encode(), add_bos=False, special=from_template)
        return ids

    def fit(
        self,
        question: str,
        passages: Sequence[prompt.Passage],
        turns: Sequence[prompt.Turn],
        budget: int,
    ) -> prompt.Fitted:
        """The fullest prompt of at most `budget` tokens; see `prompt.fit`."""
        return prompt.fit(lambda m: len(self.tokens(m)), question, passages, turns, budget)

    def generate(
        self,
        messages: Sequence[prompt.Message],
        sampling: Sampling,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Generation:
        """Answers the chat; `wanted` and the deadline are looked at with every token.

        An answer that meets its deadline ends there, with finish `deadline`. Raises EngineError
        `cancelled` when no longer wanted, `deadline` when time ran out before the first token.
        """
        ids = self.tokens(messages)
        deadline = time.monotonic() + settings.deadline_s
        with self._turn:
            started = time.monotonic()
            # A cache left by another question would change the order of sums, and near-ties.
            self._llama.reset()
            pieces, finish = self._stream(ids, sampling, wanted, deadline)
        if finish == "deadline" and not pieces:
            raise EngineError("deadline", f"no answer within {settings.deadline_s:g} seconds")
        text = "".join(pieces).strip()
        return Generation(text, finish, len(ids), len(pieces), time.monotonic() - started)

    def _stream(
        self, ids: list[int], sampling: Sampling, wanted: Callable[[], bool], deadline: float
    ) -> tuple[list[str], str]:
        pieces: list[str] = []
        for event in self._llama.create_completion(
            ids,
            stream=True,
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
        ):
            choice = event["choices"][0]
            if choice["finish_reason"]:
                return pieces + [choice["text"]] * bool(choice["text"]), choice["finish_reason"]
            pieces.append(choice["text"])
            if not wanted():
                raise EngineError("cancelled", "the question was withdrawn")
            if time.monotonic() > deadline:
                return pieces, "deadline"
        return pieces, "stop"


def get_generator(name: str | None = None) -> Generator:
    """The model that `name` resolves to, loaded once; another name takes its place in memory."""
    with _loading:
        return _load(catalog.resolve(name))


@lru_cache(maxsize=1)
def _load(path: Path) -> Generator:
    log.info("loading %s", path.name)
    generator = Generator(path)
    atexit.register(generator.close)
    return generator
