"""A process whose engine hangs ends."""

import signal
import subprocess
import sys
import threading
import time

from engines import watchdog


def test_a_process_whose_turn_takes_too_long_is_ended():
    code = (
        "from engines.watchdog import watch; import time;"
        "watch(lambda: time.monotonic() - 10, 5); time.sleep(60)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    assert ended.returncode == -signal.SIGKILL
    assert b"hung" in ended.stderr


def test_turns_that_end_are_left_alone_and_the_watch_can_be_ended(monkeypatch):
    monkeypatch.setattr(watchdog, "EVERY_S", 0.01)
    looks = threading.Semaphore(0)

    def began() -> float | None:
        looks.release()
        return time.monotonic()

    unwatch = watchdog.watch(began, 5)
    assert all(looks.acquire(timeout=5) for _ in range(3))
    unwatch()
    [thread] = [one for one in threading.enumerate() if one.name == "watchdog"] or [None]
    if thread:
        thread.join(5)
        assert not thread.is_alive()
