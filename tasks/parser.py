"""One process that reads files, and what its parent believes of what it says."""

import json
import logging
import os
import selectors
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from weakref import finalize

import psutil

from ingest.confined import HOME, NOBODY, hide_memory
from ingest.load.limits import Limits
from ingest.load.page import LoadError
from ingest.load.wire import HEADER, Item, Message, item_of
from settings import inherited_environment, settings

log = logging.getLogger(__name__)

READ_BYTES = 1 << 20
LOOK_S, FATE_S = 0.2, 2.0
# What a parser leaks does not add up to more than this many files.
MOST_FILES = 200
MOST_SAID = 2000
FOLDER = "redten-parser-"
LIMITS = Limits(pages=settings.parse_pages, inside_bytes=settings.parse_unpacked_bytes)
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

    What `check` raises ends the wait; the process is of no more use then. It finds each file in a
    folder of its own, the last argument of the command. A file that takes it over stays in it: so
    it serves one `owner` only.
    """

    def __init__(self, command: Sequence[str], owner: int, check: Check) -> None:
        self.owner, self.files, self.idle = owner, 0, False
        self._folder = _folder()
        # Also when this process ends in good order without having ended that one.
        self._forget = finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        known = inherited_environment()
        environment = {name: known[name] for name in INHERITED if name in known}
        self._process = subprocess.Popen(
            [*command, str(self._folder)],
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
        try:
            ready, _ = self._receive(check)
            _make_up_for(str(ready.get("unconfined") or ""))
            self.idle = True
        finally:
            if not self.idle:
                self.end()

    @property
    def usable(self) -> bool:
        """Whether it waits for another file."""
        return self.idle and self.files < MOST_FILES and self._process.poll() is None

    @property
    def _place(self) -> Path:
        return self._folder / "file"

    def read(self, path: Path, name: str, seconds: float, check: Check) -> Reading:
        """Asks for a file. Raises LoadError, and so do the items."""
        self.files, self.idle = self.files + 1, False
        _lay(path, self._place)
        request = {"path": str(self._place), "name": name, "seconds": seconds}
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
        self._forget()

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
        if self.idle:
            self._place.unlink(missing_ok=True)
        match message:
            case {"error": "parse_memory"}:
                self.files = MOST_FILES
                raise out_of_memory()
            case {"error": str(code), "message": str(said)}:
                raise LoadError(code[:MOST_SAID], said[:MOST_SAID])
            case {"error": _}:
                raise ParserCrashed
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


def forget_folders() -> None:
    """Removes what workers of this machine that were killed have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        worker = left.name.removeprefix(FOLDER).partition("-")[0]
        if worker.isdecimal() and not psutil.pid_exists(int(worker)):
            # Another account's stay.
            shutil.rmtree(left, ignore_errors=True)


def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
    if os.geteuid() == 0:
        _give_away(made)
    return made


def _give_away(path: Path) -> None:
    # A root without the right to it stays who it is, and so does its process, which says so.
    with suppress(OSError):
        os.chown(path, NOBODY, NOBODY)


def _lay(path: Path, place: Path) -> None:
    """Puts the file where the process may read it: a second name, or a copy."""
    if os.geteuid() == 0:
        shutil.copyfile(path, place)
        _give_away(place)
        return
    try:
        os.link(path, place)
    except OSError:
        shutil.copyfile(path, place)


@lru_cache(maxsize=1)
def _make_up_for(unconfined: str) -> None:
    """Says once what readers of files are not kept from here, and keeps what it can from them."""
    if unconfined in ("", "[]"):
        return
    log.warning("this system does not confine readers of files in: %s", unconfined)
    # `redten up` knows its programs by their environment, which this would close to it too.
    if "REDTEN_UP" not in inherited_environment():
        hide_memory()


def out_of_memory() -> LoadError:
    """The refusal of a file that needs more memory than it may have."""
    most = settings.parse_memory_bytes
    return LoadError(
        "parse_memory",
        f"reading the file takes more than {most} bytes of memory: split it, or raise"
        " REDTEN_PARSE_MEMORY_BYTES",
    )
