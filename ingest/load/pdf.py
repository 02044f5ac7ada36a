"""PDF: the text of each page, as PDFium sees it, under the headings of the outline."""

import mmap
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import pypdfium2
from pypdfium2.raw import (
    FPDF_ERR_PASSWORD,
    FPDF_ERR_SECURITY,
    PDFDEST_VIEW_FITBH,
    PDFDEST_VIEW_FITH,
    PDFDEST_VIEW_FITR,
    PDFDEST_VIEW_XYZ,
)

from ingest.load.page import Facts, Heading, LoadError, Page

NO_TEXT = "the PDF holds no text; if it is scanned, run OCR on it first"
PAGES_AT_ONCE = 500
MOST_BOOKMARKS = 10_000
TITLE_CHARS = 200
# ISO 32000-1, 7.9.4: everything after the year may be missing.
DATE = re.compile(
    r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)(?:'?(\d\d))?|Z)?"
)

VIEW_TOPS = {PDFDEST_VIEW_XYZ: 1, PDFDEST_VIEW_FITH: 0, PDFDEST_VIEW_FITBH: 0, PDFDEST_VIEW_FITR: 3}


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline; `top` is how high on its page it leads to, if it says so."""

    level: int
    title: str
    top: float | None


def pages(path: Path, name: str) -> Iterator[Facts | Page]:
    """The facts, then one per page of the PDF; one without text (a scan, a drawing) is empty.

    Lines are lines of the page in the order in which the file draws them, so that a table's rows
    stay together wherever it was drawn row by row.
    """
    with closing(_open(path)) as document:
        yield _facts(document)
        count, outline = len(document), _outline(document)
    for first in range(1, count + 1, PAGES_AT_ONCE):
        # PDFium keeps every object that it has met until the document is closed.
        with closing(_open(path)) as document:
            for number in range(first, min(first + PAGES_AT_ONCE, count + 1)):
                yield _page(document, number, outline.get(number, ()))


def count_pages(path: Path) -> int:
    """Pages in the PDF. Raises LoadError."""
    with closing(_open(path)) as document:
        return len(document)


def _open(path: Path) -> pypdfium2.PdfDocument:
    """A password that only restricts printing or copying does not hinder reading."""
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        if exc.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY) and _is_encrypted(path):
            raise LoadError(
                "encrypted_document", "the PDF is encrypted; save a copy without a password"
            ) from exc
        raise LoadError("broken_document", "the PDF is damaged or incomplete") from exc


def _is_encrypted(path: Path) -> bool:
    """PDFium's code alone may be that of an earlier file: without a page tree it sets none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"/Encrypt") >= 0


def _facts(document: pypdfium2.PdfDocument) -> Facts:
    said = (document.get_metadata_value(key) for key in ("Title", "Author", "CreationDate"))
    title, author, created = said
    return Facts(title.strip(), author.strip(), _moment(created.strip()))


def _moment(text: str) -> datetime | None:
    """A date as PDF writes it; UTC where it names no time zone."""
    if not (found := DATE.match(text)):
        return None
    *parts, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = (
        int(part or default) for part, default in zip(parts, "011000", strict=True)
    )
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return local.replace(tzinfo=timezone(-offset if sign == "-" else offset))
    except ValueError:
        return None


def _outline(document: pypdfium2.PdfDocument) -> Mapping[int, Sequence[Bookmark]]:
    """The bookmarks to each page, in order."""
    outline: dict[int, list[Bookmark]] = defaultdict(list)
    for bookmark in islice(document.get_toc(), MOST_BOOKMARKS):
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        title = " ".join(bookmark.get_title().split())[:TITLE_CHARS]
        if title and index is not None:
            outline[index + 1].append(Bookmark(bookmark.level + 1, title, _top(target)))
    return outline


def _top(target: pypdfium2.PdfDest) -> float | None:
    view, position = target.get_view()
    at = VIEW_TOPS.get(view, len(position))
    # A coordinate that is left out reads as 0.
    return position[at] or None if at < len(position) else None


def _page(document: pypdfium2.PdfDocument, number: int, bookmarks: Sequence[Bookmark]) -> Page:
    try:
        with closing(document[number - 1]) as page, closing(page.get_textpage()) as text_page:
            text = _text(text_page)
            headings = tuple(_headings(text_page, text, bookmarks))
    except pypdfium2.PdfiumError as exc:
        raise LoadError("broken_document", f"page {number} of the PDF is damaged") from exc
    return Page(number, text, {"page": number}, headings)


def _headings(
    text_page: pypdfium2.PdfTextPage, text: str, bookmarks: Sequence[Bookmark]
) -> Iterator[Heading]:
    """Each where a line begins with its title, else where it points to, never above the last."""
    start = end = 0
    for bookmark in bookmarks:
        if found := _titled(bookmark.title).search(text, end):
            start, end = found.span()
        elif bookmark.top:
            above = len(_text(text_page, bottom=bookmark.top))
            start = end = max(start, text.rfind("\n", 0, above + 1) + 1)
        yield Heading(start, bookmark.level, bookmark.title)


def _titled(title: str) -> re.Pattern[str]:
    """Finds a line that begins with these words, whatever is between them."""
    words = r"\W+".join(re.findall(r"\w+", title)) or r"(?!)"
    return re.compile(rf"^[^\w\n]*{words}\b", re.MULTILINE | re.IGNORECASE)


def _text(text_page: pypdfium2.PdfTextPage, bottom: float | None = None) -> str:
    """The text of the page, or of what is above `bottom`."""
    raw: str = text_page.get_text_bounded(bottom=bottom)
    # PDFium puts U+0002 or U+FFFE for the hyphen at the end of a line, and takes the line end away.
    hyphenated = raw.replace("\x02", "-").replace("\ufffe", "-")
    return hyphenated.replace("\r\n", "\n").replace("\r", "\n")
