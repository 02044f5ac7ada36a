"""Which files are meant by the paths, folders and patterns that somebody names."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


class SourceError(Exception):
    """A path that names nothing, or names two files that could not be told apart."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to ingest; `name` is relative to the folder or pattern's root, with slashes."""

    path: Path
    name: str


def find(paths: Sequence[str]) -> Iterator[Source]:
    """Each file once, sorted by name; all paths are looked up before the first file is given.

    Hidden files, hidden folders and symbolic links are left out unless named themselves, so
    nothing outside of a folder is reached through it. Raises SourceError.
    """
    named: dict[str, Path] = {}
    seen: set[Path] = set()
    for source in (source for path in paths for source in _named_by(path)):
        real = source.path.resolve()
        if real in seen:
            continue
        if source.name in named:
            raise SourceError(_twice(source, named[source.name]))
        seen.add(real)
        named[source.name] = source.path
    for name in sorted(named):
        yield Source(named[name], name)


def _twice(source: Source, other: Path) -> str:
    """The later one would be taken for a newer version of the first."""
    return (
        f"{other} and {source.path} would both be called {source.name}; "
        "name a folder that holds both"
    )


def _named_by(path: str) -> Iterator[Source]:
    root = Path(path)
    if root.is_dir():
        return (_below(root, found) for found in _walk(root))
    if root.is_file():
        return iter([_below(root.parent, root)])
    if glob.has_magic(path):
        return _matching(path)
    raise SourceError(f"no such file: {path}; give a file, a folder or a pattern like 'docs/*.pdf'")


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and _is_plain(Path(folder, name)):
                yield Path(folder, name)


def _matching(pattern: str) -> Iterator[Source]:
    root, rest = _split(pattern)
    found = [root / match for match in glob.iglob(rest, root_dir=root, recursive=True)]
    files = [path for path in found if _is_plain(path) and not _linked(path.parent, root)]
    if not files:
        raise SourceError(f"no file matches: {pattern}; hidden files and links are left out")
    return (_below(root, path) for path in files)


def _split(pattern: str) -> tuple[Path, str]:
    """The folder before the first wildcard, and the rest."""
    parts = Path(pattern).parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first]), str(Path(*parts[first:]))


def _linked(folder: Path, root: Path) -> bool:
    """Whether a symbolic link lies between the two."""
    below = folder.relative_to(root).parts
    return any(root.joinpath(*below[: i + 1]).is_symlink() for i in range(len(below)))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _below(root: Path, path: Path) -> Source:
    # A name must travel as UTF-8; file systems hold bytes.
    return Source(path, os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "replace"))
