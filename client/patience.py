"""How long to wait before looking again, and what a passing failure is worth."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from client.errors import ClientError

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
PATIENCE_S = 60.0

T = TypeVar("T")


def pauses() -> Iterator[float]:
    """Seconds before each next look, without end: short first, growing by half."""
    pause = FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE_S)


def patiently(call: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """What `call` returns, tried again after passing failures until `patience_s` are over.

    For calls only that are harmless to repeat.
    """
    give_up = time.monotonic() + patience_s
    for pause in pauses():
        try:
            return call()
        except ClientError as exc:
            if not exc.passing or time.monotonic() + pause > give_up:
                raise
        time.sleep(pause)
    raise AssertionError("pauses() never ends")
