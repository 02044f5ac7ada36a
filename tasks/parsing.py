"""Files are read in processes of their own, which end when one takes too long or too much.

A file that crashes its parser or makes it spin costs that process and fails by itself: the worker
and the other documents go on.
"""

import atexit
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from ingest.load.page import LoadError
from settings import settings
from tasks.parser import Check, Parser, ParserCrashed, Reading, forget_folders

# Each holds what its formats have loaded.
MOST_IDLE = settings.ingest_at_once or (os.cpu_count() or 1) + 1
COMMAND = (sys.executable, "-P", "-m", "ingest.load.child", str(settings.parse_memory_bytes))


class ParserKilled(Exception):
    """Somebody, or a machine short of memory, has killed the process: maybe not the file's fault.

    No refusal, so the document is tried again, and counts a loss.
    """


class Parsers:
    """As many processes as are needed at once, kept for the next files."""

    def __init__(self, command: Sequence[str] = COMMAND, limit_s: float = 0.0) -> None:
        self.command, self.limit_s = command, limit_s or settings.parse_limit_s
        self._idle: list[Parser] = []

    @contextmanager
    def reading(self, path: Path, name: str, check: Check, owner: int) -> Iterator[Reading]:
        """Reads a file of a tenant, the `owner`; its process is ours until it is read.

        Raises LoadError `parse_timeout`, `parse_crashed` or `parse_memory` beside the file's own,
        and ParserKilled. What `check` raises ends the reading.
        """
        parser = self._taken(owner, check)
        try:
            yield parser.read(path, name, self.limit_s, _in_time(self.limit_s, check))
        except (ParserCrashed, BrokenPipeError) as error:
            parser.idle = False
            raise _crashed(parser.fate(), self.limit_s) from error
        finally:
            self._leave(parser)

    def close(self) -> None:
        """Ends the processes that wait."""
        for parser in self._waiting():
            parser.end()

    def _taken(self, owner: int, check: Check) -> Parser:
        for parser in self._waiting(owner):
            if parser.usable:
                return parser
            parser.end()
        return Parser(self.command, owner, check)

    def _waiting(self, owner: int | None = None) -> Iterator[Parser]:
        """Those that wait, of one owner or of all, each taken out of the others' reach."""
        for parser in list(self._idle):
            # Another thread may take it in between.
            with suppress(ValueError):
                if owner in (None, parser.owner):
                    self._idle.remove(parser)
                    yield parser

    def _leave(self, parser: Parser) -> None:
        if not parser.usable:
            parser.end()
            return
        self._idle.append(parser)
        if len(self._idle) > MOST_IDLE:
            # Another thread may empty the list in between.
            with suppress(IndexError):
                self._idle.pop(0).end()


@lru_cache(maxsize=1)
def get_parsers() -> Parsers:
    """Those of this process."""
    forget_folders()
    made = Parsers()
    atexit.register(made.close)
    return made


def _in_time(limit_s: float, check: Check) -> Check:
    deadline = time.monotonic() + limit_s

    def both() -> None:
        if time.monotonic() > deadline:
            raise _too_slow(limit_s)
        check()

    return both


def _crashed(status: int, limit_s: float) -> LoadError | ParserKilled:
    if status == -signal.SIGALRM:
        return _too_slow(limit_s)
    if status == -signal.SIGKILL:
        return ParserKilled("the reader of this format was killed from outside")
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
