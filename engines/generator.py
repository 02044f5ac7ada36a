"""Text generation by a GGUF model through llama.cpp: one loaded model, many answers at once."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import llama_cpp

from engines import prompt
from engines.cache import Cache
from engines.context import Context
from engines.errors import EngineError, EngineStopped
from engines.model import Adapter, Model
from engines.nursery import Nursery
from engines.prefix_files import PrefixFiles
from engines.prefix_store import PrefixStore, fingerprint
from engines.request import Generation, Request, Terms, silent
from engines.sampling import Sampling
from engines.scheduler import Scheduler
from engines.watchdog import watch
from settings import settings


class Generator:
    """One loaded model. Threads may share it: their answers are written together.

    Raises EngineError `broken_weights` or `no_memory`.
    """

    def __init__(self, path: Path, flash_attention: bool = settings.flash_attention) -> None:
        self.name = path.name
        self._using, self._closed = threading.Lock(), False
        self._model = model = Model(path)
        self.n_ctx = min(settings.n_ctx, model.n_ctx_train)
        # A saved state means something to the same weights, llama.cpp and kind of attention only.
        attention = "flash" if flash_attention else "plain"
        key = f"{llama_cpp.__version__}-{attention}-{fingerprint(path)}"
        folder = settings.prefix_dir or settings.data_dir / "prefixes"
        files = PrefixFiles(folder, key, settings.prefix_disk_bytes)
        self._store = PrefixStore(files, settings.prefix_ram_bytes)
        main = Context(model, settings.kv_cells, settings.answers_at_once, flash_attention)
        apart = Context(model, settings.n_ctx, 1, flash_attention)
        cache = Cache(main, self._store, model.has_prefixes)
        self._scheduler = Scheduler(model, cache, Nursery(apart))
        self._unwatch = watch(lambda: self._scheduler.began, settings.turn_limit_s)

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
        """Ends what is under way, and frees the model; harmless to repeat."""
        with self._using:
            if self._closed:
                return
            self._closed = True
            self._scheduler.stop()
            self._unwatch()
            self._store.close()
            self._model.close()

    def count(self, asked: Sequence[prompt.Message] | str) -> int:
        """Tokens of a chat, or of a text, as the model reads it."""
        return len(self._tokens(asked))

    def _tokens(self, asked: Sequence[prompt.Message] | str) -> list[int]:
        with self._using:
            # The words of a model that was freed cannot be looked up.
            if self._closed:
                raise EngineStopped
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
        found = _found(adapter) if adapter else None
        key = f"{found.content if found else 'none'}.{scope}"
        terms = Terms(deadline, wanted, told, found, key, trim=is_chat)
        tokens = self._tokens(asked)
        if not tokens:
            raise EngineError("empty_prompt", "there is nothing to go on with: give some text")
        request = Request(tokens, sampling, terms)
        self._scheduler.submit(request)
        return request.result()

    def score(self, messages: Sequence[prompt.Message], answer: Sequence[int]) -> list[float]:
        """Natural log-probability of each token of an answer to the chat, were it given.

        Ends with the first token that ends an answer.
        """
        sampling = Sampling(len(answer), script=tuple(answer))
        return [chance for _, chance in self.generate(messages, sampling).tokens]


def _found(adapter: Path) -> Adapter:
    try:
        return Adapter(adapter, fingerprint(adapter))
    except OSError as error:
        raise EngineError("broken_adapter", f"the adapter cannot be read: {error}") from error
