"""What a check has found, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Only a failure makes the command fail."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is how things are; `advice` is what to do, empty where all is well."""

    check: str
    status: Status
    said: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def good(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check, Status.OK, said)


def doubtful(check: str, said: str, advice: str) -> Finding:
    """It works, and yet it had better be otherwise."""
    return Finding(check, Status.WARNING, said, advice)


def bad(check: str, said: str, advice: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(check, Status.FAILURE, said, advice)
