"""A small cache of its own in which long new prompts are computed, one after the other.

Beside eight running answers a prompt takes a fifth longer, as attention on a CPU looks at the mask
of every cell in use, and it would hold each row of an answer in its batch against all of them.
Moving the finished state takes a hundredth of the time.
"""

from collections import deque

import numpy as np

from engines.cache import Sequence
from engines.context import Context, Row, State

# What shorter ones would gain is less than the move costs.
LEAST_APART = 128


class Nursery:
    """Prompts on their way into the main cache; all but the last token of each is computed."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._waiting: deque[Sequence] = deque()
        self._computed = 0
        self._buffer: State = np.empty(0, np.uint8)

    @property
    def first(self) -> Sequence:
        """The one that is being computed."""
        return self._waiting[0]

    def take_in(self, sequence: Sequence) -> None:
        """Sets a sequence of which nothing is computed yet `apart`, if it is long and fits."""
        length = len(sequence.tokens)
        sequence.apart = not sequence.computed and LEAST_APART <= length <= self.context.cells
        if sequence.apart:
            self._waiting.append(sequence)

    def leave(self, sequence: Sequence) -> None:
        """Forgets a sequence whose answer nobody wants any more."""
        if self._waiting[0] is sequence:
            self._clear()
        self._waiting.remove(sequence)

    def compute(self, most: int, main: Context) -> int:
        """Computes at most `most` tokens, moves a prompt that is done; gives how many it were."""
        if not self._waiting:
            return 0
        sequence = self._waiting[0]
        end = len(sequence.tokens) - 1
        taken = sequence.tokens[self._computed : min(self._computed + most, end)]
        self.context.decode(
            [Row(token, place, 0) for place, token in enumerate(taken, self._computed)]
        )
        self._computed += len(taken)
        if self._computed == end:
            self._move(self._waiting.popleft(), main)
        return len(taken)

    def _move(self, sequence: Sequence, main: Context) -> None:
        sequence.apart = False
        state = self.context.save(0, self._buffer)
        # Memory fresh from the system comes page by page, which takes longer than the copy.
        self._buffer = max(self._buffer, state, key=len)
        if main.load(sequence.number, state):
            sequence.computed = self._computed
        self._clear()

    def _clear(self) -> None:
        self.context.cut(0, 0)
        self._computed = 0
