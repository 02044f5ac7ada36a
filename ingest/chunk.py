"""Pages cut into overlapping chunks, each short enough for the embedding model."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.load.page import Page

PARAGRAPH = re.compile(r"\n\s*\n")
LINE = re.compile(r"\n")
SENTENCE = re.compile(r"[.!?…][\"'’”)\]]*\s+|[。！？]")
WORD = re.compile(r"\s+")
# Where a piece may end, best first, and how much of its size it must have reached by then.
# Lines may end it early, so that a table's rows stay whole.
ENDS = ((PARAGRAPH, 0.7), (LINE, 0.5), (SENTENCE, 0.7), (WORD, 0.7))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of one page; `position` counts from 0 through the document."""

    position: int
    page: int
    text: str


def chunk(pages: Iterable[Page], size: int = 1000, overlap: int = 200) -> Iterator[Chunk]:
    """Chunks of at most `size` characters, never across a page; no character but blanks is lost.

    Neighbours on a page share about `overlap` characters, at most a third of `size`.
    """
    if not 0 <= 3 * overlap <= size or size < 1:
        raise ValueError(f"no chunks of {size} characters that overlap by {overlap}")
    texts = ((page.number, text) for page in pages for text in _pieces(page.text, size, overlap))
    for position, (number, text) in enumerate(texts):
        yield Chunk(position, number, text)


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


def _pieces(text: str, size: int, overlap: int) -> Iterator[str]:
    text = text.rstrip()
    start = end = 0
    while end < len(text):
        end = cut(text, start, size)
        if piece := text[start:end].strip():
            yield piece
        start = _restart(text, end, overlap)


def _restart(text: str, end: int, overlap: int) -> int:
    """Where the next piece begins: about `overlap` before `end`, if it can be at a line's start.

    After a whole line no part of it is repeated but a sentence: half a table row would be read as
    the beginning of the next one.
    """
    whole_line = text[end - 1] == "\n"
    around = end - overlap * 3 // 2, end - overlap // 2
    for boundary in (LINE, SENTENCE) if whole_line else (LINE, SENTENCE, WORD):
        starts = [found.end() for found in boundary.finditer(text, *around)]
        if starts:
            return min(starts, key=lambda start: abs(end - overlap - start))
    return end if whole_line else end - overlap
