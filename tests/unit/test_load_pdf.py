"""PDF pages keep their numbers; what cannot be read is told apart."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from ingest.load import LoadError, count_pages, load
from tests.unit.loading import facts, pages, texts, titles

FILINGS = Path(__file__).parents[3] / "shared" / "data" / "financebench" / "pdfs"


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

    assert texts(path, "a.pdf") == ["first", "", "third"]
    assert [page.locator for page in pages(path, "a.pdf")] == [{"page": n} for n in (1, 2, 3)]
    assert count_pages(path, "a.pdf") == 3


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a"])
def test_a_pdf_is_known_by_its_content(write, name):
    assert texts(write(pdf("lamp")), name) == ["lamp"]


def test_bytes_before_the_pdf_do_no_harm_under_its_own_suffix(write):
    assert texts(write(b"junk\n" * 20 + pdf("lamp")), "a.pdf") == ["lamp"]


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

    assert texts(path, "a.pdf") == ["The lamp is lit."]


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


def canvas_pdf(draw: Callable[[Canvas], None]) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    draw(canvas)
    canvas.save()
    return out.getvalue()


def test_a_word_broken_at_the_end_of_a_line_keeps_its_hyphen(write):
    def draw(canvas: Canvas) -> None:
        canvas.drawString(72, 700, "an increase year-on-")
        canvas.drawString(72, 686, "year of two lamps")

    assert texts(write(canvas_pdf(draw)), "a.pdf") == ["an increase year-on-year of two lamps"]


def test_the_cells_of_a_table_row_stay_on_one_line(write):
    def draw(canvas: Canvas) -> None:
        for row, cells in enumerate((("Gull Rock", "31"), ("Skua Head", "28"))):
            for column, cell in enumerate(cells):
                canvas.drawString(72 + 200 * column, 700 - 14 * row, cell)

    assert texts(write(canvas_pdf(draw)), "a.pdf") == ["Gull Rock 31\nSkua Head 28"]


def test_a_pdf_says_who_wrote_it_and_when(write):
    def draw(canvas: Canvas) -> None:
        canvas.setTitle("Lighthouses – a handbook")
        canvas.setAuthor("The keepers")
        canvas.drawString(72, 700, "lamp")

    said = facts(write(canvas_pdf(draw)), "a.pdf")

    assert (said.title, said.author) == ("Lighthouses – a handbook", "The keepers")
    assert said.dated is not None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("D:20230105161720-05'00'", "2023-01-05T16:17:20-05:00"),
        ("D:20230117185754Z", "2023-01-17T18:57:54+00:00"),
        ("2023", "2023-01-01T00:00:00+00:00"),
        ("D:20239901", None),
        ("yesterday", None),
    ],
)
def test_a_date_is_read_as_far_as_it_goes(write, written, read):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("lamp"))))
    writer.add_metadata({"/CreationDate": written})
    out = io.BytesIO()
    writer.write(out)

    dated = facts(write(out.getvalue()), "a.pdf").dated

    assert (dated and dated.isoformat()) == read


def outlined(canvas: Canvas, *bookmarks: tuple[str, int, float]) -> None:
    """Title, level and height of each bookmark to the page that is being drawn."""
    for title, level, top in bookmarks:
        canvas.bookmarkPage(title, fit="XYZ", top=top)
        canvas.addOutlineEntry(title, title, level)


def test_the_outline_gives_the_headings_of_each_page(write):
    def draw(canvas: Canvas) -> None:
        outlined(canvas, ("Signals", 0, 720), ("1.1  The “Horn”", 1, 720))
        for top, line in ((700, "Signals"), (686, "air"), (672, "1.1 The 'horn'"), (658, "brass")):
            canvas.drawString(72, top, line)
        canvas.showPage()
        canvas.drawString(72, 700, "nothing begins here")
        canvas.showPage()
        outlined(canvas, ("Lamp", 0, 720))
        canvas.drawString(72, 700, "Oil")

    first, second, third = pages(write(canvas_pdf(draw)), "a.pdf")

    assert titles(first) == [(1, "Signals", "Signals"), (2, "1.1 The “Horn”", "1.1 The 'horn'")]
    assert titles(second) == []
    assert titles(third) == [(1, "Lamp", "Oil")]


def test_a_heading_that_the_page_words_differently_is_where_its_bookmark_leads(write):
    def draw(canvas: Canvas) -> None:
        outlined(canvas, ("Light", 0, 720), ("Sound", 0, 680))
        for top, line in ((700, "The lamp"), (686, "oil"), (672, "The horn"), (658, "air")):
            canvas.drawString(72, top, line)

    [page] = pages(write(canvas_pdf(draw)), "a.pdf")

    assert titles(page) == [(1, "Light", "The lamp"), (1, "Sound", "The horn")]


def test_pages_past_the_first_hundreds_are_the_right_ones(write):
    path = write(pdf(*(f"page {number}" for number in range(1, 1003))))

    assert texts(path, "a.pdf") == [f"page {number}" for number in range(1, 1003)]


@pytest.mark.skipif(not FILINGS.exists(), reason=f"needs the filings in {FILINGS}")
def test_a_filing_keeps_the_rows_of_its_tables_and_finds_its_items():
    read = pages(FILINGS / "ADOBE_2022_10K.pdf", "ADOBE_2022_10K.pdf")

    headings = [title for page in read for title in titles(page)]
    assert (2, "Item 1A. Risk Factors", "ITEM 1A. RISK FACTORS") in headings
    assert "Net income — — — 4,756 — — — 4,756" in read[55].text
