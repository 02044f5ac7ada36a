"""The part of a passage that shows best why a question has found it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

WORD = re.compile(r"\w+")
SNIPPET_CHARS = 240
# Words that are in every text tell nothing of any.
COMMON = frozenset(
    """
    a an and are as at be been by did do does for from had has have how in is it its much many of
    on or that the their there these this to was were what when where which who why will with you
    your
    """.split()  # noqa: SIM905 - a list of sixty would be a page
)

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a passage from its character `start` on; `highlights` are spans within `text`."""

    text: str
    start: int
    highlights: list[Span]


def snippet(passage: str, question: str, chars: int = SNIPPET_CHARS) -> Snippet:
    """At most about `chars` characters with most of the question's words, the first such place.

    It begins and ends at words; without any word of the question it is the beginning.
    """
    hits = _hits(passage, _telling_words(question))
    start, end = _around(passage, _best_run(passage, hits, chars), chars)
    within = [(a - start, b - start) for a, b in hits if start <= a and b <= end]
    return Snippet(passage[start:end], start, within)


def _telling_words(question: str) -> set[str]:
    words = {word.casefold() for word in WORD.findall(question)}
    return words - COMMON or words


def _hits(passage: str, words: set[str]) -> list[Span]:
    return [one.span() for one in WORD.finditer(passage) if one.group().casefold() in words]


def _best_run(passage: str, hits: Sequence[Span], chars: int) -> Span:
    """From the first to the last hit of the best place: most words, then most hits."""
    best, most = (0, 0), (0, 0)
    last = 0
    for first, (start, own_end) in enumerate(hits):
        last = max(last, first)
        while last + 1 < len(hits) and hits[last + 1][1] - start <= chars:
            last += 1
        run = hits[first : last + 1]
        found = (len({passage[a:b].casefold() for a, b in run}), len(run))
        if found > most:
            best, most = (start, max(own_end, hits[last][1])), found
    return best


def _around(passage: str, run: Span, chars: int) -> Span:
    """The run with as much before as behind it, cut at words."""
    spare = max(0, chars - (run[1] - run[0]))
    start = max(0, min(run[0] - spare // 2, len(passage) - chars))
    end = min(len(passage), max(run[1], start + chars))
    words = [one.span() for one in WORD.finditer(passage, start, end)]
    whole = [(a, b) for a, b in words if _is_whole(passage, a, b)]
    if start and whole:
        start = min(run[0], whole[0][0])
    if end < len(passage) and whole:
        end = max(run[1], whole[-1][1])
    return start, end


def _is_whole(passage: str, start: int, end: int) -> bool:
    """Whether the word does not go on outside of what was cut."""
    before, after = passage[max(0, start - 1) : start], passage[end : end + 1]
    return not WORD.fullmatch(before) and not WORD.fullmatch(after)
