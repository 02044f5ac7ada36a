"""Files that commands write: whole under their name, or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from client.command import Failure


@contextmanager
def half_made(target: Path) -> Iterator[Path]:
    """A path to be filled, which takes the target's place when the block ends well.

    Raises Failure if it cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".redten-") as folder:
            path = Path(folder) / target.name
            yield path
            path.replace(target)
    except OSError as exc:
        raise Failure(f"{target} cannot be written: {exc}") from exc
