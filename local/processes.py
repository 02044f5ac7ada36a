"""Which processes belong to a data directory, and how they end."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import psutil

from local.layout import Layout
from local.postgres_home import data_folder

# In the environment of every program under `redten up`: the fingerprint of its data directory.
MARK = "REDTEN_UP"
STORES = ("postgres", "valkey-server")
SUPERVISORD = "local.supervisord"

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on processes that lose their parent below this one become its children (Linux)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int) -> None:
    """SIGTERM comes to this process when `parent` ends (Linux), even if it has ended already."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if sys.platform == "linux" and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@dataclass(frozen=True)
class Kin:
    """The programs of one data directory, wherever in the process tree they are."""

    fingerprint: str
    homes: frozenset[str]

    @classmethod
    def of(cls, layout: Layout) -> Self:
        """The programs that `redten up` runs on this data directory."""
        return cls(layout.fingerprint, frozenset({str(data_folder(layout)), str(layout.valkey)}))

    def alive(self) -> list[psutil.Process]:
        """Those that live; this process and its ancestors are none of them."""
        spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        return [p for p in psutil.process_iter() if p.pid not in spared and self._claims(p)]

    def supervised(self) -> bool:
        """Whether a supervisord of theirs lives."""
        return any(SUPERVISORD in _words(process) for process in self.alive())

    def orphans(self, supervisord: int) -> list[psutil.Process]:
        """Those whose program has died without them; its next start must not meet them."""
        foster_parents = (1, os.getpid())
        return [p for p in self.alive() if p.pid != supervisord and _parent(p) in foster_parents]

    def end(self, grace_s: float) -> None:
        """Ends all of them, and what they may start meanwhile."""
        while alive := self.alive():
            end(alive, grace_s)

    def _claims(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == self.fingerprint:
                return bool(process.status() != psutil.STATUS_ZOMBIE)
            # The stores write their titles over their environment; they work in their data folders.
            return process.name() in STORES and process.cwd() in self.homes
        return False


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _parent(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(process.ppid())
    return 0


def end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """Asks processes to end and kills those that still live after `grace_s` seconds."""
    asked = list(processes)
    for process in asked:
        with suppress(psutil.NoSuchProcess):
            # On SIGTERM a postmaster waits for its clients; after SIGQUIT it replays its log.
            quick = process.name() == "postgres"
            process.send_signal(signal.SIGQUIT if quick else signal.SIGTERM)
    _, deaf = psutil.wait_procs(asked, timeout=grace_s)
    for process in deaf:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(deaf, timeout=grace_s)


def reap(spared: int) -> None:
    """Collects the exit status of adopted children; that of `spared` is left to its owner."""
    if sys.platform != "linux":
        return
    with suppress(ChildProcessError):
        peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while (found := os.waitid(os.P_ALL, 0, peek)) and found.si_pid != spared:
            os.waitpid(found.si_pid, 0)
