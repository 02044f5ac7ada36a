"""A page of the web, or a feed with the pages that its entries name."""

import html
import io
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax import SAXException

import feedparser

from ingest.sources.fetch import Guard, fetch
from ingest.sources.item import Item, Sink, SourceError

MOST_ENTRIES = 1_000
HEAD_BYTES = 1_024
FEED_MARKS = (b"<rss", b"<feed", b"<rdf:rdf")
# The parser's own code trips over some feeds, as over a reference to no character.
DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Web:
    """The page at `url`; of an RSS or Atom feed the entries."""

    def __init__(self, url: str, guard: Guard, most_bytes: int) -> None:
        self.url, self.guard, self.most_bytes = url, guard, most_bytes

    def items(self, known: Mapping[str, str]) -> Iterator[Item]:
        content = io.BytesIO()
        version = known.get(self.url, "")
        page = fetch(self.url, self.guard, Sink(content, self.most_bytes), version)
        if not page.changed:
            return iter([Item(self.url, self.url, version)])
        if not is_feed(content.getvalue()):
            return iter([Item(self.url, self.url, page.version, content.getvalue())])
        return _entries(content, page.url)

    def read(self, item: Item, known: str, sink: Sink) -> str | None:
        page = fetch(item.place, self.guard, sink, known)
        return page.version if page.changed else None


def is_feed(content: bytes) -> bool:
    """Whether it begins as RSS or Atom does."""
    head = content[:HEAD_BYTES].lower()
    return b"<html" not in head and any(mark in head for mark in FEED_MARKS)


def _entries(content: io.BytesIO, url: str) -> Iterator[Item]:
    content.seek(0)
    try:
        # A file, never bytes: the parser takes those for the name of a file first.
        feed = feedparser.parse(content, response_headers={"content-location": url})
    except DAMAGE as error:
        raise SourceError("unreadable_source", "the feed is broken") from error
    found = {item.name: item for item in map(_item, feed.entries[:MOST_ENTRIES])}
    yield from found.values()
    # It complains of less as well: of a type of content that is none of a feed's, say.
    if isinstance(feed.get("bozo_exception"), SAXException):
        raise SourceError("incomplete", "the feed is broken, and may hold more")


def _item(entry: Any) -> Item:
    link = entry.get("link", "")
    # Where there is none, the parser may give an id for it.
    if link.startswith(("http://", "https://")):
        return Item(link, link)
    texts = [part.get("value", "") for part in entry.get("content", [])]
    title, body = entry.get("title", ""), "\n".join(texts) or entry.get("summary", "")
    page = f"<!doctype html><html><title>{html.escape(title)}</title><body>{body}</body></html>"
    return Item(entry.get("id") or title, content=page.encode(errors="replace"))
