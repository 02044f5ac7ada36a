"""Landlock: the kernel shuts files and ports to a process at its own request (Linux 5.13 on).

https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

# The numbers are the same on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
# How many rights each version of the interface knows, to files and to ports.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
PORT_RIGHTS = 2
PORTS_SINCE, SCOPES_SINCE = 4, 6
SCOPES = 0b11  # abstract sockets and signals: to this process alone


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("ports", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict(readable: Iterable[Path], listable: Iterable[Path]) -> None:
    """Leaves this process and its children what is named, to read; no other file, and no port.

    In folders that are only `listable` it sees names. What is not there is passed over. Raises
    OSError where the kernel has no Landlock.
    """
    version = _call(CREATE_RULESET, None, 0, ASK_VERSION)
    rules = _ruleset(version)
    ruleset = _call(CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    try:
        for path in readable:
            _allow(ruleset, path, READ_FILE | READ_DIR)
        for path in listable:
            _allow(ruleset, path, READ_DIR)
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _ruleset(version: int) -> _Ruleset:
    """Everything that this version can forbid. Fields of later ones are 0, which is allowed."""
    rights = FILE_RIGHTS.get(version, max(FILE_RIGHTS.values()))
    return _Ruleset(
        (1 << rights) - 1,
        (1 << PORT_RIGHTS) - 1 if version >= PORTS_SINCE else 0,
        SCOPES if version >= SCOPES_SINCE else 0,
    )


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        # Of what is no folder nothing can be listed.
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= ~READ_DIR
        rule = _Beneath(rights, opened)
        _call(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)


def _call(number: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
