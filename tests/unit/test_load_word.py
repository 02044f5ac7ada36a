"""Word documents are read in order, under their headings."""

import datetime
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from ingest.load.page import Facts, LoadError, Page
from ingest.load.word import pages
from tests.unit.office_files import bomb, rewrite, without

BODY = "word/document.xml"


@pytest.fixture
def document() -> Document:
    return docx.Document()


def saved(folder: Path, document: Document) -> Path:
    document.save(str(folder / "blob"))
    return folder / "blob"


def read(path: Path) -> list[Page]:
    return [item for item in pages(path, "a.docx") if isinstance(item, Page)]


def text(folder: Path, document: Document) -> str:
    return "\n\n".join(page.text for page in read(saved(folder, document)))


def add(document: Document, xml: str) -> None:
    """Something that python-docx cannot write."""
    document.element.body.insert(0, parse_xml(xml.replace(">", f" {nsdecls('w')}>", 1)))


def test_paragraphs_lists_and_tables_come_in_their_order(tmp_path, document):
    document.add_paragraph("Before the table.")
    table = document.add_table(2, 2)
    for cell, said in zip(table._cells, ["Lamp", "Oil", "small", "two\nlitres"], strict=True):
        cell.text = said
    document.add_paragraph("After the table.")
    document.add_paragraph("trim the wick", style="List Bullet")
    document.add_paragraph("light the lamp", style="List Number")

    [page] = read(saved(tmp_path, document))

    assert page.text == (
        "Before the table.\n\nLamp | Oil\nsmall | two litres\n\nAfter the table.\n\n"
        "- trim the wick\n- light the lamp"
    )
    assert page.locator == {"paragraphs": [1, 6]}


def test_headings_say_where_they_stand_and_how_high(tmp_path, document):
    document.add_heading("The handbook", 0)
    document.add_heading("Oil", 1)
    document.add_paragraph("The lamp burns oil.")
    document.add_heading("Whale\noil", 3)
    document.add_paragraph("Dear.")

    [page] = read(saved(tmp_path, document))

    assert [(found.level, found.title) for found in page.headings] == [
        (1, "The handbook"),
        (1, "Oil"),
        (3, "Whale oil"),
    ]
    for found in page.headings:
        assert page.text.startswith(found.title, found.start)


def test_sections_of_the_first_levels_make_pages(tmp_path, document):
    for title, level in (("Oil", 1), ("Whale", 2), ("Wicks", 2), ("Cotton", 3)):
        document.add_heading(title, level)
        document.add_paragraph(f"About {title}.")
    document.add_heading("Alone", 1)

    found = read(saved(tmp_path, document))

    assert [page.text.split("\n")[0] for page in found] == ["Oil", "Whale", "Wicks", "Alone"]
    assert [page.locator["paragraphs"] for page in found] == [[1, 2], [3, 4], [5, 8], [9, 9]]


def test_long_sections_are_cut_between_paragraphs(tmp_path, document):
    for n in range(10):
        document.add_paragraph(f"{n} " + "word " * 200)

    found = read(saved(tmp_path, document))

    assert [page.locator["paragraphs"] for page in found] == [
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
        [9, 10],
    ]
    assert max(len(page.text) for page in found) < 3100


def test_a_style_of_ones_own_is_a_heading_if_it_is_based_on_one(tmp_path, document):
    style = document.styles.add_style("House Title", 1)
    style.base_style = document.styles["Heading 2"]
    document.add_paragraph("Lamps", style="House Title")

    [page] = read(saved(tmp_path, document))

    assert page.headings[0].level == 2


def test_an_outline_level_makes_a_heading(tmp_path, document):
    add(document, '<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr><w:r><w:t>Lamps</w:t></w:r></w:p>')

    assert read(saved(tmp_path, document))[0].headings[0].level == 3


def test_content_controls_insertions_and_links_are_read_and_deletions_are_not(tmp_path, document):
    add(
        document,
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>kept</w:t><w:tab/></w:r>"
        "<w:ins><w:r><w:t>inserted</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom>"
        "<w:hyperlink><w:r><w:t>linked</w:t></w:r></w:hyperlink></w:p></w:sdtContent></w:sdt>",
    )

    assert text(tmp_path, document) == "kept\tinsertedlinked"


def test_a_cell_over_several_rows_stands_in_each_and_a_wide_one_once(tmp_path, document):
    table = document.add_table(3, 3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "North"
    table.cell(1, 1).text, table.cell(2, 1).text = "Gull Rock", "Skua Head"
    table.cell(1, 2).add_table(1, 1).cell(0, 0).text = "inner"

    assert text(tmp_path, document).splitlines() == [
        "wide | ",
        "North | Gull Rock | inner",
        "North | Skua Head | ",
    ]


def test_headers_and_footers_are_left_out(tmp_path, document):
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.add_paragraph("The lamp burns oil.")

    assert text(tmp_path, document) == "The lamp burns oil."


def test_facts_come_first(tmp_path, document):
    document.core_properties.title = "Handbook"
    document.core_properties.author = "The keeper"
    document.core_properties.created = datetime.datetime(2024, 5, 1)

    facts = next(pages(saved(tmp_path, document), "a.docx"))

    moment = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
    assert facts == Facts("Handbook", "The keeper", moment)


def test_facts_that_are_missing_are_not_made_up(tmp_path, document):
    path = saved(tmp_path, document)
    without(path, "docProps/core.xml")
    rewrite(path, "_rels/.rels", lambda xml: xml.replace(b"docProps/core.xml", b"docProps/app.xml"))

    assert next(pages(path, "a.docx")) == Facts()


def test_a_document_without_text_has_no_pages(tmp_path, document):
    document.add_paragraph("  ")

    assert read(saved(tmp_path, document)) == []


@pytest.mark.parametrize("part", [BODY, "word/styles.xml", "[Content_Types].xml", "_rels/.rels"])
@pytest.mark.parametrize("content", [b"", b"<not", b"<x/>"])
def test_a_damaged_part_is_told(tmp_path, document, part, content):
    document.add_paragraph("The lamp burns oil.")
    path = saved(tmp_path, document)
    rewrite(path, part, lambda _: content)

    with pytest.raises(LoadError, match="damaged") as caught:
        read(path)

    assert caught.value.code == "broken_document"


def test_a_cut_off_file_is_broken(tmp_path, document):
    path = saved(tmp_path, document)
    path.write_bytes(path.read_bytes()[:3000])

    with pytest.raises(LoadError, match="damaged"):
        read(path)


def test_an_entity_bomb_is_refused(tmp_path, document):
    document.add_paragraph("The lamp burns oil.")
    path = saved(tmp_path, document)
    rewrite(path, BODY, bomb(b"w:t"))

    with pytest.raises(LoadError, match="damaged"):
        read(path)
