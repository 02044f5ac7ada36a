"""Presentations are read slide by slide."""

import datetime
from pathlib import Path

import pptx
import pytest
from pptx.presentation import Presentation
from pptx.util import Inches

from ingest.load.page import Facts, Heading, LoadError, Page
from ingest.load.slides import count_pages, pages
from tests.unit.office_files import bomb, rewrite, without

TITLE_AND_TEXT, BLANK = 1, 6
BOX = (Inches(1), Inches(1), Inches(3), Inches(1))


@pytest.fixture
def show() -> Presentation:
    return pptx.Presentation()


def add(show: Presentation, title: str, text: str) -> object:
    slide = show.slides.add_slide(show.slide_layouts[TITLE_AND_TEXT])
    slide.shapes.title.text = title
    slide.placeholders[1].text = text
    return slide


def saved(folder: Path, show: Presentation) -> Path:
    show.save(str(folder / "blob"))
    return folder / "blob"


def read(path: Path) -> list[Page]:
    return [item for item in pages(path, "a.pptx") if isinstance(item, Page)]


def test_each_slide_is_a_page_under_its_title(tmp_path, show):
    add(show, "Lamps", "big ones\nsmall ones")
    add(show, "Oil", "whale")

    found = read(saved(tmp_path, show))

    assert [page.text for page in found] == ["Lamps\nbig ones\nsmall ones", "Oil\nwhale"]
    assert [page.locator for page in found] == [{"slide": 1}, {"slide": 2}]
    assert found[0].headings == (Heading(0, 1, "Lamps"),)


def test_notes_come_last(tmp_path, show):
    slide = add(show, "Lamps", "big ones")
    slide.notes_slide.notes_text_frame.text = "Wait for laughter."

    assert read(saved(tmp_path, show))[0].text == "Lamps\nbig ones\nNotes: Wait for laughter."


def test_tables_groups_and_text_boxes_are_read(tmp_path, show):
    slide = show.slides.add_slide(show.slide_layouts[BLANK])
    table = slide.shapes.add_table(2, 2, *BOX).table
    for at, said in {(0, 0): "Lamp", (0, 1): "Oil", (1, 0): "small", (1, 1): "2 l"}.items():
        table.cell(*at).text = said
    inner = slide.shapes.add_group_shape().shapes.add_group_shape().shapes.add_textbox(*BOX)
    inner.text_frame.text = "deep\vinside"

    [page] = read(saved(tmp_path, show))

    assert page.text == "Lamp | Oil\nsmall | 2 l\ndeep inside"
    assert page.headings == ()


def test_slides_without_text_are_empty_pages_and_are_counted(tmp_path, show):
    show.slides.add_slide(show.slide_layouts[BLANK])
    add(show, "Oil", "whale")
    path = saved(tmp_path, show)

    assert [page.text for page in read(path)] == ["", "Oil\nwhale"]
    assert count_pages(path) == 2


def test_slide_numbers_and_footers_are_left_out(tmp_path, show):
    slide = add(show, "Oil", "whale")
    for layout_shape in show.slide_layouts[TITLE_AND_TEXT].placeholders:
        if layout_shape.placeholder_format.idx >= 10:
            slide.shapes.clone_placeholder(layout_shape)
    for shape in list(slide.placeholders)[2:]:
        shape.text = "17"

    assert len(slide.placeholders) == 5
    assert read(saved(tmp_path, show))[0].text == "Oil\nwhale"


def test_facts_come_first_and_are_not_made_up(tmp_path, show):
    show.core_properties.title = "Lamps"
    show.core_properties.author = "The keeper"
    show.core_properties.created = datetime.datetime(2024, 5, 1)
    path = saved(tmp_path, show)
    moment = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)

    assert next(pages(path, "a.pptx")) == Facts("Lamps", "The keeper", moment)

    without(path, "docProps/core.xml")
    rewrite(path, "_rels/.rels", lambda xml: xml.replace(b"docProps/core.xml", b"docProps/app.xml"))

    assert next(pages(path, "a.pptx")) == Facts()


@pytest.mark.parametrize(
    "part", ["ppt/presentation.xml", "ppt/slides/slide1.xml", "[Content_Types].xml"]
)
@pytest.mark.parametrize("content", [b"", b"<not", b"<x/>"])
def test_a_damaged_part_is_told(tmp_path, show, part, content):
    add(show, "Oil", "whale")
    path = saved(tmp_path, show)
    rewrite(path, part, lambda _: content)

    with pytest.raises(LoadError, match="damaged") as caught:
        read(path)

    assert caught.value.code == "broken_document"


def test_a_cut_off_file_is_broken(tmp_path, show):
    path = saved(tmp_path, show)
    path.write_bytes(path.read_bytes()[:3000])

    for reader in (read, count_pages):
        with pytest.raises(LoadError, match="damaged"):
            reader(path)


def test_an_entity_bomb_is_refused(tmp_path, show):
    add(show, "Oil", "whale")
    path = saved(tmp_path, show)
    rewrite(path, "ppt/slides/slide1.xml", bomb(b"a:t"))

    with pytest.raises(LoadError, match="damaged"):
        read(path)
