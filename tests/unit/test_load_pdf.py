"""PDF pages keep their numbers; what cannot be read is told apart."""

import io
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from ingest.load import LoadError, count_pages, load


def pdf(*pages: str) -> bytes:
    """A PDF with one line of text on each page; an empty string makes a page without text."""
    out = io.BytesIO()
    canvas = Canvas(out, pageCompression=0)
    for text in pages:
        canvas.drawString(72, 700, text) if text else canvas.rect(72, 700, 100, 50)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def encrypted(password: str, algorithm: str) -> bytes:
    out = io.BytesIO()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("The lamp is lit."))))
    writer.encrypt(user_password=password, owner_password="keeper", algorithm=algorithm)
    writer.write(out)
    return out.getvalue()


@pytest.fixture
def write(tmp_path):
    def write(content: bytes) -> Path:
        path = tmp_path / "blob"
        path.write_bytes(content)
        return path

    return write


def code_of(path: Path) -> str:
    with pytest.raises(LoadError) as caught:
        list(load(path, "a.pdf"))
    return caught.value.code


def test_every_page_is_given_under_the_number_that_a_viewer_shows(write):
    path = write(pdf("first", "", "third"))

    assert [(page.number, page.text) for page in load(path, "a.pdf")] == [
        (1, "first"),
        (2, ""),
        (3, "third"),
    ]
    assert count_pages(path, "a.pdf") == 3


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a"])
def test_a_pdf_is_known_by_its_content(write, name):
    assert [page.text for page in load(write(pdf("lamp")), name)] == ["lamp"]


def test_bytes_before_the_pdf_do_no_harm_under_its_own_suffix(write):
    assert [page.text for page in load(write(b"junk\n" * 20 + pdf("lamp")), "a.pdf")] == ["lamp"]


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_a_password_to_open_means_encrypted(write, algorithm):
    path = write(encrypted("secret", algorithm))

    assert code_of(path) == "encrypted_document"
    with pytest.raises(LoadError, match="without a password"):
        count_pages(path, "a.pdf")


def test_an_unknown_security_handler_means_encrypted(write):
    content = encrypted("secret", "AES-256").replace(b"/Filter /Standard", b"/Filter /Strandard")

    assert code_of(write(content)) == "encrypted_document"


def test_a_password_that_only_restricts_printing_does_not_hinder(write):
    path = write(encrypted("", "AES-256"))

    assert [page.text for page in load(path, "a.pdf")] == ["The lamp is lit."]


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.7\n" + b"rubbish\n" * 50, pdf("lamp")[:-400], pdf("lamp")[:200]],
    ids=["rubbish", "cut at the end", "cut early"],
)
def test_a_damaged_pdf_is_broken(write, content):
    assert code_of(write(content)) == "broken_document"


def test_a_damaged_pdf_is_not_taken_for_the_encrypted_one_before_it(write):
    assert code_of(write(encrypted("secret", "AES-256"))) == "encrypted_document"

    assert code_of(write(pdf("lamp").replace(b"/Pages", b"/Page#"))) == "broken_document"


def test_a_page_that_cannot_be_loaded_is_named(write):
    content = pdf("first", "second")
    at = content.rindex(b"/Type /Page\n")
    broken = content[:at] + content[at:].replace(b"/Type /Page\n", b"/Type /Pagx\n", 1)

    with pytest.raises(LoadError, match="page 2 of the PDF is damaged"):
        list(load(write(broken), "a.pdf"))


def test_a_scan_is_told_to_need_ocr(write):
    with pytest.raises(LoadError, match="OCR") as caught:
        list(load(write(pdf("", "")), "a.pdf"))

    assert caught.value.code == "empty_document"


def test_a_word_broken_at_the_end_of_a_line_keeps_its_hyphen(write):
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawString(72, 700, "an increase year-on-")
    canvas.drawString(72, 686, "year of two lamps")
    canvas.save()

    [page] = load(write(out.getvalue()), "a.pdf")

    assert page.text == "an increase year-on-year of two lamps"
