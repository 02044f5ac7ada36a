"""How fast a model is on this machine."""

import random
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from tqdm import tqdm

from engines.prompt import Message
from engines.sampling import Sampling

if TYPE_CHECKING:
    from engines.generator import Generator

PROMPT_TOKENS, ANSWER_TOKENS, RUNS, TOGETHER = 512, 64, 3, 8
WORDS = ("river", "stone", "winter", "paper", "garden", "copper", "bridge", "letter", "window")
# Ordinary tokens of any vocabulary: an answer of the model's own might end early.
SCRIPTED = Sampling(ANSWER_TOKENS, script=tuple(range(1000, 1000 + ANSWER_TOKENS)))


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second: of a prompt, of one answer, and of eight answers together."""

    prefill: float
    generation: float
    together: float


def measure(path: Path) -> Speed:
    """Loads the model and has it answer; prompts of 512 tokens, answers of 64, the median of 3."""
    from engines.generator import Generator

    generator = Generator(path)
    try:
        with tqdm(total=RUNS + 1, desc=path.stem, disable=None) as bar:
            runs = []
            for _ in range(RUNS):
                runs.append(_alone(generator))
                bar.update()
            together = _together(generator)
            bar.update()
    finally:
        generator.close()
    prefill, generation = zip(*runs, strict=True)
    return Speed(statistics.median(prefill), statistics.median(generation), together)


def _alone(generator: "Generator") -> tuple[float, float]:
    made = generator.generate(_chat(generator, PROMPT_TOKENS), SCRIPTED)
    new = made.prompt_tokens - made.cached_tokens
    later = made.completion_tokens - 1
    return new / made.seconds_to_first, later / (made.seconds - made.seconds_to_first)


def _together(generator: "Generator") -> float:
    """Short prompts, so that nearly all of the time goes into the answers."""
    chats = [_chat(generator, 1) for _ in range(TOGETHER)]
    began = monotonic()
    with ThreadPoolExecutor(TOGETHER) as threads:
        made = list(threads.map(lambda chat: generator.generate(chat, SCRIPTED), chats))
    return sum(one.completion_tokens for one in made) / (monotonic() - began)


def _chat(generator: "Generator", tokens: int) -> list[Message]:
    """Words in an order that no cache holds, about that many tokens of them."""
    for count in _growing(tokens):
        text = " ".join(random.choices(WORDS, k=count))  # noqa: S311 - no secret
        chat = [Message(role="user", content=text)]
        if generator.count(chat) >= tokens:
            return chat
    raise AssertionError("more words are more tokens")


def _growing(tokens: int) -> Iterator[int]:
    count = max(8, tokens // 2)
    while True:
        yield count
        count += 8
