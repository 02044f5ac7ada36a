"""Who may be generated beside whom: a question that has been lost before runs alone.

So a question that kills its worker takes no other with it a second time, and only one that kills
the worker by itself is lost until it is given up.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery.exceptions import Ignore

_changed = threading.Condition()
# In order of arrival, whether each must be alone: nobody overtakes one who waits for that.
_queue: deque[tuple[object, bool]] = deque()
_inside: dict[object, bool] = {}


@contextmanager
def entered(alone: bool, still_due: Callable[[], bool], every_s: float) -> Iterator[None]:
    """Waits its turn; inside with others, or `alone`.

    `still_due` is asked every `every_s` seconds of waiting; Ignore once it is not.
    """
    me = object()
    _wait(me, alone, still_due, every_s)
    try:
        yield
    finally:
        with _changed:
            del _inside[me]
            _changed.notify_all()


def _wait(me: object, alone: bool, still_due: Callable[[], bool], every_s: float) -> None:
    with _changed:
        _queue.append((me, alone))
    try:
        while not _let_in(me, alone, every_s):
            # Not with the lock held: it looks into the database.
            if not still_due():
                raise Ignore
    finally:
        # However the wait ends: who stayed in the queue would keep everybody else out for ever.
        with _changed:
            _queue.remove((me, alone))
            _changed.notify_all()


def _let_in(me: object, alone: bool, every_s: float) -> bool:
    with _changed:
        room = _changed.wait_for(lambda: _queue[0][0] is me and _room(alone), every_s)
        if room:
            _inside[me] = alone
    return room


def _room(alone: bool) -> bool:
    return not _inside if alone else not any(_inside.values())
