"""A sign of life on a terminal while something is waited for."""

import itertools
import threading
import time
from types import TracebackType
from typing import Self, TextIO

FRAMES = "|/-\\"
FRAME_S = 0.1
CLEAR_LINE = "\r\x1b[K"


class Spinner:
    """One line that turns and counts the seconds; nothing at all where `stream` is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._text = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True)

    def show(self, text: str) -> None:
        """Say what is being waited for now."""
        self._text = text

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _turn(self) -> None:
        began = time.monotonic()
        for frame in itertools.cycle(FRAMES):
            seconds = time.monotonic() - began
            self._stream.write(f"{CLEAR_LINE}{frame} {self._text} {seconds:.0f} s")
            self._stream.flush()
            if self._stop.wait(FRAME_S):
                break
        self._stream.write(CLEAR_LINE)
        self._stream.flush()
