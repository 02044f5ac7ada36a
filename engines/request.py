"""A prompt that waits for its answer, and the answer as it comes out, token by token."""

import codecs
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engines.errors import EngineError, EngineStopped
from engines.model import Adapter, Model
from engines.sampler import Chain
from engines.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer and what it cost; `finish` is stop, length or deadline.

    `cached_tokens` of the prompt were in the cache already. `log_probability` is the mean natural
    one of the tokens, each with its own in `tokens`. Seconds count from when it was asked for.
    """

    text: str
    finish: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    log_probability: float
    tokens: tuple[tuple[str, float], ...]
    seconds_to_first: float
    seconds: float


def silent(_text: str) -> None:
    """Told to nobody."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long and for whom an answer is made.

    `wanted` is asked with every token. `told` hears each new piece of the text, from the engine's
    thread. Neither may block or raise. `trim` leaves white space at both ends out. Only requests of
    the same `key` share what was computed for them.
    """

    deadline: float
    wanted: Callable[[], bool] = lambda: True
    told: Callable[[str], None] = silent
    adapter: Adapter | None = None
    key: str = ""
    trim: bool = True


class Request:
    """What is asked of the engine, whose thread calls everything but `result`."""

    def __init__(self, prompt: list[int], sampling: Sampling, terms: Terms) -> None:
        self.prompt, self.sampling, self.terms = prompt, sampling, terms
        self.cached = 0
        self.chain: Chain | None = None
        self._asked = time.monotonic()
        self._first: float | None = None
        self._text = Text(sampling.stop, terms)
        self._tokens: list[tuple[str, float]] = []
        self._over = threading.Event()
        self._outcome: Generation | Exception = EngineStopped()

    def take(self, model: Model, token: int, log_probability: float) -> str | None:
        """Adds a token; gives why the answer is over, if it is."""
        self._first = self._first or time.monotonic()
        if model.ends(token):
            self._tokens.append(("", log_probability))
            return "stop"
        piece = model.piece(token)
        self._tokens.append((piece.decode("utf-8", "replace"), log_probability))
        if self._text.add(piece):
            return "stop"
        if len(self._tokens) >= self.sampling.max_tokens:
            return "length"
        return "deadline" if self.is_late() else None

    def scripted(self) -> int | None:
        """The token that comes next by the script, if there is one."""
        script = self.sampling.script
        return script[len(self._tokens)] if script else None

    @property
    def room(self) -> int:
        """How many tokens the answer may still have."""
        return self.sampling.max_tokens - len(self._tokens)

    def is_late(self) -> bool:
        """Whether its time has run out."""
        return time.monotonic() > self.terms.deadline

    def refusal(self) -> EngineError | None:
        """Why no more work is to go into it: nobody wants it, or no first token came in time."""
        if not self.terms.wanted():
            return EngineError("cancelled", "the question was withdrawn")
        if self._first is None and self.is_late():
            return EngineError("deadline", "its time ran out before the first token")
        return None

    def finish(self, why: str) -> None:
        """The answer is whole, and whoever waits gets it."""
        now, count = time.monotonic(), len(self._tokens)
        self._end(
            Generation(
                self._text.end(),
                why,
                len(self.prompt),
                self.cached,
                count,
                sum(chance for _, chance in self._tokens) / max(count, 1),
                tuple(self._tokens),
                (self._first or now) - self._asked,
                now - self._asked,
            )
        )

    def fail(self, error: Exception) -> None:
        """There is no answer, and whoever waits learns why."""
        self._end(error)

    def _end(self, outcome: Generation | Exception) -> None:
        if self.chain:
            self.chain.close()
            self.chain = None
        self._outcome = outcome
        self._over.set()

    def result(self) -> Generation:
        """Waits for the answer. Raises what it failed with: an EngineError, or EngineStopped."""
        self._over.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Text:
    """Bytes into text: whole characters, nothing of a stop string, white space trimmed."""

    def __init__(self, stops: tuple[str, ...], terms: Terms) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._terms = terms
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._told, self._held = "", ""

    def add(self, piece: bytes) -> bool:
        """Takes the bytes of a token and tells what is certain; True once a stop string is met."""
        self._held += self._decoder.decode(piece)
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self._held = self._held[: min(places)]
            return True
        self._tell(len(self._held) - self._doubtful())
        return False

    def end(self) -> str:
        """Tells the rest and gives the whole."""
        if self._terms.trim:
            self._held = self._held.rstrip()
        self._tell(len(self._held))
        return self._told

    def _doubtful(self) -> int:
        """How much at the end may be the beginning of a stop string, or white space to trim."""
        held = self._held
        started = max(
            (
                count
                for stop in self._stops
                for count in range(1, min(len(stop), len(held) + 1))
                if held.endswith(stop[:count])
            ),
            default=0,
        )
        if not self._terms.trim:
            return started
        certain = held[: len(held) - started]
        return started + len(certain) - len(certain.rstrip())

    def _tell(self, count: int) -> None:
        text, self._held = self._held[:count], self._held[count:]
        if self._terms.trim and not self._told:
            text = text.lstrip()
        if text:
            self._told += text
            self._terms.told(text)
