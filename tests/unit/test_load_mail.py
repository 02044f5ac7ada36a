"""E-mail is read as it comes, broken or not, and what is attached to it is given."""

from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.load import Facts, Page, load
from tests.unit.loading import attachments, facts, pages, refusal, saved, texts, titles

FROM = b"From keeper@example.org Fri Mar  1 10:00:00 2024\n"


@pytest.fixture
def message() -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = "Grüße vom Turm"
    made["From"] = "Jürgen <keeper@example.org>"
    made["To"] = "harbour@example.org"
    made["Date"] = "Fri, 01 Mar 2024 10:00:00 +0100"
    made["Message-ID"] = "<1@example.org>"
    made.set_content("Die Lampe brennt für 5 €.\n")
    return made


def named(folder: Path, message: EmailMessage) -> list[str]:
    return [one.name for one in attachments(saved(folder, message.as_bytes()), "a.eml")]


def raw(folder: Path, *lines: bytes) -> str:
    [text] = texts(saved(folder, b"\n".join(lines)), "a.eml")
    return text


def test_a_message_is_a_page_below_its_headers(tmp_path, message):
    path = saved(tmp_path, message.as_bytes())

    [page] = pages(path, "a.eml")

    assert page.text == (
        "Subject: Grüße vom Turm\nFrom: Jürgen <keeper@example.org>\nTo: harbour@example.org\n"
        "Date: Fri, 01 Mar 2024 10:00:00 +0100\n\nDie Lampe brennt für 5 €."
    )
    assert page.locator == {"message": "<1@example.org>"}
    assert titles(page) == [(1, "Grüße vom Turm", "Subject: Grüße vom Turm")]


def test_a_message_tells_its_subject_writer_and_moment(tmp_path, message):
    assert facts(saved(tmp_path, message.as_bytes()), "a.eml") == Facts(
        "Grüße vom Turm",
        "Jürgen <keeper@example.org>",
        datetime(2024, 3, 1, 10, tzinfo=timezone(timedelta(hours=1))),
    )


def test_the_locator_is_short_whatever_a_message_calls_itself(tmp_path):
    path = saved(tmp_path, b"Message-ID: <" + b"x" * 5000 + b">\n\ntext")

    [page] = pages(path, "a.eml")

    assert len(page.locator["message"]) == 1000


def test_plain_text_is_preferred_to_html(tmp_path, message):
    message.add_alternative("<p>Die <b>Lampe</b> brennt.</p>", subtype="html")

    [text] = texts(saved(tmp_path, message.as_bytes()), "a.eml")

    assert text.endswith("\n\nDie Lampe brennt für 5 €.")
    assert named(tmp_path, message) == []


def test_html_alone_is_read_as_html(tmp_path, message):
    message.set_content("<style>p {}</style><p>Die <b>Lampe</b> brennt.</p>", subtype="html")

    [text] = texts(saved(tmp_path, message.as_bytes()), "a.eml")

    assert text.endswith("\n\nDie Lampe brennt.")


def test_attachments_are_given_under_names_that_differ(tmp_path, message):
    for name in ("Türme.csv", "../../etc/Türme.csv", "C:\\logs\\log.txt", None):
        message.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename=name)

    path = saved(tmp_path, message.as_bytes())

    assert named(tmp_path, message) == ["Türme.csv", "Türme (2).csv", "log.txt", "attachment-4.csv"]
    assert {one.content for one in attachments(path, "a.eml")} == {b"a,b\n"}
    assert texts(path, "a.eml")[0].endswith("für 5 €.")


def test_a_message_within_a_message_is_an_attachment(tmp_path, message):
    inner = EmailMessage()
    inner["Subject"] = "Re: oil/wick"
    inner.set_content("oil\n")
    message.add_attachment(inner)

    [attachment] = attachments(saved(tmp_path, message.as_bytes()), "a.eml")

    assert attachment.name == "Re: oil wick.eml"
    assert texts(saved(tmp_path, attachment.content), attachment.name) == [
        "Subject: Re: oil/wick\n\noil"
    ]


def test_pictures_in_the_text_and_signatures_are_left_out(tmp_path, message):
    message.add_alternative("<p><img src=cid:logo>", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo>")
    message.make_mixed()
    message.add_attachment(b"x", maintype="application", subtype="pgp-signature")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="map.png")

    assert named(tmp_path, message) == ["map.png"]


def test_a_mailbox_has_a_page_per_message(tmp_path, message):
    message.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="log.csv")
    quoted = b"Subject: two\n\nline\n\n>From here on\n>>From there\n\nFrom 9 to 12:00 closed\n"
    path = saved(tmp_path, FROM + message.as_bytes() + b"\n" + FROM + quoted)

    items = list(load(path, "inbox"))

    assert [item.number if isinstance(item, Page) else item.name for item in items] == [
        1,
        "1/log.csv",
        2,
    ]
    second = items[2]
    assert second.text == (
        "Subject: two\n\nline\n\nFrom here on\n>From there\n\nFrom 9 to 12:00 closed"
    )
    assert second.locator == {"message": "2"}


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (b"Subject: =?utf-8?q?H=C3=B6he?=", "Subject: Höhe"),
        (b"Subject: =?iso-8859-1?B?SPZoZQ==?=\n of the tower", "Subject: Höhe of the tower"),
        ("Subject: Höhe".encode(), "Subject: Höhe"),
        (b"Subject: =?no-such?q?lamp?=", "Subject: =?no-such?q?lamp?="),
        (b"Subject: =?utf-8?b?x?=", "Subject: =?utf-8?b?x?="),
        (b"Subject: lamp\nDate: 99 Foo", "Subject: lamp\nDate: 99 Foo"),
    ],
)
def test_broken_headers_are_shown_as_far_as_they_can_be_read(tmp_path, header, shown):
    assert raw(tmp_path, header, b"", b"lit") == f"{shown}\n\nlit"


def test_the_text_is_decoded_whatever_is_said_of_it(tmp_path):
    for said, encoding in (("utf-8", "cp1252"), ("us-ascii", "utf-8"), ("x\0y", "utf-8")):
        header = f"Content-Type: text/plain; charset={said}".encode()
        assert raw(tmp_path, header, b"", "Höhe über Grün".encode(encoding)) == "Höhe über Grün"


def test_a_text_in_quoted_printable_is_put_together(tmp_path):
    header = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable"

    assert raw(tmp_path, header, b"", b"The H=C3=B6he is 3=\r\n1 m") == "The Höhe is 31 m"


def test_parts_that_never_end_are_read_to_the_end_of_the_file(tmp_path):
    text = raw(tmp_path, b"Content-Type: multipart/mixed; boundary=x", b"", b"--x", b"", b"lit")

    assert text == "lit"


def test_parts_nested_without_end_are_refused(tmp_path):
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(2000)
    )

    assert refusal(saved(tmp_path, nested), "a.eml").code == "nested_too_deep"


def test_bytes_that_are_no_message_are_refused(tmp_path):
    assert refusal(saved(tmp_path, bytes(range(1, 9)) * 100), "a.eml").code == "empty_document"
