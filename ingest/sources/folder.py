"""A folder that the worker can see."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ingest.sources.item import Item, Sink, SourceError

BLOCK_BYTES = 1 << 20


class Folder:
    """The plain files below `root`, which must lie below one of the folders `allowed`."""

    def __init__(self, root: Path, allowed: Sequence[Path]) -> None:
        self.root = root.resolve()
        if not any(_lies_in(folder.resolve(), self.root) for folder in allowed):
            said = f"{root} leads out of the folders allowed, or into what is hidden there"
            raise SourceError("address_not_allowed", said)

    def items(self, known: Mapping[str, str]) -> Iterator[Item]:
        """Hidden files, hidden folders and symbolic links are left out."""
        if alone := _item(self.root.parent, self.root):
            yield alone
            return
        for folder, folders, files in os.walk(self.root, onerror=_incomplete):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in files if not name.startswith(".")):
                if item := _item(self.root, Path(folder, name)):
                    yield item

    def read(self, item: Item, known: str, sink: Sink) -> str | None:
        try:
            with open(item.place, "rb", opener=_open_plain) as file:
                self._check_inside(item.place, file.fileno())
                while piece := file.read(BLOCK_BYTES):
                    sink.write(piece)
                return _version(os.fstat(file.fileno()))
        except OSError as error:
            raise SourceError("unreadable", f"cannot be read: {error.strerror}") from error

    def _check_inside(self, path: str, descriptor: int) -> None:
        """A folder on the way may have become a link since it was listed."""
        real, opened = Path(path).resolve(), os.fstat(descriptor)
        inside = real.is_relative_to(self.root) and os.path.samestat(real.stat(), opened)
        if not inside or not stat.S_ISREG(opened.st_mode):
            raise SourceError("unreadable", "it is not a plain file below the folder any more")


def _lies_in(folder: Path, path: Path) -> bool:
    """Whether it is the folder or below it, where nothing on the way is hidden."""
    if not path.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _open_plain(path: str, flags: int) -> int:
    # A pipe without a writer must not hold the worker up.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _incomplete(error: OSError) -> NoReturn:
    said = f"{_shown(error.filename)}: {error.strerror}"
    raise SourceError("unreadable_source", said) from error


def _shown(path: str) -> str:
    # It must travel as UTF-8; file systems hold bytes.
    return os.fsencode(path).decode("utf-8", "replace")


def _item(root: Path, path: Path) -> Item | None:
    """None for what is no plain file, or is there no more."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        _incomplete(error)
    if not stat.S_ISREG(status.st_mode):
        return None
    return Item(_shown(path.relative_to(root).as_posix()), str(path), _version(status))


def _version(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_size}"
