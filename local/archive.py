"""A backup on disk: a folder or a tar of files, and a manifest of their hashes, written last."""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from local.errors import LocalError

MANIFEST = "manifest.json"
FORMAT = 1


class Writer(Protocol):
    """Takes files in, by name; all are their owner's alone."""

    def add(self, name: str, path: Path) -> None:
        """Moves the file into the backup."""


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, name: str, path: Path) -> None:
        target = self.root / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o600)
        path.replace(target)


class _Tar:
    def __init__(self, file: tarfile.TarFile) -> None:
        self.file = file

    def add(self, name: str, path: Path) -> None:
        path.chmod(0o600)
        self.file.add(path, arcname=name)
        path.unlink()


@contextmanager
def writing(target: Path) -> Iterator[tuple[Writer, Path]]:
    """Gives what takes the files of a new backup, and a folder to make them in.

    The backup takes its name when the block ends well, and leaves nothing otherwise. Raises
    LocalError if there is something by that name already.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise LocalError(f"{target} is there already: choose another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        place = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        undo.callback(shutil.rmtree, place, ignore_errors=True)
        made, staged = place / "made", place / "staged"
        staged.mkdir(mode=0o700)
        if target.suffix == ".tar":
            with os.fdopen(os.open(made, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                    yield _Tar(tar), staged
                file.flush()
                os.fsync(file.fileno())
        else:
            made.mkdir(mode=0o700)
            yield _Folder(made), staged
        made.replace(target)


class Archive:
    """A backup to be read."""

    def __init__(self, path: Path, tar: tarfile.TarFile | None) -> None:
        self._path, self._tar = path, tar
        # To look for a name the library goes through all of them.
        self._members = {one.name: one for one in tar.getmembers()} if tar else {}

    def open(self, name: str) -> BinaryIO:
        """A file of it, which the caller closes. Raises LocalError if it is not there."""
        try:
            if self._tar is None:
                return (self._path / name).open("rb")
            return cast(BinaryIO, self._tar.extractfile(self._members[name]))
        except (FileNotFoundError, KeyError) as error:
            said = f"{self._path} is no whole backup: it has no {name}"
            raise LocalError(f"{said}; one that broke off lacks its end") from error

    def manifest(self) -> dict[str, Any]:
        """What the backup says of itself. Raises LocalError."""
        with self.open(MANIFEST) as file:
            told: dict[str, Any] = json.load(file)
        if told["format"] > FORMAT:
            raise LocalError(f"{self._path} was made by a newer redten ({told['redten']})")
        return told

    def fetch(self, name: str, sha256: str, path: Path) -> None:
        """Copies a file of it to `path`. Raises LocalError if it is not what was backed up."""
        with self.open(name) as source, path.open("wb") as file:
            shutil.copyfileobj(source, file)
        if hash_of(path) != sha256:
            raise LocalError(f"{self._path} is damaged: {name} is not what was backed up")


@contextmanager
def reading(path: Path) -> Iterator[Archive]:
    """A backup by its name. Raises LocalError if it is none."""
    if path.is_dir():
        yield Archive(path, None)
        return
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(path))
        except (OSError, tarfile.TarError) as error:
            raise LocalError(f"{path} is no backup: {error}") from error
        yield Archive(path, tar)


def hash_of(path: Path) -> str:
    """SHA-256, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
