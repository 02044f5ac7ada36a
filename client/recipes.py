"""How the documents of a collection are cut, indexed and embedded."""

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

from client.collection_records import Collection
from client.paths import quoted
from client.records import read


class Recipe(TypedDict, total=False):
    """Chunk sizes are in tokens of the embedding model; the language is that of the texts."""

    chunk_tokens: int
    chunk_overlap: int
    language: str
    embed_model_name: str


class Recipes:
    """Of one server, for one user."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def change(self, collection: str, **changes: Unpack[Recipe]) -> Collection:
        """Has all documents read again in the background; until then it serves as it was.

        How far that is shows in `rebuild` of the collection; None means that it is over.
        """
        return read(
            Collection, self._call("PATCH", f"/collections/{quoted(collection)}", json=changes)
        )
