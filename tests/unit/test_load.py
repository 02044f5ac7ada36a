"""Which format a file is taken for, and what every format keeps to."""

from io import BytesIO
from zipfile import ZipFile

import pytest

from ingest.load import Attachment, LoadError, Page, count_pages, kind, load
from ingest.load.clean import clean
from ingest.load.page import Facts, Heading
from tests.unit.loading import refusal, saved, texts

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0" * 40
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500
MBOX = b"From keeper@example.org Fri Mar  1 10:00:00 2024\nSubject: lamp\n\nlit\n"
WORD = "vnd.openxmlformats-officedocument.wordprocessingml.document.main"
SLIDES = "vnd.openxmlformats-officedocument.presentationml.presentation.main"
HTML = b"<!DOCTYPE html>\n<html><body><p>lit</p></body></html>"


def archive(*names: str) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w") as file:
        for name in names:
            file.writestr(name, "<x/>")
    return out.getvalue()


def office(kind: str, *names: str) -> bytes:
    """An Office file as far as its content types go."""
    out = BytesIO(archive(*names))
    with ZipFile(out, "a") as file:
        file.writestr("[Content_Types].xml", f'<Override ContentType="application/{kind}+xml"/>')
    return out.getvalue()


def test_the_name_decides_between_formats_that_are_both_text(tmp_path):
    path = saved(tmp_path, b"id,place\n1,Gull Rock\n")

    assert texts(path, "a.csv") == ["id: 1; place: Gull Rock"]
    assert texts(path, "a.txt") == ["id,place\n1,Gull Rock\n"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "text"),
        ("notes.TXT", "text"),
        ("a.md", "markdown"),
        ("a.py", "code"),
        ("src/Makefile", "code"),
        ("a.tsv", "table"),
        ("a.htm", "html"),
        ("a.eml", "mail"),
        ("a.ndjson", "records"),
    ],
)
def test_the_suffix_tells_the_format_of_a_text(tmp_path, name, expected):
    assert kind(saved(tmp_path, b"lit\n"), name) == expected


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (HTML, "page.txt", "html"),
        (HTML, "page.csv", "html"),
        (HTML.decode().encode("utf-16"), "page", "html"),
        (b"\xef\xbb\xbf<!-- saved --> <html>", "page", "html"),
        (HTML, "template.php", "code"),
        (MBOX, "inbox", "mail"),
        (MBOX, "inbox.txt", "mail"),
        (b"From 9 to 12:00 the harbour is closed.\n", "a.txt", "text"),
        (b' [\n {"id": 1}]', "a.json", "records"),
        (b'{"id": 1}\n{"id": 2}\n', "a.json", "records"),
        (b'{\n "id": {"a": 1}\n}', "a.json", "code"),
        (b"PAR1", "a.csv", "parquet"),
        (office(WORD, "word/document2.xml"), "a.pptx", "word"),
        (office(SLIDES, "ppt/presentation.xml"), "a.pdf", "slides"),
        (office("vnd.ms-excel.sheet.macroEnabled.main", "xl/workbook.xml"), "a", "spreadsheet"),
    ],
)
def test_the_content_overrules_a_name_where_it_is_certain(tmp_path, content, name, expected):
    assert kind(saved(tmp_path, content), name) == expected


@pytest.mark.parametrize(
    "name", ["a.txt", "a.csv", "a.pdf", "a.md", "a.py", "a.html", "a.eml", "a"]
)
@pytest.mark.parametrize("content", [b"", b" \n\t\r\n \n"], ids=["no bytes", "blanks"])
def test_a_file_without_text_is_refused(tmp_path, name, content):
    expected = "broken_document" if content and name == "a.pdf" else "empty_document"

    assert refusal(saved(tmp_path, content), name).code == expected


@pytest.mark.parametrize("name", ["scan.pdf", "scan.txt", "scan.csv", "scan.docx"])
def test_an_image_is_named_for_what_it_is_whatever_its_suffix(tmp_path, name):
    error = refusal(saved(tmp_path, PNG), name)

    assert error.code == "unsupported_format"
    assert "PNG" in str(error)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (OLE, "save it as DOCX"),
        (office("vnd.ms-excel.sheet.binary.macroEnabled.main", "xl/workbook.bin"), "as DOCX, PPTX"),
        (office("vnd.ms-word.template.main", "word/document.xml"), "save it as DOCX"),
        (archive("mimetype", "content.xml"), "save it as DOCX, XLSX or PDF"),
        (archive("a.txt", "word/b.txt"), "unpack it"),
        (b"\x1f\x8b" + b"\0" * 20, "unpack it"),
        (b"{\\rtf1 lit}", "save it as DOCX or PDF"),
    ],
    ids=["old Office", "binary workbook", "template", "OpenDocument", "ZIP", "gzip", "RTF"],
)
def test_a_format_that_is_not_read_is_refused_with_what_to_do(tmp_path, content, advice):
    error = refusal(saved(tmp_path, content), "a.doc")

    assert error.code == "unsupported_format"
    assert advice in str(error)


def test_an_encrypted_office_document_is_told_from_an_old_one(tmp_path):
    content = OLE + "EncryptedPackage".encode("utf-16-le") + b"\0" * 100

    assert refusal(saved(tmp_path, content), "a.docx").code == "encrypted_document"


def test_a_zip_file_that_is_cut_off_is_broken(tmp_path):
    content = office(WORD, "word/document.xml")[:-30]

    assert refusal(saved(tmp_path, content), "a.docx").code == "broken_document"


@pytest.mark.parametrize("name", ["data.bin", "notes.txt", "table.csv", "page.md", "page.html"])
def test_bytes_that_are_no_text_are_refused(tmp_path, name):
    assert refusal(saved(tmp_path, b"abc\0def" * 100), name).code == "binary_document"
    assert refusal(saved(tmp_path, bytes(range(1, 8)) * 50), name).code == "binary_document"


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.parquet"])
def test_a_text_called_something_else_is_refused_as_broken(tmp_path, name):
    error = refusal(saved(tmp_path, b"<html>404</html>"), name)

    assert error.code == "broken_document"
    assert "does not begin as one" in str(error)


def test_a_text_about_the_mark_of_a_pdf_stays_a_text(tmp_path):
    path = saved(tmp_path, b"A PDF begins with %PDF-1.7, they say.\n")

    assert kind(path, "notes.md") == "markdown"


def test_control_characters_never_reach_the_output(tmp_path):
    # UTF-16 can carry a NUL past any check for NUL bytes.
    path = saved(tmp_path, "a\0b\x07c\x0bd\x85e\tf\r\ng".encode("utf-16"))

    assert texts(path, "a.txt") == ["abc\nd\ne\tf\ng"]


def test_headings_still_begin_their_lines_in_text_that_was_cleaned():
    page = Page(1, "a\0\0b\nLamp\x07\nHorn", {"section": "\0A"}, (Heading(5, 1, "Lamp\0"),))

    assert clean(page) == Page(1, "ab\nLamp\nHorn", {"section": "A"}, (Heading(3, 1, "Lamp"),))


def test_nothing_that_a_database_refuses_is_left_in_cells_facts_and_names():
    page = Page(1, "a: \0\ud800", {}, (), ({"a": "\0\ud800"},))

    assert clean(page) == Page(1, "a: \ufffd", {}, (), ({"a": "\ufffd"},))
    assert clean(Facts("La\0mp\n 1", "\udfff")) == Facts("Lamp 1", "\ufffd")
    assert clean(Attachment("a\0.txt", b"\0")) == Attachment("a.txt", b"\0")


def test_only_reading_tells_how_many_pages_a_text_has(tmp_path):
    path = saved(tmp_path, b"a,b\n1,2\n")

    assert count_pages(path, "a.csv") == 0
    assert count_pages(path, "a.txt") == 0


def test_what_is_wrong_is_told_before_the_first_page(tmp_path):
    with pytest.raises(LoadError):
        next(load(saved(tmp_path, PNG), "a.txt"))
