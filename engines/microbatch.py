"""Texts of many threads computed together: sorted by length, in slices, questions first."""

import itertools
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engines.errors import EngineError

Vectors = npt.NDArray[np.float32]
Tokens = Sequence[int]

LOOK_S = 0.25  # how often a caller that waits for another's slice asks whether it is wanted


@dataclass(eq=False, slots=True)
class _Call:
    """What one caller asked for, and the rows of it that are missing yet."""

    number: int
    vectors: Vectors
    missing: set[int]
    error: EngineError | None = None

    @property
    def is_over(self) -> bool:
        return not self.missing or self.error is not None

    @property
    def rank(self) -> tuple[int, int]:
        return len(self.missing), self.number


class _Item(NamedTuple):
    """A text that waits."""

    call: _Call
    row: int
    tokens: Tokens


def _length(item: _Item) -> int:
    return len(item.tokens)


class MicroBatcher:
    """One engine, shared by threads; it is the callers themselves that take turns at driving it.

    Whoever finds it free computes a slice of all that waits, his own or not, so that nothing waits
    while it is idle. Questions go first, and among themselves; after them the call that has the
    fewest texts left, its longest first, with others' of about that length for company.
    """

    def __init__(
        self, compute: Callable[[list[Tokens]], Vectors], dimensions: int, slice_tokens: int
    ) -> None:
        self._compute, self._dimensions, self._slice_tokens = compute, dimensions, slice_tokens
        # Guards all below, and is notified after every slice.
        self._changed = threading.Condition()
        self._questions: list[_Item] = []
        self._others: list[_Item] = []
        self._busy = False
        self._numbers = itertools.count()

    def run(self, texts: Sequence[Tokens], question: bool, wanted: Callable[[], bool]) -> Vectors:
        """float32 (len(texts), dimensions); `wanted` is asked before every slice.

        Raises EngineError `cancelled` when no longer wanted, and whatever the engine refuses of
        these texts; other callers notice nothing of either.
        """
        vectors = np.empty((len(texts), self._dimensions), np.float32)
        call = _Call(next(self._numbers), vectors, set(range(len(texts))))
        with self._changed:
            waiting = self._questions if question else self._others
            waiting.extend(_Item(call, row, tokens) for row, tokens in enumerate(texts))
        try:
            while not call.is_over:
                if not wanted():
                    raise EngineError("cancelled", "nobody waits for these vectors any more")
                if items := self._turn(call):
                    self._drive(items)
        finally:
            self._forget(call)
        if call.error:
            raise call.error
        return vectors

    def _turn(self, call: _Call) -> list[_Item]:
        """A slice to compute; none if another caller is at it or has just done the rest."""
        with self._changed:
            if self._busy:
                self._changed.wait(LOOK_S)
            if self._busy or call.is_over:
                return []
            items = self._slice(self._questions or self._others)
            self._busy = True
            return items

    def _slice(self, waiting: list[_Item]) -> list[_Item]:
        """Takes out what is computed next."""
        first = min((item.call for item in waiting), key=lambda call: call.rank)
        waiting.sort(key=lambda item: (_length(item), item.call is first))
        longest = max(_length(item) for item in waiting if item.call is first)
        end = bisect_right(waiting, longest, key=_length)
        start = max(0, end - max(1, self._slice_tokens // max(1, longest)))
        items = waiting[start:end]
        del waiting[start:end]
        return items

    def _drive(self, items: list[_Item]) -> None:
        lost = items
        try:
            self._deliver(items)
            lost = []
        finally:
            with self._changed:
                # After a fault that is nobody's refusal: the others' texts wait again.
                self._others.extend(item for item in lost if item.row in item.call.missing)
                self._busy = False
                self._changed.notify_all()

    def _deliver(self, items: list[_Item]) -> None:
        """Fills in the vectors; what is refused together is tried again for each caller alone."""
        try:
            vectors = self._compute([item.tokens for item in items])
        except EngineError as error:
            calls = {item.call for item in items}
            if len(calls) == 1:
                calls.pop().error = error
                return
            for call in calls:
                self._deliver([item for item in items if item.call is call])
            return
        for item, vector in zip(items, vectors, strict=True):
            item.call.vectors[item.row] = vector
            item.call.missing.discard(item.row)

    def _forget(self, call: _Call) -> None:
        """Takes out what a caller who gave up or was refused has left waiting."""
        with self._changed:
            for waiting in (self._questions, self._others):
                waiting[:] = [item for item in waiting if item.call is not call]
