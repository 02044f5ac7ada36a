"""The bars of many files."""

import io

import pytest

from client.bars import Bars
from client.collection_records import Document
from client.records import State
from client.transfer import Outcome


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def last_bar(terminal: Terminal, stage: str) -> str:
    drawn = [part for part in terminal.getvalue().replace("\n", "\r").split("\r") if stage in part]
    return drawn[-1]


def document(state: State, **stages: tuple[int, int]) -> Document:
    return Document(id=1, name="a", state=state, stages=stages)


def test_there_is_a_bar_for_every_stage(terminal: Terminal) -> None:
    with Bars({"a": 1000, "b": 1000}, terminal) as bars:
        bars.sent("a", 1000)
        bars.seen(document(State.RUNNING, load=(1, 4), chunk=(2, 8)))
        bars.seen(document(State.RUNNING, load=(3, 4), chunk=(2, 8), embed=(0, 8), store=(0, 8)))

    assert "1.00k/2.00k" in last_bar(terminal, "upload")
    assert "3/4" in last_bar(terminal, "load  ")
    assert "2/8" in last_bar(terminal, "chunk ")
    assert "0/8" in last_bar(terminal, "embed ")
    assert "0/8" in last_bar(terminal, "store ")


def test_a_stage_of_unknown_length_shows_what_is_done(terminal: Terminal) -> None:
    with Bars({}, terminal) as bars:
        bars.seen(document(State.RUNNING, load=(3, 0)))

    assert "3/3" in last_bar(terminal, "load  ")


def test_a_file_that_failed_asks_no_more_of_the_bars(terminal: Terminal) -> None:
    failed = document(State.FAILED, load=(1, 4))
    with Bars({"a": 1000, "b": 500}, terminal) as bars:
        bars.sent("a", 400)
        bars.seen(failed)
        bars.settled(Outcome("a", failed, reason="broken"))
        bars.sent("b", 500)

    assert "900/900" in last_bar(terminal, "upload")
    assert "1/1" in last_bar(terminal, "load  ")


def test_a_file_sent_again_is_counted_once(terminal: Terminal) -> None:
    with Bars({"a": 1000}, terminal) as bars:
        bars.sent("a", 800)
        bars.sent("a", 100)
        bars.sent("a", 1000)

    assert "1.00k/1.00k" in last_bar(terminal, "upload")


def test_bars_are_silent_where_nobody_looks() -> None:
    stream = io.StringIO()

    with Bars({"a": 10}, stream) as bars:
        bars.sent("a", 10)

    assert stream.getvalue() == ""
