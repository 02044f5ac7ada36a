"""Pages cut into chunks: at headings, paragraphs and rows first, then by the model's tokens."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile

from ingest.load.page import Heading, Page

PARAGRAPH = re.compile(r"\n\s*\n")
LINE = re.compile(r"\n")
SENTENCE = re.compile(r"[.!?…][\"'’”)\]]*\s+|[。！？]")
WORD = re.compile(r"\s+")
# Where a piece may end, best first, and how much of its size it must have reached by then.
# Lines may end it early, so that a table's rows stay whole.
ENDS = ((PARAGRAPH, 0.7), (LINE, 0.5), (SENTENCE, 0.7), (WORD, 0.7))
DIGIT = re.compile(r"\d")
EDGE_LINES = 3
# Room for it is left by chunks of 200 tokens in a window of 256.
OPENING_TOKENS = 32
# What has no blanks may be one token, however long it is.
TOKEN_CHARS = 100
# What a filter can be about: short values, and not a list of everything.
LONGEST_VALUE, MOST_VALUES = 64, 64

Offsets = Callable[[str], Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of one section of one page; `position` counts from 0 through the document.

    `heading` is the path of headings above it, `A › B`. `opening` is how its page begins, if it
    does not begin with it: what a table is about often stands there only. `locator` is its page's,
    with the rows or lines that it holds itself. `meta` are the short values of its rows by column.
    """

    position: int
    page: int
    text: str
    heading: str = ""
    opening: str = ""
    locator: Mapping[str, object] = field(default_factory=dict)
    meta: Mapping[str, list[str]] = field(default_factory=dict)


def running_lines(pages: Iterable[Page]) -> frozenset[str]:
    """Headers and footers: lines at the edges of a fifth of the pages, each digit as `#`."""
    seen: Counter[str] = Counter()
    count = 0
    for page in pages:
        if not page.rows:
            lines = [masked for line in page.text.split("\n") if (masked := _masked(line))]
            seen.update({*lines[:EDGE_LINES], *lines[-EDGE_LINES:]})
            count += 1
    return frozenset(line for line, times in seen.items() if times >= max(3, count / 5))


def chunk(
    pages: Iterable[Page],
    offsets: Offsets,
    size: int = 200,
    overlap: int = 40,
    running: Collection[str] = (),
) -> Iterator[Chunk]:
    """Chunks of at most `size` tokens, never across a page or a section.

    `offsets` gives the (start, end) characters of a text's tokens, in order. Lines at the edge of a
    page that are `running_lines` are left out; no other character but blanks is lost. Neighbours
    in a section share about `overlap` tokens, at most a third of `size`.
    """
    if not 0 <= 3 * overlap <= size or size < 1:
        raise ValueError(f"no chunks of {size} tokens that overlap by {overlap}")
    position, path = 0, _Path()
    for page in pages:
        body = _body(page.text, running)
        opening = "" if page.rows else _opening(page.text[slice(*body)], offsets)
        headings = sorted(page.headings, key=lambda one: one.start)
        for start, end in _sections(headings, *body):
            while headings and headings[0].start <= start:
                path.enter(headings.pop(0))
            for first, last in _pieces(page.text[start:end], offsets, size, overlap):
                span = start + first, start + last
                yield _chunk(page, *span, position, str(path), opening)
                position += 1


def cut(text: str, start: int, size: int) -> int:
    """Where a piece of at most `size` characters from `start` on had best end."""
    limit = start + size
    if limit >= len(text):
        return len(text)
    for boundary, reach in ENDS:
        ends = [found.end() for found in boundary.finditer(text, start + int(size * reach), limit)]
        if ends:
            return ends[-1]
    return limit


class _Path:
    """The headings above the place that reading has come to, through all pages."""

    def __init__(self) -> None:
        self.above: list[Heading] = []

    def enter(self, heading: Heading) -> None:
        """Below those of a higher level; it ends its own and all lower ones."""
        self.above = [one for one in self.above if one.level < heading.level]
        self.above.append(heading)

    def __str__(self) -> str:
        return " › ".join(" ".join(heading.title.split()) for heading in self.above)


def _masked(line: str) -> str:
    return DIGIT.sub("#", line.strip())


def _body(text: str, running: Collection[str]) -> tuple[int, int]:
    """Where a page begins and ends without the running lines around it, if it has any others."""
    lines = text.split("\n")
    first, last = 0, len(lines)
    while running and first < last and _masked(lines[first]) in {"", *running}:
        first += 1
    while running and last > first and _masked(lines[last - 1]) in {"", *running}:
        last -= 1
    if first == last:
        return 0, len(text)
    start = sum(len(line) + 1 for line in lines[:first])
    return start, start + len("\n".join(lines[first:last]))


def _opening(body: str, offsets: Offsets) -> str:
    """The first whole lines of a page that are short together; at least one."""
    lines = [line for line in body.split("\n") if line.strip()][:OPENING_TOKENS]
    starts = (" ".join(lines[:count]) for count in range(1, len(lines) + 1))
    taken = sum(1 for _ in takewhile(lambda one: len(offsets(one)) <= OPENING_TOKENS, starts))
    opening = " ".join(" ".join(lines[: max(1, taken)]).split())
    tokens = offsets(opening)
    end = tokens[OPENING_TOKENS - 1][1] if len(tokens) > OPENING_TOKENS else len(opening)
    return opening[: min(end, OPENING_TOKENS * TOKEN_CHARS)]


def _sections(headings: Sequence[Heading], begin: int, end: int) -> list[tuple[int, int]]:
    """The parts of a page from one heading to the next."""
    starts = {one.start for one in headings if begin < one.start < end}
    return list(pairwise([begin, *sorted(starts), end]))


def _pieces(text: str, offsets: Offsets, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Where the pieces of a section begin and end, without the blanks around them."""
    text = text.rstrip()
    tokens = offsets(text)
    begins, ends = [token[0] for token in tokens], [token[1] for token in tokens]
    start = end = 0
    while end < len(text):
        first = bisect_right(ends, start)
        limit = begins[first + size] if first + size < len(begins) else len(text)
        end = cut(text, start, min(max(limit - start, 1), size * TOKEN_CHARS))
        if piece := text[start:end].strip():
            begin = text.index(piece, start)
            yield begin, begin + len(piece)
        # A few long tokens at its end must not take the next piece back to its beginning.
        start = _restart(text, end, min(_back(begins, end, overlap), (end - start) // 3))


def _back(begins: Sequence[int], end: int, tokens: int) -> int:
    """How many characters the last so many tokens before `end` take."""
    last = bisect_left(begins, end)
    return end - begins[max(0, last - tokens)] if tokens and last else 0


def _restart(text: str, end: int, overlap: int) -> int:
    """Where the next piece begins: about `overlap` before `end`, if it can be at a line's start.

    After a whole line no part of it is repeated but a sentence: half a table row would be read as
    the beginning of the next one.
    """
    if not overlap:
        return end
    whole_line = text[end - 1] == "\n"
    around = end - overlap * 3 // 2, end - overlap // 2
    for boundary in (LINE, SENTENCE) if whole_line else (LINE, SENTENCE, WORD):
        starts = [found.end() for found in boundary.finditer(text, max(0, around[0]), around[1])]
        if starts:
            return min(starts, key=lambda start: abs(end - overlap - start))
    return end if whole_line else end - overlap


def _chunk(page: Page, start: int, end: int, position: int, heading: str, opening: str) -> Chunk:
    begins = " ".join(page.text[start:end].split()).startswith(opening)
    first, last = page.text.count("\n", 0, start), page.text.count("\n", 0, end)
    return Chunk(
        position,
        page.number,
        page.text[start:end],
        heading,
        "" if begins else opening,
        _located(page, first, last),
        _values(page.rows[first : last + 1]),
    )


def _located(page: Page, first: int, last: int) -> dict[str, object]:
    """The page's locator, narrowed to the lines of its text where each is a row or line."""
    narrowed = dict(page.locator)
    for unit in ("rows", "lines"):
        match narrowed.get(unit):
            case [int(low), int(high)] if high - low == page.text.rstrip("\n").count("\n"):
                narrowed[unit] = [low + first, low + last]
    return narrowed


def _values(rows: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for row in rows:
        for column, value in row.items():
            known = values.setdefault(column, [])
            if 0 < len(value) <= LONGEST_VALUE and value not in known and len(known) < MOST_VALUES:
                known.append(value)
    return {column: known for column, known in values.items() if known}
