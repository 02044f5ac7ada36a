"""The body of an HTML page as blocks: what is seen of it, and which of them are headings."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from ingest.load.blocks import Block

HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Nobody reads them, or they lead elsewhere.
UNSEEN = {
    *("head", "script", "style", "noscript", "template", "nav", "svg", "iframe", "object"),
    *("canvas", "audio", "video", "button", "select", "textarea", "datalist"),
}
BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
    *("dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form"),
    *("header", "hgroup", "hr", "legend", "li", "main", "menu", "ol", "p", "pre", "search"),
    *("section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul", *HEADINGS),
}
EDGES = {*BLOCKS, "br", "td", "th"}
CELLS = {"td", "th"}
# Neighbours of one group belong together.
GROUPS = {"li": "list", "tr": "table", "dt": "terms", "dd": "terms", "pre": "pre"}
SOFT_HYPHEN = "\xad"
UNSEEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def blocks(body: LexborNode | None) -> list[Block]:
    """Every block that has text, in order; none of no body."""
    reader = _Reader()
    for node, begins in _walk(body):
        if node.is_text_node:
            if begins:
                reader.read(node.text_content or "")
        elif begins:
            reader.begin(node, node.tag or "")
        else:
            reader.end(node, node.tag or "")
    return reader.blocks


def _walk(body: LexborNode | None) -> Iterator[tuple[LexborNode, bool]]:
    """Each node twice, at its beginning (True) and end, without recursion: pages may be deep."""
    node, depth = body, 0
    while node is not None:
        yield node, True
        inner = None if _is_unseen(node) else node.first_child
        if inner is not None:
            node, depth = inner, depth + 1
            continue
        yield node, False
        while depth and node.next is None and node.parent is not None:
            node, depth = node.parent, depth - 1
            yield node, False
        node = node.next if depth else None


def _is_unseen(node: LexborNode) -> bool:
    if not node.is_element_node:
        return False
    if node.tag in UNSEEN:
        return True
    said = node.attributes
    return (
        "hidden" in said
        or said.get("aria-hidden") == "true"
        or said.get("role") == "navigation"
        or bool(UNSEEN_STYLE.search(said.get("style") or ""))
    )


class _Reader:
    """Collects the text of a block until the next one begins or it ends."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._parts: list[str] = []
        self._level = 0
        self._mark = self._group = self._last_group = ""
        self._preformatted = False
        # The heading or table row that is open: one line, whatever blocks are in it.
        self._line: int | None = None

    def read(self, text: str) -> None:
        """Takes up text as it stands in the page."""
        if self._preformatted and self._line is None:
            *ended, text = text.split("\n")
            for line in ended:
                self._parts.append(line)
                self._flush()
                self._group = "pre"
        self._parts.append(text)

    def begin(self, node: LexborNode, tag: str) -> None:
        """Ends the block before, if this one is a block too."""
        if tag == "table" or tag in HEADINGS:
            # A row that holds one of these is there for the looks of the page.
            self._flush()
            self._line, self._last_group = None, ""
        elif self._line is not None:
            self._parts.append(" | " if tag in CELLS else " " if tag in EDGES else "")
            return
        elif tag in EDGES:
            self._flush()
        self._open(node, tag)

    def end(self, node: LexborNode, tag: str) -> None:
        """Ends the block, if this is one."""
        if self._line not in (None, node.mem_id):
            self._parts.append(" " if tag in BLOCKS else "")
            return
        if tag in BLOCKS:
            self._flush()
            self._line, self._level = None, 0
        if tag in GROUPS:
            self._group = self._mark = ""
        self._preformatted = self._preformatted and tag != "pre"

    def _open(self, node: LexborNode, tag: str) -> None:
        self._level = HEADINGS.get(tag, 0)
        self._preformatted = self._preformatted or tag == "pre"
        if tag in HEADINGS or (tag == "tr" and _has_cells(node)):
            self._line = node.mem_id
        if tag in GROUPS:
            self._group, self._mark = GROUPS[tag], "- " if tag == "li" else ""
        elif tag == "br":
            self._group = self._last_group = self._last_group or "lines"

    def _flush(self) -> None:
        text = "".join(self._parts).replace(SOFT_HYPHEN, "")
        self._parts.clear()
        text = text.rstrip() if self._preformatted else " ".join(text.split())
        if self._line is not None and not self._level:
            text = text.removeprefix("| ").rstrip("| ")
        if text:
            continues = self._group != "" and self._group == self._last_group
            self.blocks.append(Block(self._mark + text, self._level, continues))
            self._last_group, self._group, self._mark = self._group, "", ""


def _has_cells(row: LexborNode) -> bool:
    """Whether there is more than one: a lone cell may hold anything."""
    cells = 0
    child = row.first_child
    while child is not None and cells < 2:
        cells += child.tag in CELLS
        child = child.next
    return cells > 1
