"""E-mail: a page per message, and what is attached to it."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import BinaryIO

from ingest.load.dates import moment
from ingest.load.formats import MAILBOX
from ingest.load.mail_parts import attachments, body, header
from ingest.load.page import Attachment, Facts, Heading, LoadError, Page

NO_TEXT = "the e-mail holds no text"
SHOWN = ("Subject", "From", "To", "Cc", "Date")
# So that it is not taken for the beginning of a message, each level of quoting adds a `>`.
QUOTED_FROM = re.compile(rb">(>*From )")


def pages(path: Path, name: str) -> Iterator[Facts | Page | Attachment]:
    """The facts of a message file, and for each message its page and then its attachments.

    The locator is the message's own id, or its number where it has none. In a mailbox attachments
    go by `3/report.pdf`, after the number of their message. Pictures within the text and
    signatures are left out.
    """
    with path.open("rb") as file:
        is_mailbox = bool(MAILBOX.match(file.readline()))
        file.seek(0)
        raws = _messages(file) if is_mailbox else iter([file.read().lstrip()])
        for number, raw in enumerate(raws, 1):
            try:
                yield from _items(message_from_bytes(raw), number, is_mailbox)
            except RecursionError as exc:
                message = f"message {number} has parts within parts too deep"
                raise LoadError("nested_too_deep", message) from exc


def count_pages(path: Path) -> int:
    """Always 0: only reading tells."""
    return 0


def _messages(mailbox: BinaryIO) -> Iterator[bytes]:
    """One message after the other, without the line that divides it from the one before."""
    lines: list[bytes] = []
    after_blank = True
    for line in mailbox:
        if after_blank and MAILBOX.match(line):
            if lines:
                yield b"".join(lines)
            lines = []
        else:
            lines.append(QUOTED_FROM.sub(rb"\1", line) if line.startswith(b">") else line)
        after_blank = not line.strip()
    yield b"".join(lines)


def _items(message: Message, number: int, is_mailbox: bool) -> Iterator[Facts | Page | Attachment]:
    subject = header(message, "Subject")
    if not is_mailbox:
        yield Facts(subject, header(message, "From"), moment(header(message, "Date")))
    shown = [f"{name}: {value}" for name in SHOWN if (value := header(message, name))]
    headings = (Heading(0, 1, subject),) if subject else ()
    text = "\n".join([*shown, "", body(message)]).strip()
    locator = {"message": header(message, "Message-ID") or str(number)}
    yield Page(number, text, locator, headings)
    for attachment in attachments(message):
        folder = f"{number}/" if is_mailbox else ""
        yield Attachment(folder + attachment.name, attachment.content)
