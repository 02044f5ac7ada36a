"""The workers' application with a fake generator, which does what the question tells it to.

Everything else is real. `slow`, `slower` and `slowest` take a while, the last one longer than a
lease; `deadly` kills its process as a fault in native code would; `echo` answers with the sources
that it was given.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import engines.loaded
from engines import prompt
from engines.errors import EngineError
from engines.request import Generation
from engines.sampling import Sampling
from settings import settings

SECONDS = {"slowest": 5.0, "slower": 1.5, "slow": 0.02}
ASKED = settings.data_dir / "run" / "asked"  # one line for every question that reached the engine


class FakeGenerator:
    """Words for tokens."""

    name, n_ctx = "fake.gguf", 4096

    def fit(
        self,
        question: str,
        passages: Sequence[prompt.Passage],
        turns: Sequence[prompt.Turn],
        budget: int,
    ) -> prompt.Fitted:
        return prompt.fit(_words, question, passages, turns, budget)

    def count(self, asked: Sequence[prompt.Message] | str) -> int:
        return len(asked.split()) if isinstance(asked, str) else _words(list(asked))

    def generate(
        self,
        asked: Sequence[prompt.Message] | str,
        sampling: Sampling,
        wanted: Callable[[], bool],
        told: Callable[[str], None],
        adapter: Path | None,
        scope: str,
    ) -> Generation:
        began = time.monotonic()
        text = asked if isinstance(asked, str) else asked[-1]["content"]
        with ASKED.open("a") as file:
            file.write(text.rpartition("Question: ")[2].replace("\n", " ") + "\n")
        if "deadly" in text:
            os.kill(os.getpid(), signal.SIGKILL)
        _sleep(next((wait for word, wait in SECONDS.items() if word in text), 0.0), wanted)
        answer = (text if "echo" in text else "An answer.").split(" ")
        pieces = [answer[0], *(f" {word}" for word in answer[1:])]
        for piece in pieces:
            told(piece)
        chances = tuple((piece, -0.1) for piece in pieces)
        seconds = time.monotonic() - began
        return Generation(
            "".join(pieces), "stop", self.count(asked), 0, len(pieces), -0.1, chances, 0.0, seconds
        )


def _sleep(seconds: float, wanted: Callable[[], bool]) -> None:
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        if not wanted():
            raise EngineError("cancelled", "the question was withdrawn")
        time.sleep(min(0.02, max(0.0, over - time.monotonic())))


def _words(messages: list[prompt.Message]) -> int:
    return sum(len(one["content"].split()) for one in messages)


class FakeLoaded:
    """One model, always there."""

    def keep(self, path: Path) -> None: ...


@contextmanager
def _borrowed(path: Path) -> Iterator[FakeGenerator]:
    yield FakeGenerator()


engines.loaded.borrowed = _borrowed  # type: ignore[assignment]
engines.loaded.loaded = FakeLoaded  # type: ignore[assignment]

from tasks.app import app  # noqa: E402 - the steps must see the fake

__all__ = ["app"]
