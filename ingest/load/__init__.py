"""A file in, its pages out: the format is told by the content first, then by the name."""

import importlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import ModuleType

from ingest.load.page import LoadError, Page

__all__ = ["LoadError", "Page", "count_pages", "load"]

HEAD_BYTES = 1024  # PDF viewers accept the mark of a PDF anywhere within these.
TABLE_SUFFIXES = {".csv", ".tsv", ".tab"}
OTHER_FORMATS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a SQLite database"),
)
# Postgres refuses NUL, and no reader or model has a use for the rest.
CONTROLS = dict.fromkeys([*range(9), *range(14, 32), *range(127, 160)])
LINE_ENDS = dict.fromkeys([11, 12, 13, 133], "\n")


def load(path: Path, name: str) -> Iterator[Page]:
    """Every page in order, those without text too, read piece by piece.

    `name` is what the owner calls the file; `path` is where it lies now. Line ends are newlines
    and no other control character but tab is left. Raises LoadError, and that also after some
    pages: that a file holds no text is known at its end only.
    """
    module = _format(path, name)
    readable = False
    for page in module.pages(path, name):
        text = page.text.translate(CONTROLS | LINE_ENDS)
        readable = readable or bool(text.strip())
        yield Page(page.number, text)
    if not readable:
        raise LoadError("empty_document", module.NO_TEXT)


def count_pages(path: Path, name: str) -> int:
    """How many pages `load` will give; 0 if only loading can tell. Raises LoadError."""
    count: int = _format(path, name).count_pages(path)
    return count


def _format(path: Path, name: str) -> ModuleType:
    """The module that reads this file, imported now: PDF readers are heavy."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return importlib.import_module(f"ingest.load.{_kind(head, PurePosixPath(name).suffix.lower())}")


def _kind(head: bytes, suffix: str) -> str:
    if not head:
        raise LoadError("empty_document", "the file is empty (0 bytes)")
    if head.lstrip().startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head):
        return "pdf"
    for mark, what in OTHER_FORMATS:
        if head.startswith(mark):
            raise LoadError("unsupported_format", f"the file is {what}; PDF, CSV and text are read")
    if suffix == ".pdf":
        raise LoadError("broken_document", "the file is called a PDF but does not begin as one")
    return "table" if suffix in TABLE_SUFFIXES else "text"
