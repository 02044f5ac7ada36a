"""What a process gives up for good before it reads files that may be made to take it over."""

import ctypes
import os
import resource
import site
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import ingest
from ingest.confined import landlock, seccomp

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
NOBODY = 65534
MOST_FILES = 256
HOME = Path(ingest.__file__).parents[1]
# Where libraries and what they look up lie; nobody keeps secrets there.
SYSTEM = (
    *("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types"),
    *("/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
)


def confine(folder: Path) -> list[str]:
    """From now on this process reads Python, the system's libraries and `folder`, and no more.

    It writes no file, opens no connection, starts no program and touches no other process. As
    root it becomes nobody, to whom the folder must belong. Gives in words what the system cannot
    withhold from it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    if sys.platform != "linux":
        return ["files", "network", "processes"]
    left = [] if _became_nobody(folder) else ["root (no other user may read Python's folders)"]
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    left += _unless_refused("files", lambda: landlock.restrict(_readable(folder), [HOME]))
    return left + _unless_refused("network and processes", seccomp.restrict)


def hide_memory() -> None:
    """Closes what `/proc` tells of this process, its environment too, to others of the same user.

    Nothing of it gets into a core dump either.
    """
    if sys.platform == "linux":
        _prctl(PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _unless_refused(what: str, restrict: Callable[[], None]) -> list[str]:
    try:
        restrict()
    except OSError as error:
        return [f"{what} ({error.strerror})"]
    return []


def _readable(folder: Path) -> list[Path]:
    python = [sys.prefix, sys.base_prefix, *site.getsitepackages(), site.getusersitepackages()]
    return [folder, HOME / "ingest", *map(Path, (*python, *SYSTEM))]


def _became_nobody(folder: Path) -> bool:
    """False if root stays root, since nobody else may read what this process needs."""
    if os.geteuid() != 0:
        return True
    needed = [folder, HOME / "ingest", *map(Path, filter(os.path.isdir, sys.path))]
    try:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        for one in needed:
            os.listdir(one)
    except OSError:
        # Also where root may become nobody else: a container without that right.
        os.seteuid(0)
        os.setegid(0)
        return False
    os.seteuid(0)
    os.setegid(0)
    # A user namespace of one's own refuses it.
    with suppress(PermissionError):
        os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    return True
