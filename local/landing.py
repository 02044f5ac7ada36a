"""Where a download lands on its way into the weights folder."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from settings import settings


@contextmanager
def landing(named: str) -> Iterator[Path]:
    """A folder for this download; only what broke off is kept in it, so that it can go on."""
    folder = settings.weights_dir / f".{hashlib.sha256(named.encode()).hexdigest()[:16]}"
    try:
        yield folder
    finally:
        if not any(folder.rglob("*.incomplete")):
            shutil.rmtree(folder, ignore_errors=True)
