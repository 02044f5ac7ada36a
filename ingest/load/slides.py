"""PowerPoint (PPTX): the text of each slide, its tables and its speaker's notes."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pptx
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from pptx.presentation import Presentation
from pptx.shapes.autoshape import Shape
from pptx.shapes.base import BaseShape
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pptx.slide import Slide
from pptx.table import Table
from pptx.text.text import TextFrame

from ingest.load.office import facts, reading
from ingest.load.page import Facts, Heading, Page
from ingest.load.rows import one_line

NO_TEXT = "the presentation holds no text; if it is made of pictures, run OCR on it first"
# The same on every slide.
FURNITURE = {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER}


def pages(path: Path, name: str) -> Iterator[Facts | Page]:
    """The facts, then one page per slide, hidden ones too; one without text has an empty page.

    The title comes first, then the shapes as they lie upon each other. Dates, footers, charts
    and diagrams are left out.
    """
    with reading("presentation", PythonPptxError):
        yield facts(path)
        for number, slide in enumerate(_open(path).slides, 1):
            yield _page(number, slide)


def count_pages(path: Path) -> int:
    """Slides in the presentation. Raises LoadError."""
    with reading("presentation", PythonPptxError):
        return len(_open(path).slides)


def _open(path: Path) -> Presentation:
    return pptx.Presentation(str(path))


def _page(number: int, slide: Slide) -> Page:
    title = slide.shapes.title
    heading = one_line(title.text_frame.text) if title is not None else ""
    others = (shape for shape in slide.shapes if title is None or shape.shape_id != title.shape_id)
    parts = [heading, *_lines(others), _notes(slide)]
    headings = (Heading(0, 1, heading),) if heading else ()
    return Page(number, "\n".join(filter(None, parts)), {"slide": number}, headings)


def _lines(shapes: Iterable[BaseShape]) -> Iterator[str]:
    for shape in shapes:
        if isinstance(shape, GroupShape):
            yield from _lines(shape.shapes)
        elif isinstance(shape, GraphicFrame) and shape.has_table:
            yield from _rows(shape.table)
        elif isinstance(shape, Shape) and not _is_furniture(shape):
            yield from _paragraphs(shape.text_frame)


def _is_furniture(shape: Shape) -> bool:
    return shape.is_placeholder and shape.placeholder_format.type in FURNITURE


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        cells = [one_line(cell.text_frame.text) for cell in row.cells]
        if any(cells):
            yield " | ".join(cells)


def _paragraphs(frame: TextFrame) -> Iterator[str]:
    for paragraph in frame.paragraphs:
        if text := one_line(paragraph.text):
            yield text


def _notes(slide: Slide) -> str:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    text = frame.text.strip() if frame is not None else ""
    return f"Notes: {text}" if text else ""
