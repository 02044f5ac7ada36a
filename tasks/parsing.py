"""Files are read in processes of their own, which end when one takes too long or too much.

A file that crashes its parser or makes it spin costs that process and fails by itself: the worker
and the other documents go on.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import ingest
from ingest.load.limits import Limits
from ingest.load.page import LoadError
from ingest.load.wire import HEADER, Item, Message, item_of
from settings import inherited_environment, settings

READ_BYTES = 1 << 20
LOOK_S, FATE_S = 0.2, 2.0
# What a parser leaks does not add up to more than this many files.
MOST_FILES = 200
LIMITS = Limits(pages=settings.parse_pages, inside_bytes=settings.parse_unpacked_bytes)
HOME = Path(ingest.__file__).parents[1]
COMMAND = (sys.executable, "-P", "-m", "ingest.load.child", str(settings.parse_memory_bytes))
# Arrow would reserve a gigabyte of addresses, which counts, and use a fraction of it.
OWN = {"PYTHONPATH": str(HOME), "ARROW_DEFAULT_MEMORY_POOL": "system"}
# A parser gets no password: what it reads may have been made to take it over.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "REDTEN_UP")

Check = Callable[[], None]


class ParserCrashed(Exception):
    """The process has ended in the middle of its work, or says what none should."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is being read: `pages` is 0 while nobody knows how many it will be."""

    kind: str
    pages: int
    items: Iterator[Item]


class Parser:
    """One process, which reads one file after the other; `check` is called while it is waited for.

    What `check` raises ends the wait; the process is of no more use then.
    """

    def __init__(self, command: Sequence[str], check: Check) -> None:
        known = inherited_environment()
        environment = {name: known[name] for name in INHERITED if name in known}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**environment, **OWN},
        )
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._replies, selectors.EVENT_READ)
        self._buffer = bytearray()
        self.files, self.idle = 0, False
        try:
            self._receive(check)
            self.idle = True
        finally:
            if not self.idle:
                self.end()

    @property
    def usable(self) -> bool:
        """Whether it waits for another file."""
        return self.idle and self.files < MOST_FILES and self._process.poll() is None

    def read(self, path: Path, name: str, seconds: float, check: Check) -> Reading:
        """Asks for a file. Raises LoadError, and so do the items."""
        self.files, self.idle = self.files + 1, False
        request = {"path": str(path), "name": name, "seconds": seconds}
        request["limits"] = asdict(LIMITS)
        self._requests.write(json.dumps(request).encode() + b"\n")
        first, _ = self._receive(check)
        self._settled(first)
        match first:
            case {"kind": str(kind), "pages": int(pages)}:
                return Reading(kind, pages, self._items(check))
        raise ParserCrashed

    def end(self) -> None:
        """Ends the process, whatever it is doing; harmless to repeat."""
        self._process.kill()
        self._process.wait()
        self._selector.close()
        self._requests.close()
        self._replies.close()

    def fate(self) -> int:
        """How a process that says nothing more has ended: its exit code, or minus a signal."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(FATE_S)
        self.end()
        return self._process.returncode

    def _items(self, check: Check) -> Iterator[Item]:
        while not self._settled((received := self._receive(check))[0]):
            try:
                item = item_of(*received)
            except (KeyError, TypeError, ValueError) as error:
                raise ParserCrashed from error
            if item is not None:
                yield item

    def _settled(self, message: Message) -> bool:
        """Whether that was the last word on the file. Raises LoadError if it was a refusal."""
        self.idle = "end" in message or "error" in message
        if message.get("error") == "parse_memory":
            self.files = MOST_FILES
            raise out_of_memory()
        if "error" in message:
            raise LoadError(message["error"], message["message"])
        return self.idle

    def _receive(self, check: Check) -> tuple[Message, bytes]:
        head, payload = HEADER.unpack(self._bytes(HEADER.size, check))
        # What a parser that has been taken over says may be a lie.
        if head + payload > settings.parse_memory_bytes:
            raise ParserCrashed
        try:
            message: Message = dict(json.loads(self._bytes(head, check)))
        except (TypeError, ValueError, RecursionError) as error:
            raise ParserCrashed from error
        return message, self._bytes(payload, check)

    def _bytes(self, count: int, check: Check) -> bytes:
        while len(self._buffer) < count:
            if self._selector.select(LOOK_S):
                piece = os.read(self._replies.fileno(), READ_BYTES)
                if not piece:
                    raise ParserCrashed
                self._buffer += piece
            check()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


class Parsers:
    """As many processes as are needed at once, kept for the next files."""

    def __init__(self, command: Sequence[str] = COMMAND, limit_s: float = 0.0) -> None:
        self.command, self.limit_s = command, limit_s or settings.parse_limit_s
        self._idle: list[Parser] = []

    @contextmanager
    def reading(self, path: Path, name: str, check: Check) -> Iterator[Reading]:
        """Reads a file, which must stay where it is meanwhile; its process is ours until then.

        Raises LoadError `parse_timeout`, `parse_crashed` or `parse_memory` beside the file's own.
        What `check` raises ends the reading.
        """
        parser = self._taken(check)
        try:
            yield parser.read(path, name, self.limit_s, _in_time(self.limit_s, check))
        except (ParserCrashed, BrokenPipeError) as error:
            parser.idle = False
            raise _crashed(parser.fate(), self.limit_s) from error
        finally:
            self._leave(parser)

    def close(self) -> None:
        """Ends the processes that wait."""
        while parser := self._waiting():
            parser.end()

    def _taken(self, check: Check) -> Parser:
        while parser := self._waiting():
            if parser.usable:
                return parser
            parser.end()
        return Parser(self.command, check)

    def _waiting(self) -> Parser | None:
        # Not asked first whether there is one: another thread may take it in between.
        with suppress(IndexError):
            return self._idle.pop()
        return None

    def _leave(self, parser: Parser) -> None:
        if parser.usable:
            self._idle.append(parser)
        else:
            parser.end()


@lru_cache(maxsize=1)
def get_parsers() -> Parsers:
    """Those of this process."""
    return Parsers()


def _in_time(limit_s: float, check: Check) -> Check:
    deadline = time.monotonic() + limit_s

    def both() -> None:
        if time.monotonic() > deadline:
            raise _too_slow(limit_s)
        check()

    return both


def _crashed(status: int, limit_s: float) -> LoadError:
    if status == -signal.SIGALRM:
        return _too_slow(limit_s)
    how = f"signal {-status}" if status < 0 else f"exit code {status}"
    return LoadError(
        "parse_crashed",
        f"the reader of this format crashed on the file ({how}): is it damaged, or far too large?"
        " Save it anew, or in another format",
    )


def _too_slow(limit_s: float) -> LoadError:
    return LoadError(
        "parse_timeout",
        f"reading the file took longer than {limit_s:g} s: split it, or raise REDTEN_PARSE_LIMIT_S",
    )


def out_of_memory() -> LoadError:
    """The refusal of a file that needs more memory than it may have."""
    most = settings.parse_memory_bytes
    return LoadError(
        "parse_memory",
        f"reading the file takes more than {most} bytes of memory: split it, or raise"
        " REDTEN_PARSE_MEMORY_BYTES",
    )
