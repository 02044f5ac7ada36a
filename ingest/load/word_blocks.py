"""The body of a DOCX file as a list of blocks: what stands in it, and which of it are headings.

Read from the XML, since python-docx passes over content controls, insertions and text boxes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.table import CT_Row, CT_Tbl, CT_Tc
from docx.oxml.text.paragraph import CT_P
from docx.oxml.text.parfmt import CT_PPr
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.styles.style import BaseStyle, ParagraphStyle

from ingest.load.blocks import Block
from ingest.load.rows import one_line

HEADING = re.compile(r"Heading ([1-9])")
LIST = re.compile(r"List\b(?! Continue)")
LOWEST_LEVEL = 9
MOST_ANCESTORS = 10
MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "p": "\n"}
# Tab stops, text moved away, and the second copy of a text box for old versions of Word.
UNREAD = {"pPr", "moveFrom", "Fallback"}
# Content controls and tracked changes lie around paragraphs, rows and cells.
AROUND = {"sdt", "sdtContent", "ins", "moveTo", "customXml"}


@dataclass(frozen=True, slots=True)
class _Style:
    level: int
    is_list: bool


def blocks(document: Document) -> Iterator[Block]:
    """Every block of the body that has text, in order."""
    styles = {style.style_id: _style(style) for style in document.styles}
    in_list = False
    for element in _inside(document.element.body):
        if isinstance(element, CT_Tbl):
            yield from _rows(element)
            in_list = False
        elif isinstance(element, CT_P) and (text := _text(element).strip()):
            style = _own_style(element, styles)
            listed = style.is_list and not style.level
            shown = f"- {text}" if listed else text
            yield Block(one_line(text) if style.level else shown, style.level, listed and in_list)
            in_list = listed


def _inside(element: BaseOxmlElement) -> Iterator[BaseOxmlElement]:
    for child in element:
        if _name(child) in AROUND:
            yield from _inside(child)
        else:
            yield child


def _name(element: BaseOxmlElement) -> str:
    """The tag without its namespace; that of a comment is no text."""
    return str(element.tag).rpartition("}")[2]


def _text(element: BaseOxmlElement) -> str:
    return "".join(_pieces(element))


def _pieces(element: BaseOxmlElement) -> Iterator[str]:
    for child in element:
        name = _name(child)
        if name == "t":
            yield child.text or ""
        elif name not in UNREAD:
            yield from _pieces(child)
            yield MARKS.get(name, "")


def _rows(table: CT_Tbl) -> Iterator[Block]:
    above: dict[int, str] = {}
    continues = False
    for row in _inside(table):
        if isinstance(row, CT_Row) and any(cells := _cells(row, above)):
            yield Block(" | ".join(cells), continues=continues)
            continues = True


def _cells(row: CT_Row, above: dict[int, str]) -> list[str]:
    """The texts of a row; a cell that spans rows stands in each, kept in `above` by column."""
    texts: list[str] = []
    column = 0
    for cell in _inside(row):
        if isinstance(cell, CT_Tc):
            if cell.vMerge != "continue":
                above[column] = one_line(_text(cell))
            texts.append(above.get(column, ""))
            column += cell.grid_span
    return texts


def _own_style(paragraph: CT_P, styles: dict[str, _Style]) -> _Style:
    style = styles.get(paragraph.style or "", _Style(0, False))
    properties = paragraph.pPr
    if properties is None:
        return style
    level = _outline(properties)
    listed = style.is_list or properties.numPr is not None
    return _Style(style.level if level is None else level, listed)


def _style(style: BaseStyle) -> _Style:
    """Told by the name or the outline of the style, or of those that it is based on."""
    is_list = bool(LIST.match(style.name or ""))
    ancestor: BaseStyle | None = style
    for _ in range(MOST_ANCESTORS):
        if not isinstance(ancestor, ParagraphStyle):
            break
        level = _named_level(ancestor.name or "") or _outline(ancestor.element.pPr)
        if level is not None:
            return _Style(level, is_list)
        ancestor = ancestor.base_style
    return _Style(0, is_list)


def _named_level(name: str) -> int | None:
    heading = HEADING.fullmatch(name)
    return int(heading[1]) if heading else 1 if name == "Title" else None


def _outline(properties: CT_PPr | None) -> int | None:
    """The heading level set here, 0 for body text; None if nothing is set."""
    found = None if properties is None else properties.find(qn("w:outlineLvl"))
    if found is None:
        return None
    level = int(found.get(qn("w:val"), LOWEST_LEVEL)) + 1
    return level if level <= LOWEST_LEVEL else 0
