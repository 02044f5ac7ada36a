"""How fast the contenders answer the same questions: unique, in bursts by document, and mixed."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from statistics import median

from benchmarks.contenders import (
    CLIENTS,
    THREADS,
    WEIGHTS,
    Contender,
    Engine,
    Loop,
    Run,
    Server,
    answer_all,
)
from benchmarks.peers import program, rates
from benchmarks.questions import Chat, bursts, documents, mixed, uncached, unique
from benchmarks.report import Figure
from benchmarks.scale import Scale, compared
from engines.model import Model

ORDERS = {"unique": unique, "bursts": bursts, "mixed": mixed}
AIMS = {
    "unique": (">= 1.0", ">= 1.1"),
    "bursts": (">= 1.5", ">= 1.6"),
    "mixed": (">= 1.5", ">= 2.0"),
}
LIMIT_AIM = ">= 0.75"
SLOTS = (1, 4, 8)
# A server that was slower than this part of the best, at first, is not tried again.
PROMISING = 0.95

ENGINE, LOOP = Engine(), Loop()


class Race:
    """One order of questions: every repetition has each contender answer them all, cold.

    No answer may become longer than the shortest that was given before it: all write the same
    number of tokens then, but for one that takes another turn at a near-tie and ends early. Rates
    are in tokens a second, which evens that out.
    """

    def __init__(self, name: str, chats: Sequence[Chat], tokens: int) -> None:
        self.name, self.chats = name, chats
        self.lengths = [tokens] * len(chats)
        self.servers = [Server(slots) for slots in SLOTS]
        self.runs: dict[str, list[Run]] = defaultdict(list)

    def begin(self) -> None:
        """The first repetition, which also shows which servers are worth more of them."""
        self._all([LOOP])
        self.lengths = self._shortest()
        self._all([ENGINE, *self.servers])
        self.lengths = self._shortest()
        first = {one: self.runs[one.name][0].rate for one in self.servers}
        self.servers = [one for one in first if first[one] > PROMISING * max(first.values())]

    def go_on(self, number: int) -> None:
        """Another repetition, every second one the other way round."""
        everyone: list[Contender] = [LOOP, ENGINE, *self.servers]
        self._all(everyone[:: -1 if number % 2 else 1])

    def _all(self, contenders: Sequence[Contender]) -> None:
        for contender in contenders:
            run = answer_all(contender, self.chats, self.lengths)
            self.runs[contender.name].append(run)
            self._same_prompts(contender)
            did = f"{run.seconds:.1f} s for {run.tokens} tokens, {run.rate:.1f} a second"
            times = len(self.runs[contender.name])
            print(f"  {self.name} {times}: {contender.name}: {did}", flush=True)

    def _same_prompts(self, newest: Contender) -> None:
        everyones = [[one.prompt_tokens for one in runs[0].replies] for runs in self.runs.values()]
        if any(lengths != everyones[0] for lengths in everyones):
            raise SystemExit(f"{newest.name} reads other prompts than those before it")

    def _shortest(self) -> list[int]:
        """The least that anybody wrote in answer to each question."""
        written = zip(*(run.replies for runs in self.runs.values() for run in runs), strict=True)
        return [min(one.tokens for one in replies) for replies in written]

    def figures(self) -> list[Figure]:
        """The engine beside the server's best number of slots, and beside the loop."""
        names = [one.name for one in self.servers]
        best = max(names, key=lambda name: median(run.rate for run in self.runs[name]))
        pairs = zip(
            ("llama-server's best", "`Llama` loop"), (best, LOOP.name), AIMS[self.name], strict=True
        )
        return [
            compared(
                f"{self.name}, engine ÷ {what}",
                self._ratios(peer),
                aim,
                f"{peer}: {self._told(peer)}; engine: {self._told(ENGINE.name)}",
            )
            for what, peer, aim in pairs
        ]

    def _ratios(self, peer: str) -> list[float]:
        pairs = zip(self.runs[ENGINE.name], self.runs[peer], strict=True)
        return [ours.rate / theirs.rate for ours, theirs in pairs]

    def _told(self, name: str) -> str:
        runs = self.runs[name]
        middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
        return f"{middle.seconds:.1f} s for {middle.tokens} tokens"


class Limit:
    """The time that the bursts would take if nothing but llama.cpp's fastest rates counted."""

    def __init__(self, race: Race) -> None:
        self._race, self._seconds = race, list[float]()
        with closing(Model(WEIGHTS)) as model:
            prompts = [model.chat(chat) for chat in race.chats]
        self._uncached = uncached(prompts)
        self._mean = sum(map(len, prompts)) // len(prompts)

    def measure(self) -> None:
        """The rates of this moment, and what the engine's run beside them would take at these."""
        run = self._race.runs[ENGINE.name][-1]
        found = rates(WEIGHTS, THREADS, self._mean, max(self._race.lengths))
        self._seconds.append(self._uncached / found.prefill + run.tokens / found.decode)
        print(f"  limit: {found.prefill:.0f} and {found.decode:.0f} tokens/s", flush=True)

    def figure(self) -> Figure:
        """How near the engine comes."""
        runs = self._race.runs[ENGINE.name]
        ratios = [limit / run.seconds for limit, run in zip(self._seconds, runs, strict=True)]
        peer = f"llama-batched-bench: {median(self._seconds):.1f} s, of {self._uncached} tokens"
        return compared(
            f"{self._race.name}, engine ÷ the limit",
            ratios,
            LIMIT_AIM,
            f"{peer} to prefill",
        )


def figures(scale: Scale, name: str) -> list[Figure]:
    """One race, from 'unique', 'bursts' or 'mixed'."""
    program("llama-server")  # built before anything is timed
    chats = ORDERS[name](documents(scale.skip), scale.questions)
    print(f"{name}: {len(chats)} questions, {CLIENTS} clients, {THREADS} threads", flush=True)
    race = Race(name, chats, scale.tokens)
    limit = Limit(race) if name == "bursts" else None
    for number in range(scale.repetitions):
        if number:
            race.go_on(number)
        else:
            race.begin()
        if limit:
            limit.measure()
    return race.figures() + ([limit.figure()] if limit else [])
