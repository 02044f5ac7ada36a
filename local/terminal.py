"""What a person at the terminal sees; the stack goes on when nobody looks any more."""

import os
import sys
import threading
from contextlib import suppress
from typing import TextIO

STALLED_S = 0.5


def show(line: str) -> None:
    """The ready line: standard output."""
    _in_time(line, sys.stdout)


def tell(line: str) -> None:
    """Progress: standard error."""
    _in_time(line, sys.stderr)


def _in_time(line: str, stream: TextIO | None) -> None:
    """Leaves the line to a thread if the terminal is paused: it must not keep us from stopping."""
    writer = threading.Thread(target=write, args=(line, stream), daemon=True)
    writer.start()
    writer.join(STALLED_S)


def write(line: str, stream: TextIO | None) -> None:
    """Writes a line for as long as it takes; nowhere if the stream or its reader is gone."""
    if stream is None:
        return
    with suppress(OSError):
        # Not through the stream's buffer: Python would wait for its lock at the end, and abort.
        os.write(stream.fileno(), f"{line}\n".encode(stream.encoding, "replace"))
