"""What a parsing process and its parent say to each other: frames of JSON and bytes, never code."""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ingest.load.page import Attachment, Facts, Heading, Page

# Bytes of the JSON, then of what follows it as it is.
HEADER = struct.Struct(">QQ")

Item = Facts | Page | Attachment
Message = dict[str, Any]


def frame(message: Mapping[str, object], payload: bytes = b"") -> bytes:
    """One message as it travels."""
    head = json.dumps(message).encode()
    return HEADER.pack(len(head), len(payload)) + head + payload


def item_frame(item: Item) -> bytes:
    """One item of a file as it travels."""
    match item:
        case Facts():
            dated = item.dated.isoformat() if item.dated else None
            return frame({"facts": [item.title, item.author, dated]})
        case Page():
            return frame({"page": page_fields(item)})
        case Attachment():
            return frame({"attachment": item.name}, item.content)


def item_of(message: Message, payload: bytes) -> Item | None:
    """The item that a message carries; None for any other message."""
    match message:
        case {"facts": [title, author, dated]}:
            return Facts(title, author, datetime.fromisoformat(dated) if dated else None)
        case {"page": fields}:
            return page_of(fields)
        case {"attachment": name}:
            return Attachment(name, payload)
    return None


def page_fields(page: Page) -> Message:
    """A page as JSON knows it."""
    return {
        "number": page.number,
        "text": page.text,
        "locator": dict(page.locator),
        "headings": [asdict(heading) for heading in page.headings],
        "rows": [dict(row) for row in page.rows],
    }


def page_of(fields: Message) -> Page:
    """The page that `page_fields` was given."""
    headings = tuple(Heading(**heading) for heading in fields["headings"])
    return Page(
        fields["number"], fields["text"], fields["locator"], headings, tuple(fields["rows"])
    )
