"""How many cells of the cache are spoken for, when sequences share their beginnings."""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Segment:
    """Cells in a row that the same sequences hold."""

    length: int


class Cells:
    """A budget of `total` cells; what several owners share counts once."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._held: dict[Hashable, list[Segment]] = {}

    @property
    def free(self) -> int:
        """Cells that nobody holds or has reserved."""
        held = {segment for segments in self._held.values() for segment in segments}
        return self.total - sum(segment.length for segment in held)

    def take(
        self, owner: Hashable, count: int, parent: Hashable | None = None, shared: int = 0
    ) -> bool:
        """Reserves `count` cells, the first `shared` of them the parent's own; False if too many.

        The shared ones stay reserved when the parent gives its own back.
        """
        if count - shared > self.free:
            return False
        common = self._first(parent, shared) if parent is not None else []
        self._held[owner] = [*common, Segment(count - shared)]
        return True

    def give_back(self, owner: Hashable) -> None:
        """Frees what no other owner shares."""
        del self._held[owner]

    def _first(self, owner: Hashable, count: int) -> list[Segment]:
        """The owner's first `count` cells, cut off from the rest of theirs."""
        segments, found = self._held[owner], []
        for segment in list(segments):
            if count <= 0:
                break
            if segment.length > count:
                self._split(segment, count)
            count -= segment.length
            found.append(segment)
        return found

    def _split(self, segment: Segment, count: int) -> None:
        rest = Segment(segment.length - count)
        segment.length = count
        for segments in self._held.values():
            if segment in segments:
                segments.insert(segments.index(segment) + 1, rest)
