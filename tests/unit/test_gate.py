"""Who may be generated beside whom."""

import threading
from collections.abc import Iterator

import pytest
from celery.exceptions import Ignore

from tasks import gate
from tests.integration.processes import until


class Visit:
    """A thread that enters, and leaves when it is told."""

    def __init__(self, alone: bool = False) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._enter, args=(alone,))
        waiting = len(gate._queue)
        self._thread.start()
        # It has its place in the queue, or is through already.
        until(lambda: self.inside.is_set() or len(gate._queue) > waiting)

    def _enter(self, alone: bool) -> None:
        with gate.entered(alone, lambda: True, 0.05):
            self.inside.set()
            assert self.leave.wait(10)

    def end(self) -> None:
        self.leave.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture(autouse=True)
def nobody_stays_behind() -> Iterator[None]:
    """The gate is the process's own: the next test finds it empty."""
    yield
    assert (len(gate._queue), len(gate._inside)) == (0, 0)


def test_many_are_inside_together():
    visits = [Visit() for _ in range(8)]
    assert all(visit.inside.is_set() for visit in visits)
    for visit in visits:
        visit.end()


def test_one_who_must_be_alone_waits_until_all_have_left():
    together = [Visit(), Visit()]
    alone = Visit(alone=True)
    together[0].end()
    assert not alone.inside.is_set()
    together[1].end()
    assert alone.inside.wait(10)
    alone.end()


def test_nobody_enters_beside_one_who_is_alone():
    alone = Visit(alone=True)
    others = [Visit(alone=True), Visit()]
    assert not any(visit.inside.is_set() for visit in others)
    alone.end()
    assert others[0].inside.wait(10)
    assert not others[1].inside.is_set()
    others[0].end()
    assert others[1].inside.wait(10)
    others[1].end()


def test_nobody_overtakes_one_who_waits_to_be_alone():
    first, alone = Visit(), Visit(alone=True)
    later = Visit()
    assert not later.inside.is_set()
    first.end()
    assert alone.inside.wait(10)
    assert not later.inside.is_set()
    alone.end()
    assert later.inside.wait(10)
    later.end()


@pytest.mark.parametrize("alone", [True, False])
def test_an_error_inside_lets_the_next_one_in(alone):
    with pytest.raises(KeyError), gate.entered(alone, lambda: True, 0.05):
        raise KeyError
    visit = Visit(alone=True)
    assert visit.inside.is_set()
    visit.end()


def test_who_is_not_due_any_more_leaves_the_queue_and_holds_up_nobody():
    inside = Visit()
    asked: list[int] = []

    def still_due() -> bool:
        asked.append(1)
        return len(asked) < 3

    with pytest.raises(Ignore), gate.entered(True, still_due, 0.01):
        pytest.fail("it is not due")
    assert len(asked) == 3
    Visit().end()
    inside.end()


def test_one_whose_wait_breaks_off_keeps_nobody_out():
    alone = Visit(alone=True)

    def broken() -> bool:
        raise ConnectionError

    with pytest.raises(ConnectionError), gate.entered(False, broken, 0.01):
        pass
    alone.end()
    after = Visit()
    assert after.inside.is_set()
    after.end()
