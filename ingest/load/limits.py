"""How much a file may hold, whatever its size: what is packed or nested can grow without bound."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ingest.load.page import Attachment, LoadError, Page

# Small archives may hold long runs of the same; deflate packs no more than about 1,000 to 1.
FREE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is read of one file; `nesting` is how many files deep an attachment may lie."""

    pages: int = 20_000
    nesting: int = 8
    inside_bytes: int = 1 << 30
    ratio: int = 200
    characters: int = 200_000_000
    attachments: int = 1000


class Meter:
    """What has been read of a file so far. Raises LoadError as soon as it is too much."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pages = self._characters = self._attachments = self._bytes = 0

    def page(self, page: Page) -> None:
        """Counts a page, and its text."""
        self._pages += 1
        self._characters += len(page.text)
        check_pages(self._pages, self._limits)
        if self._characters > self._limits.characters:
            raise _too_large(f"the file holds more than {self._limits.characters:,} characters")

    def attachment(self, attachment: Attachment) -> None:
        """Counts an attachment, and its bytes."""
        self._attachments += 1
        self._bytes += len(attachment.content)
        if self._attachments > self._limits.attachments:
            message = f"the file has more than {self._limits.attachments:,} attachments"
            raise LoadError("too_many_attachments", f"{message}; split it")
        if self._bytes > self._limits.inside_bytes:
            raise _too_large(f"its attachments are over {self._limits.inside_bytes:,} bytes")


def check_pages(count: int, limits: Limits) -> None:
    """Raises LoadError if that many pages are too many."""
    if count > limits.pages:
        message = f"the file has more than {limits.pages:,} pages; split it"
        raise LoadError("too_many_pages", message)


def check_archive(path: Path, limits: Limits) -> None:
    """Raises LoadError if what is packed in a ZIP file is too large, before any of it is unpacked.

    Members cannot be larger than they say: `zipfile` reads no further.
    """
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except (BadZipFile, OSError, ValueError) as exc:
        raise LoadError("broken_document", "the file is damaged or incomplete") from exc
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > limits.inside_bytes:
        raise _too_large(f"unpacked the file is over {limits.inside_bytes:,} bytes")
    if unpacked > FREE_BYTES and unpacked > limits.ratio * packed:
        raise _too_large(f"unpacked the file is more than {limits.ratio} times as large")


def _too_large(message: str) -> LoadError:
    return LoadError("too_large_inside", f"{message}; split it")
