"""The radix tree, held against a list of all that was inserted."""

import random

import pytest

from engines.radix import RadixTree, common

Kept = list[tuple[list[int], str]]


def shared(one: list[int], other: list[int]) -> int:
    """How many tokens both begin with, counted one by one."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def expected(kept: Kept, asked: list[int]) -> tuple[int, list[str]]:
    """What `longest` has to find, by looking at everything."""
    most = max((shared(tokens, asked) for tokens, _ in kept), default=0)
    found = [value for tokens, value in kept if shared(tokens, asked) == most]
    return most, sorted(found) if most else []


def assert_agrees(tree: RadixTree[str], kept: Kept, asked: list[int]) -> None:
    count, found = tree.longest(asked)
    assert (count, sorted(found)) == expected(kept, asked)


def drawn(chance: random.Random) -> list[int]:
    """Few different tokens, so that beginnings are shared."""
    return chance.choices((1, 2, 3), k=chance.randrange(9))


@pytest.mark.parametrize("seed", range(20))
def test_the_tree_finds_what_a_look_at_everything_finds(seed):
    chance, tree, kept = random.Random(seed), RadixTree[str](), Kept()
    for number in range(150):
        if kept and chance.random() < 0.4:
            tokens, value = kept.pop(chance.randrange(len(kept)))
            tree.remove(tokens, value)
        else:
            kept.append((drawn(chance), str(number)))
            tree.insert(*kept[-1])
        assert_agrees(tree, kept, drawn(chance))
    for tokens, value in kept:
        tree.remove(tokens, value)
    assert tree.longest([1, 2, 3])[0] == 0


def test_the_same_tokens_may_have_several_values_that_go_one_by_one():
    tree = RadixTree[str]()
    tree.insert([1, 2], "a")
    tree.insert([1, 2], "b")

    tree.remove([1, 2], "a")

    count, found = tree.longest([1, 2, 3])
    assert (count, list(found)) == (2, ["b"])


@pytest.mark.parametrize("tokens", [[1], [1, 2], [1, 2, 4], [1, 2, 3, 4], [5], []])
def test_what_was_not_inserted_cannot_be_removed(tokens):
    tree = RadixTree[str]()
    tree.insert([1, 2, 3], "a")
    tree.insert([1, 7], "b")

    with pytest.raises(ValueError):  # noqa: PT011 - some of them are the list's own words
        tree.remove(tokens, "a")

    assert [tree.longest(one)[0] for one in ([1, 2, 3], [1, 7])] == [3, 2]


def test_what_the_caller_does_with_the_list_afterwards_changes_nothing():
    tree, tokens = RadixTree[str](), [1, 2, 3]
    tree.insert(tokens, "a")
    tokens.append(4)
    assert tree.longest([1, 2, 3, 4])[0] == 3


@pytest.mark.parametrize("seed", range(5))
def test_common_beginnings_are_counted_by_halving_as_one_by_one(seed):
    chance = random.Random(seed)
    for _ in range(200):
        one, other = drawn(chance), drawn(chance)
        assert common(one, other) == shared(one, other)
