"""Chunks are near their size, overlap, end where a reader would, and lose nothing."""

import random
from itertools import islice, pairwise

import pytest

from ingest.chunk import Chunk, chunk
from ingest.load import Page

SENTENCE = "The lamp of station {} is lit at dusk and put out at dawn. "


def texts(text: str, **options: int) -> list[str]:
    return [one.text for one in chunk([Page(1, text)], **options)]


def shared(left: str, right: str) -> int:
    """Length of the longest end of `left` that begins `right`."""
    return max(n for n in range(min(len(left), len(right)) + 1) if left.endswith(right[:n]))


def noise(rng: random.Random) -> str:
    """Runs of characters that each occur once, between blanks and full stops of all kinds."""
    letters = map(chr, range(0x4E00, 0x9FFF))
    between = [" ", "\n", "\n\n", ". ", "; ", "。", "\t", "\n \n ", "! \n", ""]
    runs = rng.choices([1, 3, 8, 500], weights=[9, 9, 9, 1], k=rng.randrange(200))
    return "".join("".join(islice(letters, run)) + rng.choice(between) for run in runs)


def test_a_short_page_is_one_chunk():
    pages = [Page(4, "  The lamp is lit.\n")]

    assert list(chunk(pages)) == [Chunk(0, 4, "The lamp is lit.")]


def test_blanks_at_the_end_of_a_page_make_no_chunk_of_their_own():
    text = "word " * 190

    assert texts(text + " \n" * 400) == [text.strip()]


def test_positions_run_through_the_document_and_no_chunk_crosses_a_page():
    pages = [Page(1, "a " * 900), Page(2, " \n"), Page(3, "b " * 900)]

    chunks = list(chunk(pages))

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
        list(chunk([Page(1, "text")], size=size, overlap=overlap))
