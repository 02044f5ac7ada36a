"""Who may be generated beside whom: a question that has been lost before runs alone.

So a question that kills its worker takes no other with it a second time, and only one that kills
the worker by itself is lost until it is given up.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_changed = threading.Condition()
# In order of arrival, whether each must be alone: nobody overtakes one who waits for that.
_queue: deque[tuple[object, bool]] = deque()
_inside: dict[object, bool] = {}


@contextmanager
def entered(alone: bool) -> Iterator[None]:
    """Waits its turn; inside with others, or `alone`."""
    me = object()
    with _changed:
        _queue.append((me, alone))
        _changed.wait_for(lambda: _queue[0][0] is me and _room(alone))
        _queue.popleft()
        _inside[me] = alone
        _changed.notify_all()
    try:
        yield
    finally:
        with _changed:
            del _inside[me]
            _changed.notify_all()


def _room(alone: bool) -> bool:
    return not _inside if alone else not any(_inside.values())
