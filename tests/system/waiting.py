"""Waiting for what is bound to come, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT_S = 90.0
PAUSE_S = 0.05


def eventually(condition: Callable[[], T], what: str, limit_s: float = LIMIT_S) -> T:
    """The first value of the condition that counts as true; a failed assertion without one."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"no {what} within {limit_s:.0f} s"
        time.sleep(PAUSE_S)
    return value
