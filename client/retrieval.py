"""Passages for a question, without an answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from pydantic import BaseModel

from client.records import CONFIG, read


class Snippet(BaseModel):
    """The part of a passage that shows why it was found; `highlights` are spans within it."""

    model_config = CONFIG

    text: str
    start: int = 0
    highlights: list[tuple[int, int]] = []


class Place(BaseModel):
    """A chunk and where it stands in its document."""

    model_config = CONFIG

    id: int
    text: str
    page: int | None = None
    position: int | None = None
    locator: dict[str, Any] = {}
    heading: str = ""


class FoundPassage(Place):
    """A passage that was found, with its scores and its neighbours."""

    document_id: int
    collection: str
    source: str
    title: str = ""
    score: float
    scores: dict[str, float | None] = {}
    snippet: Snippet
    neighbours: list[Place] = []


class Search(TypedDict, total=False):
    """How to search: `k` passages by mode `hybrid`, `vector` or `text`, with so many `neighbours`.

    `filters` are `documents`, `names`, `tags`, `kinds`, `dated_from`, `dated_to`, `pages` and
    `meta`; all hold at once.
    """

    k: int
    mode: str
    filters: dict[str, Any]
    neighbours: int
    rerank: bool


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What can be searched; `call` is `Account.call`."""

    call: Callable[..., dict[str, Any]]

    def retrieve(
        self, question: str, collections: Sequence[str | int], **search: Unpack[Search]
    ) -> list[FoundPassage]:
        """The passages of these collections, named by name or id, best first."""
        body = {"question": question, "collections": list(collections), **search}
        found = self.call("POST", "/retrieve", json=body)
        return [read(FoundPassage, one) for one in found.get("passages") or []]
