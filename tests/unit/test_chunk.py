"""Chunks are near their size, overlap, end where a reader would, and lose nothing."""

import random
import re
from itertools import islice, pairwise
from typing import Any

import pytest

from ingest.chunk import Chunk, chunk, running_lines
from ingest.load.page import Heading, Page

SENTENCE = "The lamp of station {} is lit at dusk and put out at dawn. "


def letters(text: str) -> list[tuple[int, int]]:
    """Each character a token."""
    return [(start, start + 1) for start in range(len(text))]


def words(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"\S+", text)]


def page(number: int, text: str, *headings: Heading, **more: Any) -> Page:
    return Page(number, text, {"page": number}, headings, **more)


def texts(text: str, size: int = 1000, overlap: int = 200) -> list[str]:
    return [one.text for one in chunk([page(1, text)], letters, size, overlap)]


def shared(left: str, right: str) -> int:
    """Length of the longest end of `left` that begins `right`."""
    return max(n for n in range(min(len(left), len(right)) + 1) if left.endswith(right[:n]))


def noise(rng: random.Random) -> str:
    """Runs of characters that each occur once, between blanks and full stops of all kinds."""
    signs = map(chr, range(0x4E00, 0x9FFF))
    between = [" ", "\n", "\n\n", ". ", "; ", "。", "\t", "\n \n ", "! \n", ""]
    runs = rng.choices([1, 3, 8, 500], weights=[9, 9, 9, 1], k=rng.randrange(200))
    return "".join("".join(islice(signs, run)) + rng.choice(between) for run in runs)


def test_a_short_page_is_one_chunk():
    pages = [page(4, "  The lamp is lit.\n")]

    assert list(chunk(pages, letters)) == [Chunk(0, 4, "The lamp is lit.", locator={"page": 4})]


def test_blanks_at_the_end_of_a_page_make_no_chunk_of_their_own():
    text = "word " * 190

    assert texts(text + " \n" * 400) == [text.strip()]


def test_positions_run_through_the_document_and_no_chunk_crosses_a_page():
    pages = [page(1, "a " * 900), page(2, " \n"), page(3, "b " * 900)]

    chunks = list(chunk(pages, words))

    assert [one.position for one in chunks] == list(range(len(chunks)))
    assert {(one.page, one.text[0]) for one in chunks} == {(1, "a"), (3, "b")}
    assert not any("a" in one.text and "b" in one.text for one in chunks)


def test_prose_chunks_are_near_1000_characters_and_overlap_by_about_200():
    pieces = texts("".join(SENTENCE.format(n) for n in range(400)))

    assert all(700 <= len(piece) <= 1000 for piece in pieces[:-1])
    assert all(90 <= shared(left, right) <= 310 for left, right in pairwise(pieces))


def test_prose_ends_and_begins_with_sentences():
    pieces = texts("".join(SENTENCE.format(n) for n in range(100)))

    assert all(piece.startswith("The") and piece.endswith("dawn.") for piece in pieces)


def test_a_paragraph_end_near_the_limit_is_preferred_to_a_later_line_end():
    text = "line of words\n" * 60 + "\n" + "other line of words\n" * 60

    assert texts(text)[0].splitlines()[-1] == "line of words"


def test_a_long_word_is_cut_only_when_nothing_else_is_near():
    first, second, *_ = texts("word " * 150 + "x" * 2000)

    assert set(first.split()) == {"word"}
    assert second.endswith("x" * 700)


@pytest.mark.parametrize("width", [40, 150, 260, 450, 620, 990])
def test_table_rows_stay_whole(width):
    rows = [f"id: {n}; " + "x: 1; " * ((width - 9) // 6) for n in range(60)]

    lines = [line for piece in texts("\n".join(rows)) for line in piece.splitlines()]

    assert {line.strip() for line in lines} == {row.strip() for row in rows}


def test_every_character_but_blanks_is_in_some_chunk():
    rng = random.Random(7)
    for _ in range(300):
        text, size = noise(rng), rng.randrange(1, 1200)

        pieces = texts(text, size=size, overlap=rng.randrange(size // 3 + 1))

        assert set("".join(text.split())) <= set("".join(pieces))
        assert all(piece in text and 0 < len(piece) <= size for piece in pieces)


@pytest.mark.parametrize(("size", "overlap"), [(100, 34), (0, 0), (100, -1)])
def test_an_overlap_of_more_than_a_third_is_refused(size, overlap):
    with pytest.raises(ValueError, match="overlap"):
        list(chunk([page(1, "text")], letters, size, overlap))


def test_a_chunk_has_at_most_so_many_tokens_however_long_they_are():
    rng = random.Random(3)
    for _ in range(100):
        text = " ".join("x" * rng.choice([1, 2, 60]) for _ in range(rng.randrange(1, 400)))
        size = rng.randrange(3, 90)

        pieces = [one.text for one in chunk([page(1, text)], words, size, size // 3)]

        assert all(len(piece.split()) <= size for piece in pieces)
        assert set(text.split()) <= {word for piece in pieces for word in piece.split()}


def test_a_heading_begins_a_chunk_and_its_path_is_told_through_the_pages():
    text = "Preface\nOne\nfirst\nTwo\nsecond\n"
    pages = [
        page(1, text, Heading(8, 1, "One"), Heading(18, 2, "Two")),
        page(2, "third\nThree\nfourth", Heading(6, 1, "Three")),
    ]

    chunks = list(chunk(pages, words))

    assert [(one.text, one.heading) for one in chunks] == [
        ("Preface", ""),
        ("One\nfirst", "One"),
        ("Two\nsecond", "One › Two"),
        ("third", "One › Two"),
        ("Three\nfourth", "Three"),
    ]


def test_nothing_is_shared_across_a_heading():
    text = "".join(SENTENCE.format(n) for n in range(12))
    middle = text.index("The lamp of station 6")

    pieces = [one.text for one in chunk([page(1, text, Heading(middle, 1, "6"))], words, 40, 12)]

    assert sum("station 5 " in piece for piece in pieces) == 1
    assert any(piece.startswith("The lamp of station 6 ") for piece in pieces)


def test_a_chunk_of_rows_tells_which_they_are_and_what_they_hold():
    rows = tuple({"id": str(n), "town": "Sund" if n < 4 else "Vik"} for n in range(1, 7))
    text = "\n".join(f"id: {row['id']}; town: {row['town']}" for row in rows)
    table = Page(1, text, {"sheet": "Towns", "rows": [51, 56]}, (), rows)

    chunks = list(chunk([table], words, 12, 0))

    assert [one.locator for one in chunks] == [
        {"sheet": "Towns", "rows": [51, 53]},
        {"sheet": "Towns", "rows": [54, 56]},
    ]
    assert [one.meta for one in chunks] == [
        {"id": ["1", "2", "3"], "town": ["Sund"]},
        {"id": ["4", "5", "6"], "town": ["Vik"]},
    ]


def test_rows_that_are_not_one_line_each_keep_the_locator_of_their_page():
    table = Page(1, "a\nb\nc", {"rows": [1, 2]})

    assert {str(one.locator) for one in chunk([table], words, 1, 0)} == {"{'rows': [1, 2]}"}


def test_what_stands_at_the_edge_of_many_pages_is_in_no_chunk():
    def told(number: int) -> str:
        return f"ACME Annual report {2000 + number}\n\nThe tower {number}.\nPage {number}\n"

    pages = [page(number, told(number)) for number in range(1, 6)]

    running = running_lines(pages)
    assert running == {"ACME Annual report ####", "Page #", "The tower #."}
    assert [one.text for one in chunk(pages, words, 20, 0, running - {"The tower #."})] == [
        f"The tower {number}." for number in range(1, 6)
    ]
    assert "ACME" in next(chunk(pages, words, 20, 0, running)).text  # or nothing would be left


def test_a_line_is_running_only_if_it_comes_on_many_pages_and_never_in_rows():
    pages = [page(1, "Head\nOne"), page(2, "Head\nTwo"), page(3, "Three")]
    rows = [Page(number, "id: 1", {"rows": [1, 1]}, (), ({"id": "1"},)) for number in range(9)]

    assert running_lines(pages + rows) == set()


def test_later_chunks_of_a_page_know_how_it_begins():
    text = "Balance sheet\nin millions\n" + "\n".join(f"row {n} of many" for n in range(40))

    first, second, *_ = chunk([page(1, text)], words, 60, 0)

    assert (first.opening, second.opening.split()[:4]) == (
        "",
        ["Balance", "sheet", "in", "millions"],
    )
    assert len(second.opening.split()) <= 32


def test_what_has_no_blanks_makes_neither_a_long_chunk_nor_a_long_opening():
    text = "x" * 50_000 + "\n\n" + "word " * 400

    made = list(chunk([page(1, text)], words, 20, 5))

    assert max(len(one.text) for one in made) == 2000
    assert max(len(one.opening) for one in made) == 3200


def test_long_values_are_nothing_to_filter_by():
    table = Page(1, "x", {"rows": [1, 1]}, (), ({"note": "long " * 20, "town": "Vik"},))

    assert [one.meta for one in chunk([table], words)] == [{"town": ["Vik"]}]
