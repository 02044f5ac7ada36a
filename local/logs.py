"""The programs' log files, shown on the terminal as they grow."""

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from local.terminal import write

POLL_S = 0.2
LAST_LINES = 15


class Tail:
    """Follows one file from its present end on, across rotations."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        if path.exists():
            self._file = path.open("rb")
            self._file.seek(0, 2)

    def lines(self) -> list[str]:
        """The whole lines written since the last call."""
        data = self._rest + self._read()
        if self._rotated():
            # What the old file still got after the first look, then all of the new one.
            data += self._read()
            self._reopen()
            data += self._read()
        *whole, self._rest = data.split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()

    def _read(self) -> bytes:
        return self._file.read() if self._file else b""

    def _rotated(self) -> bool:
        try:
            present = self._path.stat()
        except FileNotFoundError:
            return False
        return self._file is None or os.fstat(self._file.fileno()).st_ino != present.st_ino

    def _reopen(self) -> None:
        self.close()
        self._file = self._path.open("rb")


class Echo:
    """A thread that prints new lines of several logs, each after the name of its program."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._tails = [(name, Tail(folder / f"{name}.log")) for name in names]
        self._width = max(map(len, names))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread once it has shown what was written until now."""
        self._over.set()
        # Not for ever: a paused terminal must not keep a stopped stack from ending.
        self._thread.join(timeout=2)

    def _follow(self) -> None:
        try:
            while not self._over.wait(POLL_S):
                self._show()
            self._show()
        finally:
            for _, tail in self._tails:
                tail.close()

    def _show(self) -> None:
        for name, tail in self._tails:
            for line in tail.lines():
                write(f"{name:<{self._width}} | {line}", sys.stdout)


def end_of(path: Path) -> str:
    """Which log to read, and its last lines, for whoever has to find out what went wrong."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join([f"read {path}", *lines[-LAST_LINES:]])
