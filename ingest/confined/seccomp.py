"""Seccomp: a filter in the kernel refuses a process the calls that it has no business with.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import platform
from collections.abc import Iterator

PR_SET_SECCOMP, MODE_FILTER = 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
# Of what the filter is shown: the call's number, the architecture, the lower half of its first
# argument (on machines that put the lower half first, as both below do).
NUMBER, ARCHITECTURE, FIRST = 0, 4, 16
LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Calls by other numbers, which mean the same on x86-64.
X32 = 0x40000000
CLONE_THREAD = 0x10000

# By the machine's name, in the order of ARCHITECTURES; None where there is no such call.
REFUSED = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "io_uring_setup": (425, 425),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "tkill": (200, 130),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "chroot": (161, 51),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
CLONE, CLONE3 = (56, 220), (435, 435)
# Allowed to this process on itself alone, which is what the first argument says.
ON_ITSELF = {"kill": (62, 129), "tgkill": (234, 131), "prlimit64": (302, 261)}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("then", ctypes.c_uint8),
        ("otherwise", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("first", ctypes.POINTER(_Instruction)))


def restrict() -> None:
    """No connection, no new program or process, no hand on another process; threads are allowed.

    A refused call fails with EPERM. Raises OSError where the kernel or machine has no such filter.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"not known for {machine}")
    instructions = list(_filter(list(ARCHITECTURES).index(machine), ARCHITECTURES[machine]))
    array = (_Instruction * len(instructions))(*instructions)
    program = _Program(len(instructions), array)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _filter(column: int, architecture: int) -> Iterator[_Instruction]:
    yield _Instruction(LOAD, 0, 0, ARCHITECTURE)
    yield from _answer(IF_EQUAL, architecture, REFUSE | errno.EPERM, unless=True)
    yield _Instruction(LOAD, 0, 0, NUMBER)
    if column == 0:
        yield from _answer(IF_AT_LEAST, X32, REFUSE | errno.EPERM)
    # The C library takes this for an old kernel, and calls `clone`, which can be looked into.
    yield from _answer(IF_EQUAL, CLONE3[column], REFUSE | errno.ENOSYS)
    for numbers in REFUSED.values():
        if (number := numbers[column]) is not None:
            yield from _answer(IF_EQUAL, number, REFUSE | errno.EPERM)
    yield from _by_first(CLONE[column], _Instruction(IF_ANY_BIT, 1, 0, CLONE_THREAD))
    for numbers in ON_ITSELF.values():
        yield from _by_first(numbers[column], _Instruction(IF_EQUAL, 1, 0, os.getpid()))
    yield _Instruction(RETURN, 0, 0, ALLOW)


def _answer(
    condition: int, value: int, answer: int, unless: bool = False
) -> tuple[_Instruction, _Instruction]:
    """Returns the answer if the condition holds, or else if it does not."""
    held, failed = (1, 0) if unless else (0, 1)
    return _Instruction(condition, held, failed, value), _Instruction(RETURN, 0, 0, answer)


def _by_first(number: int, allowed: _Instruction) -> tuple[_Instruction, ...]:
    """Of this call, refuses what `allowed` does not find in the first argument."""
    return (
        _Instruction(IF_EQUAL, 0, 4, number),
        _Instruction(LOAD, 0, 0, FIRST),
        allowed,
        _Instruction(RETURN, 0, 0, REFUSE | errno.EPERM),
        _Instruction(RETURN, 0, 0, ALLOW),
    )
