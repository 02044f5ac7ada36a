"""One `redten up` to a data directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError


@contextmanager
def held(path: Path, url: str) -> Iterator[None]:
    """Holds the lock; raises LocalError with the holder's pid and URL if there is one already.

    The kernel drops the lock with its holder, however that ends.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            raise LocalError(
                f"redten already runs on {path.parent.parent} ({file.read().strip()})"
            ) from exc
        file.truncate(0)
        file.write(f"pid {os.getpid()}, {url}\n")
        file.flush()
        yield
