"""Blocks of text, such as paragraphs and headings, laid out as pages of formats that have none."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.load.page import Heading

PAGE_CHARS = 3000
PAGE_LEVEL = 2


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item or table row; `level` is that of a heading, 0 for others.

    `continues` if it belongs to the same list or table as the block before.
    """

    text: str
    level: int = 0
    continues: bool = False


def runs(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """The blocks of each page: it begins at a heading of level 1 or 2, or at 3,000 characters.

    A heading stays with what comes below it: a title alone answers nothing.
    """
    run: list[Block] = []
    chars = 0
    for block in blocks:
        if run and not run[-1].level and _begins_page(block, chars):
            yield run
            run, chars = [], 0
        run.append(block)
        chars += len(block.text)
    if run:
        yield run


def _begins_page(block: Block, chars: int) -> bool:
    return 0 < block.level <= PAGE_LEVEL or chars + len(block.text) > PAGE_CHARS


def laid_out(run: Sequence[Block]) -> tuple[str, tuple[Heading, ...]]:
    """The text of the blocks, and the headings in it; blocks that continue get no blank line."""
    parts: list[str] = []
    headings: list[Heading] = []
    length = 0
    for block in run:
        if parts:
            parts.append("\n" if block.continues else "\n\n")
            length += len(parts[-1])
        if block.level:
            headings.append(Heading(length, block.level, block.text))
        parts.append(block.text)
        length += len(block.text)
    return "".join(parts), tuple(headings)
