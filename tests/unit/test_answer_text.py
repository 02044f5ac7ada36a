"""An answer's text as it comes out: stop strings, half characters, white space, who is told."""

import random

import pytest

from engines.request import Terms, Text


class Answer:
    """Bytes by pieces until a stop string is met; what was told on the way, and the whole."""

    def __init__(self, pieces: list[bytes], *stops: str, trim: bool = True) -> None:
        self.told: list[str] = []
        text = Text(stops, Terms(0.0, told=self.told.append, trim=trim))
        self.stopped = any(text.add(piece) for piece in pieces)
        self.text = text.end()


def by(size: int, text: str) -> list[bytes]:
    encoded = text.encode()
    return [encoded[start : start + size] for start in range(0, len(encoded), size)]


def test_pieces_are_told_as_they_come():
    answer = Answer([b"One", b" two", b" three"])
    assert answer.told == ["One", " two", " three"]
    assert (answer.text, answer.stopped) == ("One two three", False)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_characters_are_told_whole(size):
    answer = Answer(by(size, "Käse für 3 € 🧀!"))
    assert "".join(answer.told) == answer.text == "Käse für 3 € 🧀!"


def test_half_a_character_at_the_end_is_left_out():
    answer = Answer([b"5 ", "€".encode()[:2]])
    assert answer.text == "".join(answer.told) == "5"


def test_bytes_that_are_no_text_do_not_end_the_answer():
    assert Answer([b"a\xff", b"b"]).text == "a\ufffdb"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_a_stop_string_ends_the_answer_wherever_tokens_begin(size):
    answer = Answer(by(size, "It is so.\nQuestion: what?"), "\nQuestion:", "\n\n")
    assert answer.stopped
    assert "".join(answer.told) == answer.text == "It is so."


def test_the_first_of_several_stop_strings_counts():
    assert Answer([b"one two three"], "three", "two").text == "one"


def test_what_only_began_like_a_stop_string_is_told_after_all():
    answer = Answer([b"a EN", b"D of", b" EN"], "END.")
    assert not answer.stopped
    assert answer.told == ["a", " END of", " EN"]
    assert answer.text == "a END of EN"


def test_a_stop_string_may_begin_again_within_itself():
    assert Answer(by(1, "xaaab tail"), "aab").text == "xa"


def test_an_empty_stop_string_stops_nothing():
    assert Answer([b"on", b"wards"], "").text == "onwards"


def test_white_space_around_an_answer_is_never_told():
    answer = Answer([b" \n", b" Yes", b" \n", b"no", b"  ", b"\n"])
    assert answer.told[0] == "Yes"
    assert "".join(answer.told) == answer.text == "Yes \nno"


def test_a_continued_text_keeps_its_white_space():
    answer = Answer([b" \n", b"Yes", b" \n"], trim=False)
    assert answer.told == [" \n", "Yes", " \n"]
    assert answer.text == " \nYes \n"


def test_an_answer_of_white_space_alone_is_empty_and_nobody_is_told():
    answer = Answer([b" ", b"\n"])
    assert (answer.text, answer.told) == ("", [])


def expected(pieces: list[bytes], stops: list[str]) -> str:
    """Looks at all that has come so far after every piece."""
    for count in range(1, len(pieces) + 1):
        so_far = b"".join(pieces[:count]).decode(errors="ignore")
        if places := [so_far.find(stop) for stop in stops if stop in so_far]:
            return so_far[: min(places)]
    return b"".join(pieces).decode()


@pytest.mark.parametrize("seed", range(20))
def test_told_pieces_are_the_text_and_nothing_of_a_stop_string(seed):
    chance = random.Random(seed)
    for _ in range(50):
        whole = "".join(chance.choices("ab €\n", k=chance.randrange(20)))
        stops = ["".join(chance.choices("ab €\n", k=chance.randint(1, 3))) for _ in range(2)]
        pieces = by(chance.randint(1, 4), whole)

        plain, trimmed = Answer(pieces, *stops, trim=False), Answer(pieces, *stops)

        assert plain.text == "".join(plain.told) == expected(pieces, stops)
        assert trimmed.text == "".join(trimmed.told) == expected(pieces, stops).strip()
