"""Text is decoded whatever it says of itself, and gets pages that mean something."""

from pathlib import Path

import pytest

from tests.unit.loading import pages, saved, texts

GERMAN = "Der Leuchtturm hat eine Höhe von 30 Metern und grüßt die Schiffe – für 5 €.\n"
FRENCH = "Prix : 300 € à l’été, le phare brûlait déjà sa première tonne d’huile.\n"
RUSSIAN = "Маяк стоит на скале и светит кораблям каждую ночь.\n"
JAPANESE = "灯台は岩の上に立っています。毎晩船を照らします。\n"


def read(folder: Path, content: bytes, name: str = "a.txt") -> list[str]:
    return texts(saved(folder, content), name)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-32"),
        (GERMAN, "cp1252"),
        (FRENCH, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "shift_jis"),
    ],
)
def test_a_text_is_read_in_the_encoding_it_was_written_in(tmp_path, text, encoding):
    assert read(tmp_path, text.encode(encoding)) == [text]


def test_an_accent_late_in_a_long_ascii_file_is_still_decoded(tmp_path):
    text = "plain line\n" * 150_000 + "Höhe\n"

    assert "".join(read(tmp_path, text.encode("cp1252"))) == text


def test_one_bad_byte_does_not_spoil_a_utf8_file(tmp_path):
    assert read(tmp_path, "Höhe über Grün\n".encode() + b"bad \xff byte\n") == [
        "Höhe über Grün\nbad \ufffd byte\n"
    ]


def test_line_ends_of_every_system_become_newlines(tmp_path):
    assert read(tmp_path, b"one\r\ntwo\rthree\n") == ["one\ntwo\nthree\n"]


def test_a_long_text_gets_pages_of_about_3000_characters_that_end_with_paragraphs(tmp_path):
    paragraph = "The lamp of the station is lit at dusk and put out at dawn. " * 5 + "\n\n"
    text = paragraph * 400

    pages = read(tmp_path, text.encode())

    assert "".join(pages) == text
    assert all(page.endswith("dawn. \n\n") for page in pages)
    assert {2100 <= len(page) <= 3000 for page in pages[:-1]} == {True}


def test_a_text_without_any_blank_is_cut_all_the_same(tmp_path):
    pages = read(tmp_path, b"x" * 100_000)

    assert "".join(pages) == "x" * 100_000
    assert max(map(len, pages)) == 3000


def test_form_feeds_make_the_pages_and_empty_ones_count(tmp_path):
    assert read(tmp_path, b"one\n\ftwo, " + b"long " * 2000 + b"\f\ffour\n\f") == [
        "one\n",
        "two, " + "long " * 2000,
        "",
        "four\n",
    ]


def test_a_page_knows_its_lines(tmp_path):
    text = "".join(f"line {number} of the log\n" for number in range(1, 501))

    read = pages(saved(tmp_path, text), "a.log")

    assert len(read) > 3
    for page in read:
        first, last = page.locator["lines"]
        assert page.text.splitlines() == text.splitlines()[first - 1 : last]


def test_blank_lines_around_form_feeds_are_counted(tmp_path):
    read = pages(saved(tmp_path, b"one\n\n\ftwo\nthree\n\f\n\n\nfour"), "a.txt")

    assert [page.locator["lines"] for page in read] == [[1, 1], [3, 4], [5, 8]]
