"""A radix tree over token ids: which known sequence begins like this prompt, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
Tokens = list[int]


@dataclass(eq=False, slots=True)
class _Node(Generic[T]):
    """The tokens on the way here from the parent, what ends here, and what goes on."""

    edge: Tokens
    values: list[T] = field(default_factory=list)
    children: dict[int, "_Node[T]"] = field(default_factory=dict)

    def below(self) -> Iterator[T]:
        yield from self.values
        for child in self.children.values():
            yield from child.below()


class RadixTree(Generic[T]):
    """Values by their token sequences; the same sequence may have several."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node([])

    def insert(self, tokens: Tokens, value: T) -> None:
        """Adds a value."""
        node, rest = self._root, list(tokens)
        while rest:
            child = node.children.get(rest[0])
            if child is None:
                node.children[rest[0]] = _Node(rest, [value])
                return
            count = common(child.edge, rest)
            if count < len(child.edge):
                child = self._split(node, child, count)
            node, rest = child, rest[count:]
        node.values.append(value)

    @staticmethod
    def _split(parent: _Node[T], child: _Node[T], count: int) -> _Node[T]:
        """Puts a node into the child's edge after `count` tokens."""
        upper: _Node[T] = _Node(child.edge[:count])
        child.edge = child.edge[count:]
        upper.children[child.edge[0]] = child
        parent.children[upper.edge[0]] = upper
        return upper

    def remove(self, tokens: Tokens, value: T) -> None:
        """Takes a value away that was inserted under these tokens; ValueError if it was not."""
        path, rest = [self._root], list(tokens)
        while rest:
            child = path[-1].children.get(rest[0])
            if child is None or common(child.edge, rest) < len(child.edge):
                raise ValueError("nothing was inserted under these tokens")
            path.append(child)
            rest = rest[len(child.edge) :]
        path[-1].values.remove(value)
        for parent, node in zip(reversed(path[:-1]), reversed(path[1:]), strict=True):
            if not node.values and not node.children:
                del parent.children[node.edge[0]]

    def longest(self, tokens: Tokens) -> tuple[int, Iterator[T]]:
        """How many of the tokens some known sequence begins with, and the values of all such."""
        node, matched = self._root, 0
        while child := node.children.get(tokens[matched]) if matched < len(tokens) else None:
            count = common(child.edge, tokens[matched : matched + len(child.edge)])
            node, matched = child, matched + count
            if count < len(child.edge):
                break
        return matched, node.below() if matched else iter(())


def common(one: Tokens, other: Tokens) -> int:
    """How many tokens both begin with."""
    low, high = 0, min(len(one), len(other))
    # Comparing slices runs in C; halving finds the place in a few of them.
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
