"""A file in, its pages out: all formats through one door, with clean text and within limits."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ingest.load.clean import clean
from ingest.load.formats import format_of
from ingest.load.limits import Limits, Meter, check_archive, check_pages
from ingest.load.page import Attachment, Facts, LoadError, Page

__all__ = ["Attachment", "Facts", "Limits", "LoadError", "Page", "count_pages", "kind", "load"]

ARCHIVES = {"word", "slides", "spreadsheet"}


def load(
    path: Path, name: str, limits: Limits | None = None
) -> Iterator[Facts | Page | Attachment]:
    """The facts if there are any, then every page in order, those without text too.

    `name` is what the owner calls the file; `path` is where it lies now. Line ends are newlines
    and no other control character but tab is left. Attachments come after the page that they
    belong to. Raises LoadError, and that also after some pages: that a file holds no text is
    known at its end only.
    """
    limits = limits or Limits()
    module = _module(path, name, limits)
    check_pages(module.count_pages(path), limits)
    meter = Meter(limits)
    readable = False
    for item in module.pages(path, name):
        cleaned = clean(item)
        if isinstance(cleaned, Page):
            meter.page(cleaned)
            readable = readable or bool(cleaned.text.strip())
        elif isinstance(cleaned, Attachment):
            meter.attachment(cleaned)
        yield cleaned
    if not readable:
        raise LoadError("empty_document", module.NO_TEXT)


def count_pages(path: Path, name: str, limits: Limits | None = None) -> int:
    """How many pages `load` will give; 0 if only loading can tell. Raises LoadError."""
    count: int = _module(path, name, limits or Limits()).count_pages(path)
    return count


def kind(path: Path, name: str) -> str:
    """The format in a word, such as `pdf` or `spreadsheet`. Raises LoadError."""
    return format_of(path, name)


def _module(path: Path, name: str, limits: Limits) -> ModuleType:
    """The module that reads this file, imported now: PDF readers are heavy."""
    module = format_of(path, name)
    if module in ARCHIVES:
        check_archive(path, limits)
    return importlib.import_module(f"ingest.load.{module}")
