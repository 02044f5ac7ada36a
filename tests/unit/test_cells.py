"""Who holds which cells of the cache, held against sets of numbered cells."""

import random
from itertools import count

import pytest

from engines.cells import Cells


def test_cells_come_back_when_their_owner_is_gone():
    cells = Cells(10)
    assert cells.take("a", 6)
    assert cells.free == 4
    cells.give_back("a")
    assert cells.free == 10


def test_too_many_are_refused_and_nothing_is_taken():
    cells = Cells(10)
    cells.take("a", 6)
    assert not cells.take("b", 5)
    assert cells.free == 4
    assert cells.take("b", 4)


def test_what_is_shared_counts_once():
    cells = Cells(10)
    cells.take("a", 6)
    assert cells.take("b", 8, "a", 4)
    assert cells.free == 0


def test_shared_cells_stay_with_the_heirs():
    cells = Cells(20)
    cells.take("a", 10)
    cells.take("b", 8, "a", 6)
    cells.take("c", 7, "b", 4)
    assert cells.free == 20 - (10 + 2 + 3)

    cells.give_back("a")

    assert cells.free == 20 - (8 + 3)
    cells.give_back("b")
    assert cells.free == 20 - 7
    cells.give_back("c")
    assert cells.free == 20


def test_an_heir_may_share_beyond_what_its_parent_had_shared():
    cells = Cells(20)
    cells.take("a", 5)
    cells.take("b", 10, "a", 5)
    cells.take("c", 12, "b", 9)
    cells.give_back("a")
    cells.give_back("b")
    assert cells.free == 20 - 12


@pytest.mark.parametrize("seed", range(20))
def test_counts_agree_with_sets_of_cells(seed):
    """An owner's cells are numbers; a shared one is the same number in several lists."""
    chance, cells, numbers = random.Random(seed), Cells(100), count()
    held: dict[int, list[int]] = {}
    for owner in range(200):
        if held and chance.random() < 0.45:
            gone = chance.choice(list(held))
            del held[gone]
            cells.give_back(gone)
        else:
            parent = chance.choice([None, *held])
            shared = chance.randint(0, len(held[parent])) if parent is not None else 0
            wanted = shared + chance.randint(1, 20)
            used = len({cell for one in held.values() for cell in one})
            fits = used + wanted - shared <= 100
            assert cells.take(owner, wanted, parent, shared) == fits
            if fits:
                first = held[parent][:shared] if parent is not None else []
                held[owner] = [*first, *(next(numbers) for _ in range(wanted - shared))]
        assert cells.free == 100 - len({cell for one in held.values() for cell in one})
