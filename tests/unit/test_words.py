"""Which words of a question decide what is ranked."""

from models.words import RANKED, any_of, telling


def test_the_rarest_words_choose_as_long_as_they_are_few():
    chunks = {"the": 900_000, "invoice": 4_000, "inv-0042": 1, "unpaid": 900}
    assert telling(chunks, RANKED) == "'inv-0042' | 'unpaid' | 'invoice'"
    assert telling(chunks, 1_000) == "'inv-0042' | 'unpaid'"


def test_of_common_words_alone_several_have_to_be_there():
    chunks = {"cash": 300_000, "compani": 500_000, "flow": 200_000, "year": 600_000}
    assert telling(chunks, RANKED) == "'flow' & 'cash' & 'compani'"


def test_a_word_that_no_indexed_chunk_has_is_looked_for_all_the_same():
    assert telling({"new": 0, "cash": 300_000}, RANKED) == "'new'"


def test_quotes_and_backslashes_stay_in_their_word():
    assert any_of(["o'brien", "a\\b"]) == "'o''brien' | 'a\\\\b'"
