"""The part of a passage that is shown for a question."""

from tasks.snippet import Snippet, snippet

FILLER = "nothing to see here at all, move on please. " * 20
TOWER = "The tower of Gull Rock is 31 metres high."


def shown(made: Snippet) -> list[str]:
    return [made.text[start:end] for start, end in made.highlights]


def test_a_short_passage_is_shown_whole_with_its_words_marked():
    made = snippet(TOWER, "How high is the TOWER?")
    assert (made.text, made.start) == (TOWER, 0)
    assert shown(made) == ["tower", "high"]


def test_the_place_with_most_of_the_words_is_chosen_wherever_it_is():
    passage = f"A tower. {FILLER}{TOWER} {FILLER}"
    made = snippet(passage, "how high is the tower of Gull Rock")
    assert TOWER in made.text
    assert passage[made.start :].startswith(made.text)
    assert shown(made) == ["tower", "Gull", "Rock", "high"]
    assert len(made.text) <= 240


def test_different_words_count_for_more_than_one_word_often():
    passage = f"oil oil oil oil. {FILLER}oil for the lamp. {FILLER}"
    assert "lamp" in snippet(passage, "lamp oil").text


def test_it_begins_and_ends_at_words():
    passage = "abcdefghij " * 30 + "needle" + " klmnopqrst" * 30
    made = snippet(passage, "needle")
    words = made.text.split()
    assert set(words) == {"abcdefghij", "needle", "klmnopqrst"}
    assert made.text == made.text.strip()


def test_without_any_of_the_words_it_is_the_beginning():
    made = snippet(FILLER, "zebra")
    assert (made.start, made.highlights) == (0, [])
    assert FILLER.startswith(made.text)
    assert 200 < len(made.text) <= 240


def test_a_snippet_is_the_documents_text_with_places_beside_it_and_no_markup_within():
    text = "<mark>oil</mark><script>alert(1)</script> & <b>lamp"
    made = snippet(text, "lamp oil")
    assert made.text == text
    assert shown(made) == ["oil", "lamp"]


def test_letters_that_grow_when_they_are_folded_keep_their_offsets():
    made = snippet("Die Straße heißt Weg.", "STRASSE weg")
    assert shown(made) == ["Straße", "Weg"]


def test_common_words_count_when_there_are_no_others():
    assert shown(snippet("to be or not to be", "to be")) == ["to", "be", "to", "be"]


def test_a_passage_without_words_or_without_blanks_is_cut_to_size():
    assert snippet("", "any") == Snippet("", 0, [])
    assert len(snippet("x" * 1000, "any").text) == 240
