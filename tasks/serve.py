"""Passages for whoever waits for them, without an answer and without a record."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypedDict

from engines.embedder import get_embedder
from engines.errors import EngineError
from models.errors import RedtenError
from models.search import Found, neighbours
from models.session import session_scope
from tasks import mailbox
from tasks.app import app
from tasks.find import Hit, Mode, filters_of, find_passages
from tasks.rerank import JUDGED, judged
from tasks.snippet import snippet

PLACE = ("id", "page", "position", "locator", "heading", "text")

Reply = dict[str, Any]


class Asked(TypedDict):
    """A search as the door has checked it; `collections` share the embedding model.

    `filters` are those of models/filters.py with moments as ISO 8601, `around` is how many
    neighbours a passage is given on either side.
    """

    question: str
    collections: list[int]
    embed_model_name: str
    count: int
    mode: Mode
    filters: dict[str, Any]
    around: int
    rerank: bool


@app.task
def serve_passages(tenant_id: int, asked: Asked, address: str) -> None:
    """Leaves the passages at an address, best first, or a refusal."""
    try:
        reply: Reply = {"passages": _passages(tenant_id, asked)}
    except (EngineError, RedtenError) as error:
        reply = {"code": error.code, "message": str(error)}
    mailbox.put(address, reply)


def _passages(tenant_id: int, asked: Asked) -> list[Reply]:
    found = _found(tenant_id, asked)
    # Not within a session: who judges would hold a connection for as long.
    ranked = judged(asked["question"], found) if asked["rerank"] else [(one, None) for one in found]
    best = ranked[: asked["count"]]
    around = _around(tenant_id, [one for one, _ in best], asked["around"])
    return [_shown(one, relevance, asked, around) for one, relevance in best]


def _found(tenant_id: int, asked: Asked) -> list[Hit]:
    question = asked["question"]
    [vector] = get_embedder(asked["embed_model_name"]).embed([question], "query")
    with session_scope(tenant_id) as session:
        return find_passages(
            session,
            question,
            vector,
            asked["collections"],
            max(asked["count"], JUDGED) if asked["rerank"] else asked["count"],
            asked["mode"],
            filters_of(asked["filters"]),
        )


def _around(tenant_id: int, found: Sequence[Hit], most: int) -> list[Found]:
    if not most or not found:
        return []
    with session_scope(tenant_id) as session:
        return neighbours(session, found, most, most)


def _shown(one: Hit, relevance: float | None, asked: Asked, around: Sequence[Found]) -> Reply:
    legs = {"cosine": one.cosine, "words": one.words, "about": one.about, "relevance": relevance}
    return {
        **_place(one),
        "document_id": one.document_id,
        "collection_id": one.collection_id,
        "source": one.source,
        "title": one.title,
        "score": one.score if relevance is None else relevance,
        "scores": legs,
        "snippet": asdict(snippet(one.text, asked["question"])),
        "neighbours": [_place(near) for near in around if _near(one, near, asked["around"])],
    }


def _near(one: Found, other: Found, most: int) -> bool:
    same = one.document_id == other.document_id
    return same and abs(one.position - other.position) <= most


def _place(one: Found) -> Reply:
    return {name: getattr(one, name) for name in PLACE}
