"""The benchmark's questions: which part of the prompts is new."""

from itertools import pairwise

from benchmarks.questions import Document, bursts, mixed, uncached


def documents():
    return [Document(f"{number}.txt", f"text {number}", f"own {number}?") for number in range(6)]


def test_what_an_earlier_prompt_began_with_is_not_computed_again():
    assert uncached([[1, 2, 3], [1, 2, 4, 5], [9, 2, 3], [1, 2, 3]]) == 3 + 2 + 3 + 0


def test_a_prompt_that_goes_on_where_another_ended_costs_its_rest():
    assert uncached([[1, 2], [1, 2, 3, 4]]) == 4


def test_mixed_asks_what_bursts_asks_but_no_document_twice_in_a_row():
    together, alternating = bursts(documents(), 48), mixed(documents(), 48)

    named = [
        next(n for n in range(6) if f"text {n}\n" in one[-1]["content"]) for one in alternating
    ]

    assert len(together) == 48
    assert sorted(map(str, together)) == sorted(map(str, alternating))
    assert all(one != other for one, other in pairwise(named))
