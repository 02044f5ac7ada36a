"""The bookkeeping around llama.cpp's cache: who has room in it, and what is guessed."""

from types import SimpleNamespace
from typing import Any

import pytest

from engines.cache import Cache
from engines.request import Request, Terms
from engines.sampling import Sampling

REPEATING = [1, 2, 3, 4, 5, 6, 1, 2, 3]


def cache(has_prefixes: bool) -> Cache:
    context: Any = SimpleNamespace(cells=100, sequences=2)
    store: Any = SimpleNamespace(find=lambda key, tokens: (0, None))
    return Cache(context, store, has_prefixes)


@pytest.mark.parametrize(("has_prefixes", "guessed"), [(True, [4, 5, 6]), (False, [])])
def test_only_what_can_be_taken_back_is_guessed(has_prefixes, guessed):
    made = cache(has_prefixes)
    request = Request(REPEATING, Sampling(10), Terms(deadline=0.0))
    placed = made.place(request, made.beginning(request))
    assert placed is not None
    placed.computed = len(REPEATING) - 1
    assert placed.propose() == guessed


def test_nothing_is_guessed_beyond_the_end_of_the_answer():
    made = cache(has_prefixes=True)
    request = Request(REPEATING, Sampling(2), Terms(deadline=0.0))
    placed = made.place(request, made.beginning(request))
    assert placed is not None
    placed.computed = len(REPEATING) - 1
    assert placed.propose() == [4]


def test_there_is_room_for_as_many_answers_and_cells_as_the_cache_has():
    made = cache(has_prefixes=True)

    def place(max_tokens: int) -> Any:
        request = Request(REPEATING, Sampling(max_tokens), Terms(deadline=0.0))
        return made.place(request, made.beginning(request))

    assert place(92) is None
    assert [place(10).number, place(10).number] == [0, 1]
    assert place(10) is None
