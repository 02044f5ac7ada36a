"""Which answers are in llama.cpp's cache, what they share, and where a new one can begin.

Only answers that are being written hold cells: attention on a CPU looks at every cell in use for
each row, so what is over is kept outside, in the prefix store, from where it comes back in less
than a hundredth of the time that it took to compute.
"""

from collections import defaultdict
from collections.abc import Sequence as Many
from dataclasses import dataclass, field

from engines.cells import Cells
from engines.context import Context, Row
from engines.lookup import Lookup
from engines.prefix_store import Entry, PrefixStore
from engines.radix import RadixTree
from engines.request import Request

# Less than this is a system text, and less than this part of a prompt is computed again sooner than
# the rest of it could be computed beside it.
LEAST_SHARED = 32
LEAST_PART = 0.2


@dataclass(eq=False, slots=True)
class Sequence:
    """An answer that is being written: its tokens, of which the first `computed` are in the cache.

    Those of one that is `apart` are being computed elsewhere, and come all at once.
    """

    request: Request
    number: int
    tokens: list[int]
    computed: int = 0
    apart: bool = False
    lookup: Lookup | None = None

    @property
    def left(self) -> int:
        """Tokens to compute before the next one can be drawn."""
        return len(self.tokens) - self.computed

    def rows(self, most: int, proposed: Many[int] = ()) -> list[Row]:
        """At most so many of the tokens that are left; with the last of them, what is proposed."""
        last = len(self.tokens) - 1
        taken = [*self.tokens[self.computed :], *proposed][:most]
        return [
            Row(token, place, self.number, wanted=place >= last)
            for place, token in enumerate(taken, self.computed)
        ]

    def propose(self) -> list[int]:
        """Tokens that may come after the last one, while an answer is being written."""
        room = self.request.room - 1
        return self.lookup.propose(room) if self.lookup and self.left == 1 and room > 0 else []


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a prompt can begin: with `count` tokens of a source; `coming`: more, before long."""

    count: int
    source: Sequence | Entry | None
    coming: int


@dataclass
class Cache:
    """The bookkeeping of a context's cache."""

    context: Context
    store: PrefixStore
    has_prefixes: bool
    sequences: list[Sequence] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cells = Cells(self.context.cells)
        self._live: defaultdict[str, RadixTree[Sequence]] = defaultdict(RadixTree)

    def beginning(self, request: Request) -> Beginning:
        """The longest known beginning of the request's prompt; its last token is always left."""
        if not self.has_prefixes:
            return Beginning(0, None, 0)
        prompt = request.prompt
        most, least = len(prompt) - 1, max(LEAST_SHARED, int(len(prompt) * LEAST_PART))
        matched, running = self._live[request.terms.key].longest(prompt)
        best = max(running, key=lambda one: one.computed, default=None)
        source: Sequence | Entry | None = best
        count = min(matched, most, best.computed) if best else 0
        coming = min(matched, most) - count
        stored, entry = self.store.find(request.terms.key, prompt)
        # Cells that are there already are shared; a state from the store takes new ones.
        if min(stored, most) >= count + LEAST_SHARED:
            coming -= min(stored, most) - count
            count, source = min(stored, most), entry
        known = count >= least
        return Beginning(
            count if known else 0, source if known else None, coming if coming >= least else 0
        )

    def place(self, request: Request, known: Beginning) -> Sequence | None:
        """A place for the request, begun as far as is known; None if there is no room now."""
        numbers = set(range(self.context.sequences)) - {one.number for one in self.sequences}
        if not numbers:
            return None
        made = Sequence(request, min(numbers), list(request.prompt))
        # A guess that was wrong is cut off, which a state that has no beginnings does not allow.
        if self.has_prefixes and request.sampling.greedy and not request.sampling.script:
            made.lookup = Lookup(made.tokens)
        parent = known.source if isinstance(known.source, Sequence) else None
        need = len(request.prompt) + request.sampling.max_tokens
        if not self._cells.take(made, need, parent, known.count if parent else 0):
            return None
        made.computed = request.cached = self._begin(made, known)
        self._live[request.terms.key].insert(request.prompt, made)
        self.sequences.append(made)
        return made

    def _begin(self, made: Sequence, known: Beginning) -> int:
        """Puts the known beginning into the new sequence; gives how many tokens that were."""
        if isinstance(known.source, Sequence):
            self.context.share(known.source.number, made.number, known.count)
            return known.count
        state = self.store.state(known.source) if known.source else None
        if state is None or not self.context.load(made.number, state):
            return 0
        self.context.cut(made.number, known.count)
        return known.count

    def finish(self, sequence: Sequence) -> None:
        """The answer is over: its cells are free, what it computed may be kept."""
        if self.has_prefixes:
            self.store.keep(
                sequence.request.terms.key,
                sequence.tokens[: sequence.computed],
                lambda: self.context.save(sequence.number),
            )
        self.drop(sequence)

    def drop(self, sequence: Sequence) -> None:
        """Frees the cells that no other shares."""
        self.sequences.remove(sequence)
        self._live[sequence.request.terms.key].remove(sequence.request.prompt, sequence)
        self._cells.give_back(sequence)
        self.context.cut(sequence.number, 0)
