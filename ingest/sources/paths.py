"""Which files are meant by the paths, folders and patterns that somebody names."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.sources.item import SourceError


@dataclass(frozen=True, slots=True)
class Source:
    """A file to ingest; `name` is relative to the folder or pattern's root, with slashes."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A path or file that is left out, and why."""

    path: str
    code: str
    reason: str


def find(paths: Sequence[str]) -> tuple[list[Source], list[Refused]]:
    """Each file once, sorted by name, and what cannot be taken.

    Hidden files, hidden folders and symbolic links are left out unless named themselves, so
    nothing outside of a folder is reached through it. Of two files that would go by one name the
    first is taken.
    """
    named: dict[str, Source] = {}
    seen: set[Path] = set()
    found, refused = _look_up(paths)
    for source in found:
        if (real := source.path.resolve()) in seen:
            continue
        seen.add(real)
        first = named.setdefault(source.name, source)
        if first is not source:
            refused.append(_twice(source, first))
    return [named[name] for name in sorted(named)], refused


def _look_up(paths: Sequence[str]) -> tuple[list[Source], list[Refused]]:
    found: list[Source] = []
    refused: list[Refused] = []
    for path in paths:
        try:
            found.extend(_named_by(path))
        except SourceError as exc:
            refused.append(Refused(path, exc.code, str(exc)))
    return found, refused


def _twice(source: Source, first: Source) -> Refused:
    # It would be taken for a newer version of the first.
    reason = (
        f"{first.path} and {source.path} would both be called {source.name}; "
        "name a folder that holds both"
    )
    return Refused(str(source.path), "same_name", reason)


def _named_by(path: str) -> Iterator[Source]:
    root = Path(path)
    if root.is_dir():
        return (_below(root, found) for found in _walk(root))
    if root.is_file():
        return iter([_below(root.parent, root)])
    if glob.has_magic(path):
        return _matching(path)
    raise SourceError(
        "no_such_file",
        f"no such file: {path}; give a file, a folder or a pattern like 'docs/*.pdf'",
    )


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
        raise SourceError(
            "no_such_file", f"no file matches: {pattern}; hidden files and links are left out"
        )
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
