"""What loading a file gives: pages of text, or the reason why there are none."""

from dataclasses import dataclass


class LoadError(Exception):
    """A file that will not become text however often it is tried."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `number` counts from 1, as a PDF viewer shows it."""

    number: int
    text: str
