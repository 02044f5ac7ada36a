"""Who is computed with whom, and in which order. The engine is a fake that can be held."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from engines.errors import EngineError
from engines.microbatch import MicroBatcher
from tests.integration.processes import until

SLICE = 100
REFUSED = 13


class Engine:
    """Gives each text the sum of its tokens; notes the slices; waits at a gate while it is shut."""

    def __init__(self) -> None:
        self.slices: list[list[list[int]]] = []
        self.gate = threading.Event()
        self.gate.set()

    def compute(self, texts: list[Sequence[int]]) -> np.ndarray:
        self.slices.append([list(text) for text in texts])
        assert self.gate.wait(60)
        if any(REFUSED in text for text in texts):
            raise EngineError("broken_weights", "not this one")
        if any(0 in text for text in texts):
            raise MemoryError
        return np.array([[sum(text)] for text in texts], np.float32)


class Callers:
    """Threads that ask."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.engine = Engine()
        self.batcher = MicroBatcher(self.engine.compute, 1, SLICE)
        self._pool = pool

    def ask(self, *texts: list[int], question: bool = False, wanted=lambda: True) -> Future:
        """Returns once the texts wait or are computed."""
        before = self.seen()
        asked = self._pool.submit(self.batcher.run, texts, question, wanted)
        until(lambda: asked.done() or self.seen() >= before + len(texts))
        return asked

    def hold(self) -> Future:
        """Has the engine hang in a slice of its own."""
        self.engine.gate.clear()
        held = self.ask([1])
        until(lambda: self.engine.slices)
        return held

    def seen(self) -> int:
        waiting = len(self.batcher._questions) + len(self.batcher._others)
        return waiting + sum(map(len, self.engine.slices))


@pytest.fixture
def callers() -> Iterator[Callers]:
    with ThreadPoolExecutor(8) as pool:
        made = Callers(pool)
        yield made
        made.engine.gate.set()


def rows(asked: Future) -> list[float]:
    return asked.result(60)[:, 0].tolist()


def test_each_caller_has_its_vectors_in_its_order(callers):
    held = callers.hold()
    first = callers.ask([5, 5], [1], [2, 2, 2])
    second = callers.ask([7], [8, 8])
    callers.engine.gate.set()

    assert (rows(first), rows(second), rows(held)) == ([10, 1, 6], [7, 16], [1])


def test_texts_that_wait_together_are_computed_together(callers):
    callers.hold()
    asked = [callers.ask([number]) for number in range(2, 6)]
    callers.engine.gate.set()
    for one in asked:
        one.result(60)

    assert [sorted(one) for one in callers.engine.slices] == [[[1]], [[2], [3], [4], [5]]]


def test_a_slice_is_of_one_length_about_and_no_longer_than_it_may_be(callers):
    texts = [[1] * length for length in (60, 3, 50, 4, 40, 2)]

    assert rows(callers.ask(*texts)) == [60, 3, 50, 4, 40, 2]

    lengths = [[len(text) for text in one] for one in callers.engine.slices]
    assert lengths == [[60], [40, 50], [2, 3, 4]]


def test_a_text_longer_than_a_slice_is_computed_alone(callers):
    assert rows(callers.ask([1] * (SLICE + 1), [1] * SLICE)) == [SLICE + 1, SLICE]
    assert [len(one) for one in callers.engine.slices] == [1, 1]


def test_a_question_goes_before_all_documents_that_wait_and_alone(callers):
    callers.hold()
    document = callers.ask(*[[2] * 50] * 100)
    question = callers.ask([3], question=True)
    callers.engine.gate.set()

    assert rows(question) == [3]
    assert rows(document) == [100] * 100
    assert callers.engine.slices[1] == [[3]]


def test_a_small_call_does_not_wait_for_a_large_one(callers):
    callers.hold()
    large = callers.ask(*[[2] * 50] * 100)
    small = callers.ask([3] * 50)
    callers.engine.gate.set()

    assert rows(small) == [150]
    assert rows(large) == [100] * 100
    assert [3] * 50 in callers.engine.slices[1]


def test_a_refusal_stays_with_the_caller_whose_text_it_is_about(callers):
    callers.hold()
    good = callers.ask([2], [3])
    bad = callers.ask([4], [REFUSED])
    callers.engine.gate.set()

    assert rows(good) == [2, 3]
    with pytest.raises(EngineError, match="not this one"):
        bad.result(60)
    assert rows(callers.ask([6])) == [6]


def test_a_fault_of_the_engine_leaves_nobody_waiting(callers):
    callers.hold()
    asked = [callers.ask([0]), callers.ask([0, 0])]
    callers.engine.gate.set()

    for one in asked:
        with pytest.raises(MemoryError):
            one.result(60)
    assert rows(callers.ask([6])) == [6]


def test_what_nobody_wants_any_more_is_not_computed(callers):
    callers.hold()
    is_wanted = threading.Event()
    is_wanted.set()
    given_up = callers.ask([2], [3], wanted=is_wanted.is_set)
    is_wanted.clear()

    with pytest.raises(EngineError) as refused:
        given_up.result(60)
    assert refused.value.code == "cancelled"

    callers.engine.gate.set()
    assert rows(callers.ask([6])) == [6]
    assert callers.engine.slices == [[[1]], [[6]]]


def test_no_texts_are_no_work(callers):
    assert callers.ask().result(60).shape == (0, 1)
    assert callers.engine.slices == []
