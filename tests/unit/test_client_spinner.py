"""The sign of life on a terminal."""

import io
import threading

from client.spinner import Spinner


class Terminal(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.shown = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if "generate answer" in text:
            self.shown.set()
        return super().write(text)


def test_the_spinner_shows_what_is_waited_for_and_cleans_up() -> None:
    terminal = Terminal()

    with Spinner(terminal) as spinner:
        spinner.show("job 5: generate answer")
        assert terminal.shown.wait(10)

    assert "job 5: generate answer 0 s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_the_spinner_is_silent_where_nobody_looks() -> None:
    stream = io.StringIO()

    with Spinner(stream) as spinner:
        spinner.show("job 5: generate answer")

    assert stream.getvalue() == ""
