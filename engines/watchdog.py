"""Ends the process if its engine hangs in native code, where nothing else can end it.

The jobs of a process that is gone are lost once and asked again, each alone, so that only the one
that hangs the engine by itself is given up.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)
EVERY_S = 1.0


def watch(began: Callable[[], float | None], limit_s: float) -> Callable[[], None]:
    """Looks from a thread when the turn under way began; gives what ends the watch."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(EVERY_S):
            since = began()
            if since is not None and time.monotonic() - since > limit_s:
                log.critical("the engine has hung for %g s: this process ends", limit_s)
                os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=run, name="watchdog", daemon=True).start()
    return over.set
