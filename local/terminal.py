"""What a person at the terminal sees; the stack goes on when nobody looks any more."""

import os
import sys
from typing import TextIO


def show(line: str) -> None:
    """The logs and the ready line: standard output."""
    _write(line, sys.stdout)


def tell(line: str) -> None:
    """Progress: standard error."""
    _write(line, sys.stderr)


def _write(line: str, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    try:
        print(line.encode(encoding, "replace").decode(encoding), file=stream, flush=True)
    except OSError:
        # The reader has gone. What is still in the buffer must go somewhere, or the end fails.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
