"""The workers' application with a fake generator, which does what the question tells it to.

Everything else is real. `slow`, `slower` and `slowest` take a while, the last one longer than a
lease; `deadly` kills its process as a fault in native code would; `echo` answers with the sources
that it was given.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence

import engines.generator
from engines import prompt
from engines.generator import Generation, Sampling
from settings import settings

SECONDS = {"slowest": 5.0, "slower": 1.5, "slow": 0.02}
ASKED = settings.data_dir / "run" / "asked"  # one line for every question that reached the engine


class FakeGenerator:
    """Words for tokens."""

    name = "fake.gguf"

    def fit(
        self,
        question: str,
        passages: Sequence[prompt.Passage],
        turns: Sequence[prompt.Turn],
        budget: int,
    ) -> prompt.Fitted:
        return prompt.fit(_words, question, passages, turns, budget)

    def generate(
        self,
        messages: Sequence[prompt.Message],
        sampling: Sampling,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Generation:
        asked = messages[-1]["content"]
        with ASKED.open("a") as file:
            file.write(asked.rpartition("Question: ")[2].replace("\n", " ") + "\n")
        if "deadly" in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(next((wait for word, wait in SECONDS.items() if word in asked), 0.0))
        return Generation(asked if "echo" in asked else "An answer.", "stop", 1, 1, 0.0)


def _words(messages: list[prompt.Message]) -> int:
    return sum(len(one["content"].split()) for one in messages)


engines.generator.get_generator = lambda name=None: FakeGenerator()  # type: ignore[assignment]

from tasks.app import app  # noqa: E402 - the steps must see the fake

__all__ = ["app"]
