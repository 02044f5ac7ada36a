"""A file that holds too much is refused with the limit that it goes beyond."""

from email.message import EmailMessage
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from ingest.load import Limits, LoadError, Page, load
from tests.unit.loading import saved
from tests.unit.test_load import WORD, office
from tests.unit.test_load_pdf import pdf


def zipped(members: int, size: int) -> bytes:
    out = BytesIO(office(WORD))
    with ZipFile(out, "a", ZIP_DEFLATED) as file:
        for number in range(members):
            file.writestr(f"word/{number}.xml", b"\0" * size)
    return out.getvalue()


def message(attached: int) -> bytes:
    made = EmailMessage()
    made.set_content("lit")
    for _ in range(attached):
        made.add_attachment(b"0123456789", maintype="application", subtype="octet-stream")
    return made.as_bytes()


@pytest.mark.parametrize(
    ("content", "name", "limits", "code", "told"),
    [
        (pdf("a", "b", "c"), "a.pdf", Limits(pages=2), "too_many_pages", "2 pages"),
        (b"a\fb\fc", "a.txt", Limits(pages=2), "too_many_pages", "2 pages"),
        (b"x" * 5000, "a.txt", Limits(characters=4000), "too_large_inside", "4,000 characters"),
        (zipped(3, 1000), "a.docx", Limits(inside_bytes=2500), "too_large_inside", "2,500 bytes"),
        (zipped(1, 20 << 20), "a.docx", Limits(), "too_large_inside", "200 times"),
        (message(3), "a.eml", Limits(attachments=2), "too_many_attachments", "2 attachments"),
        (message(3), "a.eml", Limits(inside_bytes=25), "too_large_inside", "25 bytes"),
    ],
    ids=["pages", "form feeds", "text", "unpacked", "bomb", "attachments", "attached bytes"],
)
def test_the_limit_is_named(tmp_path, content, name, limits, code, told):
    with pytest.raises(LoadError, match=told) as caught:
        list(load(saved(tmp_path, content), name, limits))

    assert caught.value.code == code


def test_too_many_pages_are_found_before_any_is_read(tmp_path):
    with pytest.raises(LoadError):
        next(load(saved(tmp_path, pdf("a", "b")), "a.pdf", Limits(pages=1)))


def test_what_is_just_within_the_limits_is_read(tmp_path):
    limits = Limits(pages=3, characters=3, attachments=3, inside_bytes=30)

    assert len(list(load(saved(tmp_path, message(3)), "a.eml", limits))) == 5
    found = list(load(saved(tmp_path, b"a\fb\fc"), "a.txt", limits))
    assert [page.text for page in found if isinstance(page, Page)] == ["a", "b", "c"]
