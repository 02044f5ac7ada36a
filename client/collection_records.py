"""Collections and documents as the server tells of them."""

from typing import Any

from pydantic import BaseModel, Field

from client.records import CONFIG, OVER, State


class Rebuild(BaseModel):
    """A collection that is made anew: `done` of `documents` are over; `given_up` says why not."""

    model_config = CONFIG

    documents: int
    done: int
    given_up: str | None = None


class Collection(BaseModel):
    """Documents that are asked together; chunk sizes are in tokens of its embedding model."""

    model_config = CONFIG

    id: int
    name: str
    visibility: str
    mine: bool = False
    documents: int = 0
    chunks: int = 0
    language: str | None = None
    chunk_tokens: int | None = None
    chunk_overlap: int | None = None
    embed_model_name: str | None = None
    rebuild: Rebuild | None = None
    notes: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Document(BaseModel):
    """A file in a collection, and how far the work on it is: `stages` maps to (done, total)."""

    model_config = CONFIG

    id: int
    name: str
    state: State
    collection: str | None = None
    parent_id: int | None = None
    title: str | None = None
    kind: str | None = None
    dated_at: str | None = None
    tags: list[str] = Field(default_factory=list)
    facts: dict[str, Any] = Field(default_factory=dict)
    status: str | None = None
    step: str | None = None
    stages: dict[str, tuple[int, int]] = Field(default_factory=dict)
    size_in_bytes: int | None = None
    content_sha256: str | None = None
    pages: int | None = None
    chunks: int | None = None
    code: str | None = None
    msg: str | None = None
    unchanged: bool = False
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def over(self) -> bool:
        """Done or failed: nothing will change any more."""
        return self.state in OVER

    @property
    def attachments(self) -> int:
        """How many files are attached to it, which are documents of their own."""
        return int(self.facts.get("attachments", 0))

    @property
    def scanned(self) -> str | None:
        """A word on pages without text, if there are any among the others."""
        pages = self.facts.get("scanned_pages")
        if not pages:
            return None
        return f"{pages} pages without text (scanned?); OCR is not part of redten"
