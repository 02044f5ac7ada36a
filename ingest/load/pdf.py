"""PDF: the text of each page, as PDFium sees it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from ingest.load.page import LoadError, Page

NO_TEXT = "the PDF holds no text; if it is scanned, run OCR on it first"


def pages(path: Path, name: str) -> Iterator[Page]:
    """One per page of the PDF; a page without text (a scan, a drawing) has an empty one."""
    with closing(_open(path)) as document:
        for number in range(1, len(document) + 1):
            yield Page(number, _text(document, number))


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
    return b"/Encrypt" in path.read_bytes()


def _text(document: pypdfium2.PdfDocument, number: int) -> str:
    try:
        with closing(document[number - 1]) as page, closing(page.get_textpage()) as text:
            raw: str = text.get_text_bounded()
    except pypdfium2.PdfiumError as exc:
        raise LoadError("broken_document", f"page {number} of the PDF is damaged") from exc
    # PDFium puts U+0002 or U+FFFE for the hyphen at the end of a line, and takes the line end away.
    hyphenated = raw.replace("\x02", "-").replace("\ufffe", "-")
    return hyphenated.replace("\r\n", "\n").replace("\r", "\n")
