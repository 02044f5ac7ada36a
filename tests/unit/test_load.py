"""Which format a file is taken for, and what every format keeps to."""

from pathlib import Path

import pytest

from ingest.load import LoadError, Page, count_pages, load

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0" * 40


def write(folder: Path, content: bytes) -> Path:
    path = folder / "blob"
    path.write_bytes(content)
    return path


def refusal(path: Path, name: str) -> LoadError:
    with pytest.raises(LoadError) as caught:
        list(load(path, name))
    return caught.value


def test_the_name_decides_between_formats_that_are_both_text(tmp_path):
    path = write(tmp_path, b"id,place\n1,Gull Rock\n")

    assert [page.text for page in load(path, "a.csv")] == ["id: 1; place: Gull Rock"]
    assert [page.text for page in load(path, "a.txt")] == ["id,place\n1,Gull Rock\n"]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.pdf", "a.md", "a"])
@pytest.mark.parametrize("content", [b"", b" \n\t\r\n \n"], ids=["no bytes", "blanks"])
def test_a_file_without_text_is_refused(tmp_path, name, content):
    expected = "broken_document" if content and name == "a.pdf" else "empty_document"

    assert refusal(write(tmp_path, content), name).code == expected


@pytest.mark.parametrize("name", ["scan.pdf", "scan.txt", "scan.csv"])
def test_an_image_is_named_for_what_it_is_whatever_its_suffix(tmp_path, name):
    error = refusal(write(tmp_path, PNG), name)

    assert error.code == "unsupported_format"
    assert "PNG" in str(error)


@pytest.mark.parametrize("name", ["data.bin", "notes.txt", "table.csv", "page.md"])
def test_bytes_that_are_no_text_are_refused(tmp_path, name):
    assert refusal(write(tmp_path, b"abc\0def" * 100), name).code == "binary_document"
    assert refusal(write(tmp_path, bytes(range(1, 8)) * 50), name).code == "binary_document"


def test_a_text_file_called_pdf_is_refused_as_broken(tmp_path):
    assert refusal(write(tmp_path, b"<html>404</html>"), "report.pdf").code == "broken_document"


def test_a_text_about_the_mark_of_a_pdf_stays_a_text(tmp_path):
    path = write(tmp_path, b"A PDF begins with %PDF-1.7, they say.\n")

    assert next(load(path, "notes.md")).text.startswith("A PDF begins")


def test_control_characters_never_reach_the_output(tmp_path):
    # UTF-16 can carry a NUL past any check for NUL bytes.
    path = write(tmp_path, "a\0b\x07c\x0bd\x85e\tf\r\ng".encode("utf-16"))

    assert list(load(path, "a.txt")) == [Page(1, "abc\nd\ne\tf\ng")]


def test_only_reading_tells_how_many_pages_a_text_has(tmp_path):
    path = write(tmp_path, b"a,b\n1,2\n")

    assert count_pages(path, "a.csv") == 0
    assert count_pages(path, "a.txt") == 0
