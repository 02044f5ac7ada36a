"""Waiting that tells what it waits for, and that a signal ends."""

import signal
import time
from collections.abc import Callable
from typing import TypeVar

from local.errors import Stopped
from local.terminal import tell

POLL_S = 0.1
SILENT_S = 2.0

Answer = TypeVar("Answer")


def endings() -> list[signal.Signals]:
    """The signals that ask for the end: SIGHUP is one of them unless nohup has seen to it."""
    asked = [signal.SIGINT, signal.SIGTERM]
    heeded = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return [*asked, signal.SIGHUP] if heeded else asked


class Patience:
    """Waits in short steps; after a signal that asks for the end the next step raises Stopped."""

    def __init__(self) -> None:
        # Plain fields: an Event's lock could be held by the very wait that the handler interrupts.
        self.asked_to_stop = False
        self.interrupts = 0
        for number in endings():
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: object) -> None:
        self.asked_to_stop = True
        self.interrupts += number == signal.SIGINT

    def step(self) -> None:
        """One short wait; raises Stopped once a signal has come."""
        if self.asked_to_stop:
            raise Stopped
        time.sleep(POLL_S)

    def until(self, found: Callable[[], Answer], what: str, limit_s: float) -> Answer:
        """The first true answer of `found`; says `what` after two seconds without one.

        Raises TimeoutError after `limit_s` seconds, Stopped on a signal.
        """
        start, told = time.monotonic(), False
        while not (answer := found()):
            waited = time.monotonic() - start
            if waited > limit_s:
                raise TimeoutError(f"gave up {what} after {limit_s:.0f} s")
            if waited > SILENT_S and not told:
                told = True
                tell(f"{what} ...")
            self.step()
        return answer
