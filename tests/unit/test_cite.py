"""Sentences, and the passages that bear them."""

import numpy as np
import pytest

from tasks.cite import Span, cite, sentences
from tasks.flow import Passage

TOWER = "The tower of Gull Rock is 31.5 metres high. It was built in 1881 by the harbour board."
BREAD = "Bread needs flour, water and salt. Let the dough rest for 40 minutes."


def passage(number: int, text: str) -> Passage:
    return Passage(
        id=number, document_id=1, source=f"{number}.md", page=number, text=text, score=0.5
    )


def cited(answer: str, *texts: str) -> list[tuple[str, int, str]]:
    """Each cited sentence, its passage, and the words that are quoted; all vectors alike."""
    spans = sentences(answer)
    passages = {number: passage(number, text) for number, text in enumerate(texts)}
    vectors = np.zeros((len(spans), 2), np.float32)
    found = cite(answer, spans, vectors, passages, dict.fromkeys(passages, np.zeros(2, np.float32)))
    return [
        (
            answer[one["start"] : one["end"]],
            one["passage"],
            texts[one["passage"]][one["quote"]["start"] : one["quote"]["end"]],
        )
        for one in found
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two!  Three?", ["One.", "Two!", "Three?"]),
        (
            "It is 31.5 m, i.e. tall. No. 5 is not.",
            ["It is 31.5 m, i.e. tall.", "No.", "5 is not."],
        ),
        ("- first\n- second\n", ["- first", "- second"]),
        ("塔高。面包！", ["塔高。", "面包！"]),
        ('He said "no." Then he left', ['He said "no."', "Then he left"]),
        (" \n ", []),
        ("", []),
    ],
)
def test_a_text_falls_into_its_sentences(text, expected):
    assert [text[one["start"] : one["end"]] for one in sentences(text)] == expected


def test_each_sentence_is_tied_to_the_passage_and_the_words_that_bear_it():
    answer = "The tower is 31.5 metres high. Dough must rest for 40 minutes."

    assert cited(answer, BREAD, TOWER) == [
        ("The tower is 31.5 metres high.", 1, "The tower of Gull Rock is 31.5 metres high."),
        ("Dough must rest for 40 minutes.", 0, "Let the dough rest for 40 minutes."),
    ]


def test_a_sentence_that_no_passage_bears_has_no_citation():
    assert cited("Whales sing at night.", BREAD, TOWER) == []


def test_a_number_counts_whole():
    assert cited("In 1881.", TOWER.replace("1881", "18813"), TOWER) == [
        ("In 1881.", 1, "It was built in 1881 by the harbour board.")
    ]


def test_without_passages_nothing_is_cited():
    assert cited("The tower is high.") == []


def test_nearness_of_meaning_decides_between_equal_words():
    spans = [Span(start=0, end=4)]
    passages = {3: passage(3, "one two"), 7: passage(7, "one two")}
    near, far = np.array([1, 0], np.float32), np.array([0, 1], np.float32)

    [found] = cite("one.", spans, near[None], passages, {3: far, 7: near})

    assert (found["passage"], found["page"], found["source"]) == (7, 7, "7.md")
    assert found["score"] == 1.0
