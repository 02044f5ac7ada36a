"""One thread that owns the caches and answers many questions at once (continuous batching).

Every turn admits what has room, computes a slice of the prompts, and one token of each answer.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence as Many

from engines.cache import Cache, Sequence
from engines.context import BATCH, Row
from engines.drawing import draw
from engines.errors import EngineError, EngineStopped
from engines.lookup import MOST_PROPOSED
from engines.model import Adapter, Model
from engines.nursery import Nursery
from engines.request import Request
from engines.sampler import Chain

# From 64 rows on llama.cpp computes attention in tiles of rows, and a tile with an answer in it is
# held against the whole cache: prompts are computed with answers only below that.
LEAST_TILED = 64
# With fewer answers a row more costs nearly as much as a step; with more, less than half of that.
LEAST_PROPOSING = 5
# Answers stand still for about so long while a slice of a prompt is computed.
SLICE_S = 0.5
SMALLEST_SLICE = 32


class Scheduler:
    """Takes requests from any thread; as many answers are written at once as the cache takes."""

    def __init__(self, model: Model, cache: Cache, nursery: Nursery) -> None:
        self._model, self._cache, self._nursery = model, cache, nursery
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        # Since when a turn has been under way; None between two.
        self.began: float | None = None
        self._slice = BATCH
        self._adapter: Adapter | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it still answers."""
        return not self._stopped

    def submit(self, request: Request) -> None:
        """Raises EngineError `too_long` for what the cache could not even hold alone.

        Raises EngineStopped if the engine has gone down.
        """
        needed, cells = len(request.prompt) + request.sampling.max_tokens, self._cache.context.cells
        if needed > cells:
            raise EngineError(
                "too_long", f"{needed} tokens, and the cache holds {cells}: raise REDTEN_KV_CELLS"
            )
        with self._changed:
            if self._stopped:
                raise EngineStopped
            self._waiting.append(request)
            self._changed.notify()

    def stop(self) -> None:
        """Ends the thread after its turn; what is under way is not answered."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()
        self._nursery.context.close()
        self._cache.context.close()

    def _run(self) -> None:
        try:
            while self._next():
                self.began = time.monotonic()
                self._turn()
                self.began = None
        finally:
            # Nobody must wait for ever, whatever has ended this thread.
            with self._changed:
                self._stopped = True
            for request in (*self._waiting, *(one.request for one in self._cache.sequences)):
                request.fail(EngineStopped())

    def _next(self) -> bool:
        """Waits until there is something to do; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._waiting or self._cache.sequences)
            return not self._stopped

    def _turn(self) -> None:
        self._forget_unwanted()
        self._admit()
        here = [one for one in self._cache.sequences if not one.apart]
        answers = [one for one in here if one.left == 1]
        prompts = [one for one in here if one.left > 1]
        together = sum(one.left for one in here) < LEAST_TILED
        self._compute_prompts([] if together else prompts, answers)
        self._compute_answers(here if together else answers, len(answers))

    # --- who comes next -------------------------------------------------------------------------

    def _admit(self) -> None:
        """Places waiting requests in their order; those whose beginning is on its way wait."""
        for request in list(self._waiting):
            if not self._fits_adapter(request):
                break
            known = self._cache.beginning(request)
            if known.coming:
                continue
            sequence = self._cache.place(request, known)
            if sequence is None:
                # Nothing smaller goes ahead of it, or it might wait for ever.
                break
            self._waiting.remove(request)
            self._begin(sequence)

    def _forget_unwanted(self) -> None:
        """Ends what nobody waits for any more, wherever it stands."""
        for sequence in list(self._cache.sequences):
            if refusal := sequence.request.refusal():
                self._fail(sequence, refusal)
        for request in list(self._waiting):
            if refusal := request.refusal():
                self._waiting.remove(request)
                request.fail(refusal)

    def _fits_adapter(self, request: Request) -> bool:
        """Answers with different adapters share no batch: the others end first."""
        adapter = request.terms.adapter
        if adapter == self._adapter:
            return True
        if self._cache.sequences:
            return False
        try:
            self._use(adapter)
        except EngineError as error:
            self._use(None)
            self._waiting.remove(request)
            request.fail(error)
            return False
        return True

    def _use(self, adapter: Adapter | None) -> None:
        self._adapter = adapter
        for context in (self._cache.context, self._nursery.context):
            context.use(adapter)

    def _begin(self, sequence: Sequence) -> None:
        request = sequence.request
        try:
            if not request.sampling.greedy:
                request.chain = Chain(self._model, request.sampling)
        except EngineError as error:
            self._fail(sequence, error)
        else:
            self._nursery.take_in(sequence)

    def _fail(self, sequence: Sequence, error: EngineError) -> None:
        if sequence.apart:
            self._nursery.leave(sequence)
        self._cache.drop(sequence)
        sequence.request.fail(error)

    # --- calls of llama.cpp ---------------------------------------------------------------------

    def _compute_prompts(self, prompts: Many[Sequence], answers: Many[Sequence]) -> None:
        """A slice of the prompts: of those that share a beginning first, as they are shorter."""
        most = self._slice if answers else BATCH
        began = time.monotonic()
        rows = self._compute(prompts, most) or self._compute_apart(most)
        seconds = time.monotonic() - began
        if rows == most and seconds > 1.5 * SLICE_S:
            self._slice = max(most // 2, SMALLEST_SLICE)
        elif rows == most and seconds < 0.6 * SLICE_S:
            self._slice = min(most * 2, BATCH)

    def _compute_apart(self, most: int) -> int:
        try:
            return self._nursery.compute(most, self._cache.context)
        except EngineError as error:
            self._fail(self._nursery.first, error)
            return 0

    def _compute_answers(self, sequences: Many[Sequence], answers: int) -> None:
        """A token of each answer, or more where they can be guessed and there is room to check."""
        rows = sum(one.left for one in sequences) + answers * MOST_PROPOSED
        self._compute(sequences, BATCH, answers >= LEAST_PROPOSING and rows < LEAST_TILED)

    def _compute(self, sequences: Many[Sequence], most: int, propose: bool = False) -> int:
        """Computes at most `most` rows of the sequences, and draws where one is complete."""
        shares: list[tuple[Sequence, list[Row]]] = []
        count = 0
        for sequence in sequences:
            rows = sequence.rows(most - count, sequence.propose() if propose else ())
            if rows:
                shares.append((sequence, rows))
                count += len(rows)
        if shares:
            self._decode(shares)
        return count

    def _decode(self, shares: list[tuple[Sequence, list[Row]]]) -> None:
        """One call; if it fails, one for each sequence, so that only what is at fault ends."""
        context = self._cache.context
        try:
            context.decode([row for _, rows in shares for row in rows])
        except EngineError as error:
            if len(shares) == 1:
                return self._fail(shares[0][0], error)
            for sequence, _ in shares:
                self._compute([sequence], BATCH)
            return None
        first = 0
        for sequence, rows in shares:
            try:
                self._advance(sequence, rows, draw(context, sequence.request, rows, first))
            except EngineError as error:
                self._fail(sequence, error)
            first += len(rows)
        return None

    def _advance(self, sequence: Sequence, rows: list[Row], drawn: list[tuple[int, float]]) -> None:
        """Takes in what was drawn; of the rows, those that were proposed in vain are forgotten."""
        right = len(rows) - sum(row.wanted for row in rows) + len(drawn)
        sequence.computed = rows[0].position + right
        if right < len(rows):
            self._cache.context.cut(sequence.number, sequence.computed)
        for token, chance in drawn:
            if over := sequence.request.take(self._model, token, chance):
                self._cache.finish(sequence)
                return sequence.request.finish(over)
            sequence.tokens.append(token)
        return None
