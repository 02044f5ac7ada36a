"""HTML: what a reader sees of it, a block per line, under its headings."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from ingest.load.blocks import Block, laid_out, runs
from ingest.load.dates import moment
from ingest.load.encoding import encoding_of
from ingest.load.html_blocks import blocks
from ingest.load.page import Facts, LoadError, Page

NO_TEXT = "the page holds no text; if a script fills it in, save it from a browser or as a PDF"
TITLE_CHARS = 200
SNIFFED_BYTES = 4096
CHARSET = re.compile(rb"<meta[^>]*?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
# The parser takes time that grows with the square of the depth: at this one about half a second.
# Whoever means to can still make it deeper; what ends that is the time that a file may take.
DEEPEST = 20_000
# Their end is understood without a tag, so that counting tags does not tell depth.
OPEN_ENDED = {
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"),
    *("source", "track", "wbr", "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th"),
    *("thead", "tbody", "tfoot", "colgroup", "rp", "rt", "html", "head", "body", "path"),
}
AUTHORS = ("author", "article:author", "dc.creator", "dcterms.creator")
DATES = (
    *("article:published_time", "datepublished", "date", "dc.date", "dcterms.created"),
    *("dcterms.date", "pubdate", "article:modified_time", "last-modified"),
)


def pages(path: Path, name: str) -> Iterator[Facts | Page]:
    """The facts, then a page per heading of level 1 or 2, and per 3,000 characters at most.

    The locator gives the headings above its beginning, or the title before the first one.
    """
    with path.open("rb") as file:
        said = CHARSET.search(file.read(SNIFFED_BYTES))
        codec = encoding_of(file, said[1].decode() if said else "")
    tree = _parsed(path.read_text(encoding=codec, errors="replace"))
    facts = _facts(tree)
    yield facts
    above: list[Block] = []
    for number, run in enumerate(runs(blocks(tree.body)), 1):
        text, headings = laid_out(run)
        above = _above(above, takewhile(lambda block: block.level, run))
        section = " › ".join(block.text[:TITLE_CHARS] for block in above) or facts.title
        yield Page(number, text, {"section": section}, headings)
        above = _above(above, run)


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def text_of(html: str) -> str:
    """The same text without pages and headings, for what is HTML within another format."""
    text, _ = laid_out(blocks(_parsed(html).body))
    return text


def _parsed(html: str) -> LexborHTMLParser:
    if html.count("<") > DEEPEST and _depth(html) > DEEPEST:
        message = f"the page has tags more than {DEEPEST:,} deep within each other"
        raise LoadError("nested_too_deep", message)
    return LexborHTMLParser(html)


def _depth(html: str) -> int:
    """How many tags were left open: no less than how deep the page is, in all that is usual."""
    opened: Counter[str] = Counter()
    deepest = depth = 0
    for end, tag in TAG.findall(html):
        if (name := tag.lower()) in OPEN_ENDED:
            continue
        change = -1 if end else 1
        if change > 0 or opened[name]:
            opened[name] += change
            depth += change
            deepest = max(deepest, depth)
    return deepest


def _above(above: list[Block], run: Iterable[Block]) -> list[Block]:
    """The headings above what comes after the run."""
    for block in run:
        if block.level:
            above = [*(one for one in above if one.level < block.level), block]
    return above


def _facts(tree: LexborHTMLParser) -> Facts:
    said: dict[str, str] = {}
    title = tree.css_first("head > title")
    for meta in tree.css("meta"):
        attributes = meta.attributes
        names = (attributes.get(key) for key in ("property", "name", "itemprop", "http-equiv"))
        name = next(filter(None, names), "").lower()
        said.setdefault(name, (attributes.get("content") or "").strip())
    author, date = (
        next((said[key] for key in keys if said.get(key)), "") for keys in (AUTHORS, DATES)
    )
    return Facts(" ".join(title.text().split()) if title else "", author, moment(date))
