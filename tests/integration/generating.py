"""The real weights under way: answers from many threads, listened to, cancelled, compared."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

import engines.generator
import engines.prompt
from engines.errors import EngineError
from engines.generator import Generator
from engines.prompt import Message, Passage
from engines.request import Generation
from engines.sampling import Sampling
from settings import settings

WEIGHTS = settings.weights_dir / settings.model
# A text that goes on and on.
NUMBERS = "Numbers in order: one hundred and 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,"


class Listener:
    """What is told, piece by piece; `first` is set with the first of them."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.first = threading.Event()

    def __call__(self, text: str) -> None:
        self.pieces.append(text)
        self.first.set()

    def wait(self) -> None:
        assert self.first.wait(30)


def refused(call: Callable[[], object]) -> str:
    """The code that the call is refused with."""
    with pytest.raises(EngineError) as error:
        call()
    return error.value.code


def chat(question: str) -> list[Message]:
    return [Message(role="user", content=question)]


def told(source: str, question: str) -> list[Message]:
    """A question on one passage, as a job asks it."""
    passage = Passage(document_id=1, text=source, source="handbook.pdf", page=1)
    return engines.prompt.messages_for(question, [passage], [])


def document(name: str, sentences: int = 24) -> str:
    """A text of its own, about twelve tokens a sentence."""
    things = ("lamp", "fog horn", "boat", "tower", "kitchen", "stair", "garden", "well")
    return " ".join(
        f"In room {number} of {name} the {things[number % 8]} is number {number * 7}."
        for number in range(sentences)
    )


@contextmanager
def another(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Generator]:
    """A generator of its own under other settings."""
    with monkeypatch.context() as patch:
        patch.setattr(engines.generator, "settings", settings.model_copy(update=options))
        with closing(Generator(WEIGHTS)) as made:
            yield made


def together(calls: Iterable[Callable[[], Generation]]) -> list[Generation]:
    """All at once, each from a thread of its own; the answers in the order of the calls."""
    waiting = list(calls)
    with ThreadPoolExecutor(len(waiting)) as threads:
        return [future.result(60) for future in [threads.submit(call) for call in waiting]]


@contextmanager
def counting(generator: Generator, max_tokens: int = 400) -> Iterator[tuple[Listener, Future]]:
    """An answer that is being written meanwhile, and is withdrawn afterwards."""
    listener, over = Listener(), threading.Event()
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(
            generator.generate,
            NUMBERS,
            Sampling(max_tokens),
            wanted=lambda: not over.is_set(),
            told=listener,
        )
        try:
            listener.wait()
            yield listener, future
        finally:
            over.set()
