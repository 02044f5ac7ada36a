"""Markdown: a page per section, under the headings above it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import chain, pairwise
from pathlib import Path

from ingest.load.dates import moment
from ingest.load.encoding import open_text
from ingest.load.lines import by_size, line_pages
from ingest.load.page import Facts, Heading, Page

NO_TEXT = "the file holds nothing but blanks"
PAGE_LEVEL = 2
HEADING = re.compile(r" {0,3}(#{1,6})(?=\s)")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
# A line that an underline makes a heading is no list item, quote, table row or code.
PLAIN = re.compile(r" {0,3}(?![-*+>|#]|\d+[.)]\s|`{3}|~{3})\S")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
EDGE = "---"
FIELD = re.compile(r"[\w-]+:")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the file; `level` is that of a heading, 0 for others."""

    text: str
    level: int = 0
    title: str = ""


def pages(path: Path, name: str) -> Iterator[Facts | Page]:
    """Facts from the front matter and first heading, then one page per heading of level 1 or 2.

    Where the highest headings are lower than that, one for each of them; where there are none,
    pages by size.
    """
    with open_text(path) as file:
        fields = _front_matter(file)
        file.seek(0)
        found = [(line.level, line.title) for line in _lines(file) if line.level]
        title = fields.get("title") or next((title for level, title in found if level == 1), "")
        yield Facts(title, fields.get("author", ""), moment(fields.get("date", "")))
        file.seek(0)
        highest = min((level for level, _ in found), default=0)
        texts = _sections(file, max(highest, PAGE_LEVEL)) if found else by_size(file)
        yield from line_pages(texts, _headings if found else lambda text: ())


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _front_matter(lines: Iterable[str]) -> dict[str, str]:
    """What the fields before the text say of it, where there are any."""
    fields: dict[str, str] = {}
    for number, line in enumerate(lines):
        if (number == 0) != (line.rstrip() == EDGE):
            break
        key, _, value = line.partition(":")
        fields[key.strip().lower()] = value.strip().strip("\"'")
    return fields


def _sections(lines: Iterable[str], lowest: int) -> Iterator[str]:
    """A heading right under another one stays with it: a title alone answers nothing."""
    section: list[str] = []
    has_body = False
    for line in _lines(lines):
        if 0 < line.level <= lowest and has_body:
            yield "".join(section)
            section, has_body = [], False
        section.append(line.text)
        has_body = has_body or not (line.level or _is_ornament(line.text))
    yield "".join(section)


def _is_ornament(text: str) -> bool:
    return text.isspace() or bool(UNDERLINE.match(text))


def _headings(text: str) -> Iterator[Heading]:
    start = 0
    for line in _lines(StringIO(text)):
        if line.level:
            yield Heading(start, line.level, line.title)
        start += len(line.text)


def _lines(lines: Iterable[str]) -> Iterator[_Line]:
    """Each line, and whether it is a heading rather than code or front matter."""
    fence, in_front = "", False
    for number, (text, below) in enumerate(pairwise(chain(lines, [""]))):
        if number == 0:
            in_front = text.rstrip() == EDGE and bool(FIELD.match(below))
        elif text.rstrip() == EDGE:
            in_front = False
        if found := FENCE.match(text):
            fence = _fence(fence, found[1], found[2])
        is_text = not (fence or in_front or found)
        yield (_heading(text, below) if is_text else None) or _Line(text)


def _fence(fence: str, mark: str, rest: str) -> str:
    """The fence that is open after one more of them."""
    if not fence:
        return mark
    return "" if mark.startswith(fence) and not rest.strip() else fence


def _heading(text: str, below: str) -> _Line | None:
    if found := HEADING.match(text):
        title = _title(text)
        return _Line(text, len(found[1]), title) if title else None
    if PLAIN.match(text) and (underline := UNDERLINE.match(below)):
        return _Line(text, 1 if underline[1].startswith("=") else 2, text.strip())
    return None


def _title(text: str) -> str:
    """The heading's text without the marks before it and those that may close it."""
    title = text.strip().lstrip("#").strip()
    bare = title.rstrip("#")
    return bare.rstrip() if bare.endswith((" ", "\t")) else bare and title
