"""States of prompts that were computed before, in memory and on disk, least recently used out."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engines.context import State
from engines.prefix_files import PrefixFiles
from engines.radix import RadixTree

# Of what is kept already, so many tokens more are worth keeping again.
LEAST_KEPT = 128


@dataclass(eq=False, slots=True)
class Entry:
    """A kept prompt; its state is in memory, on disk, or both.

    `key` says with what it was computed and for whom: prompts with another one share nothing.
    """

    tokens: list[int]
    key: str
    state: State | None = None
    path: Path | None = None
    hot: bool = False


class PrefixStore:
    """What one model has computed. The engine's thread alone calls it."""

    def __init__(self, files: PrefixFiles, ram_bytes: int) -> None:
        self._files, self._limit, self._used = files, ram_bytes, 0
        self._trees: dict[str, RadixTree[Entry]] = {}
        self._in_memory: OrderedDict[Entry, None] = OrderedDict()
        self._writer = ThreadPoolExecutor(1, "prefix-writer")
        for path, tokens, key in files.known():
            self._tree(key).insert(tokens, Entry(tokens, key, path=path))

    def close(self) -> None:
        """Waits for what is still being written."""
        self._writer.shutdown()

    def find(self, key: str, tokens: list[int]) -> tuple[int, Entry | None]:
        """The entry that begins like these tokens, and for how many of them."""
        count, entries = self._tree(key).longest(tokens)
        return count, next(entries, None)

    def state(self, entry: Entry) -> State | None:
        """The entry's state, now the most recently used; None if its file is gone or damaged.

        What is asked for a second time is hot, and goes to disk as well.
        """
        if entry.state is None:
            self._read(entry)
        elif entry.path is None and not entry.hot:
            entry.hot = True
            self._writer.submit(self._write, entry, entry.state)
        if entry in self._in_memory:
            self._in_memory.move_to_end(entry)
        return entry.state

    def _read(self, entry: Entry) -> None:
        state = self._files.read(entry.path, entry.tokens) if entry.path else None
        if state is None:
            self._tree(entry.key).remove(entry.tokens, entry)
        else:
            self._hold(entry, state)

    def _write(self, entry: Entry, state: State) -> None:
        entry.path = self._files.write(entry.tokens, entry.key, state)

    def keep(self, key: str, tokens: list[int], save: Callable[[], State]) -> None:
        """Keeps the state that `save` gives, if enough of these tokens is new."""
        if not self._limit or len(tokens) - self._tree(key).longest(tokens)[0] < LEAST_KEPT:
            return
        state = save()
        if len(state) <= self._limit:
            entry = Entry(tokens, key)
            self._tree(key).insert(tokens, entry)
            self._hold(entry, state)

    def _hold(self, entry: Entry, state: State) -> None:
        entry.state = state
        self._in_memory[entry] = None
        self._used += len(state)
        while self._used > self._limit and len(self._in_memory) > 1:
            oldest, _ = self._in_memory.popitem(last=False)
            self._let_go(oldest)

    def _let_go(self, entry: Entry) -> None:
        if entry.state is not None:
            self._used -= len(entry.state)
            entry.state = None
        if entry.path is None:
            self._tree(entry.key).remove(entry.tokens, entry)

    def _tree(self, key: str) -> RadixTree[Entry]:
        return self._trees.setdefault(key, RadixTree())


def fingerprint(path: Path) -> str:
    """Names the content of a file: the first 32 digits of its SHA-256."""
    found = path.stat()
    return _fingerprint(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=64)
def _fingerprint(path: Path, _modified: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
