"""Text generation by a GGUF model through llama.cpp: one loaded model, many answers at once."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import llama_cpp

from engines import prompt
from engines.errors import EngineError
from engines.model import Model
from engines.prefix_files import PrefixFiles
from engines.prefix_store import PrefixStore, fingerprint
from engines.request import Generation, Request, Terms, silent
from engines.sampling import Sampling
from engines.scheduler import Scheduler
from settings import settings


class Generator:
    """One loaded model. Threads may share it: their answers are written together.

    Raises EngineError `broken_weights` or `no_memory`.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._model = Model(path)
        self.n_ctx = min(settings.n_ctx, self._model.n_ctx_train)
        # A saved state means something to the same weights and the same llama.cpp only.
        key = f"{llama_cpp.__version__}-{fingerprint(path)}"
        folder = settings.prefix_dir or settings.data_dir / "prefixes"
        files = PrefixFiles(folder, key, settings.prefix_disk_bytes)
        self._store = PrefixStore(files, settings.prefix_ram_bytes)
        self._scheduler = Scheduler(
            self._model, self._store, settings.kv_cells, settings.answers_at_once
        )

    @property
    def memory_bytes(self) -> int:
        """What it takes: weights, both caches, and the prompts kept in memory."""
        cells = settings.kv_cells + settings.n_ctx
        return (
            self._model.size_in_bytes + cells * self._model.cell_bytes + settings.prefix_ram_bytes
        )

    @property
    def is_running(self) -> bool:
        """False once its engine has gone down: no question will be answered any more."""
        return self._scheduler.is_running

    def close(self) -> None:
        """Ends what is under way, and frees the model."""
        self._scheduler.stop()
        self._store.close()
        self._model.close()

    def count(self, asked: Sequence[prompt.Message] | str) -> int:
        """Tokens of a chat, or of a text, as the model reads it."""
        return len(self._tokens(asked))

    def _tokens(self, asked: Sequence[prompt.Message] | str) -> list[int]:
        if isinstance(asked, str):
            return self._model.tokenize(asked, begin=True)
        return self._model.chat(asked)

    def tokenize(self, text: str) -> list[int]:
        """Token ids of a plain text; what it spells out never becomes a control token."""
        return self._model.tokenize(text)

    def fit(
        self,
        question: str,
        passages: Sequence[prompt.Passage],
        turns: Sequence[prompt.Turn],
        budget: int,
    ) -> prompt.Fitted:
        """The fullest prompt of at most `budget` tokens; see `prompt.fit`."""
        return prompt.fit(self.count, question, passages, turns, budget)

    def generate(
        self,
        asked: Sequence[prompt.Message] | str,
        sampling: Sampling,
        wanted: Callable[[], bool] = lambda: True,
        told: Callable[[str], None] = silent,
        adapter: Path | None = None,
        scope: str = "",
    ) -> Generation:
        """Answers a chat, or goes on with a text.

        `wanted` and the deadline are looked at with every token; `told` hears each new piece of
        text, in the engine's thread. An answer that meets its deadline ends there, with finish
        `deadline`. Only prompts of the same `scope`, letters and digits, share what was computed.
        Raises EngineError `cancelled` when no longer wanted, `deadline` when time ran
        out before the first token, `too_long`, `bad_grammar`, `broken_adapter`; EngineStopped.
        """
        deadline = time.monotonic() + settings.deadline_s
        is_chat = not isinstance(asked, str)
        # Tenants share nothing, or the time that an answer takes would tell what others ask.
        key = f"{_content(adapter)}.{scope}"
        terms = Terms(deadline, wanted, told, adapter, key, trim=is_chat)
        request = Request(self._tokens(asked), sampling, terms)
        self._scheduler.submit(request)
        return request.result()

    def score(self, messages: Sequence[prompt.Message], answer: Sequence[int]) -> list[float]:
        """Natural log-probability of each token of an answer to the chat, were it given.

        Ends with the first token that ends an answer.
        """
        sampling = Sampling(len(answer), script=tuple(answer))
        return [chance for _, chance in self.generate(messages, sampling).tokens]


def _content(adapter: Path | None) -> str:
    try:
        return fingerprint(adapter) if adapter else "none"
    except OSError as error:
        raise EngineError("broken_adapter", f"the adapter cannot be read: {error}") from error
