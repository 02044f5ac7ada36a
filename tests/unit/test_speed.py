"""How the speed of a model is told from what its answers took. The model is a fake."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from engines import generator
from engines.prompt import Message
from engines.sampling import Sampling
from local.speed import measure


@dataclass
class Made:
    """Half a second to the first token, one more for all others."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 12
    seconds_to_first: float = 0.5
    seconds: float = 1.5


class Fake:
    """A token for each word."""

    asked: list[int]

    def __init__(self, _path: Path) -> None:
        Fake.asked = []

    def count(self, messages: Sequence[Message]) -> int:
        return len(messages[0]["content"].split())

    def generate(self, messages: Sequence[Message], sampling: Sampling) -> Made:
        Fake.asked.append(self.count(messages))
        return Made(Fake.asked[-1], sampling.max_tokens)

    def close(self) -> None:
        Fake.asked.append(-1)


def test_tokens_that_were_in_the_cache_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "Generator", Fake)

    speed = measure(Path("fake.gguf"))

    assert (speed.prefill, speed.generation) == ((512 - 12) / 0.5, 63 / 1.0)
    assert Fake.asked == [512] * 3 + [8] * 8 + [-1]
