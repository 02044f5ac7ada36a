"""What loading a file gives: pages of text, or the reason why there are none."""

from dataclasses import dataclass


class LoadError(Exception):
    """A file that will not become text however often it is tried."""

    def __init__(self, code: str, message: str) -> None:
        # Both to the base: Celery pickles exceptions, and unpickling calls with these.
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `number` counts from 1, as a PDF viewer shows it."""

    number: int
    text: str
