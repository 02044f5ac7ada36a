"""What goes out about collections and the documents in them."""

from typing import Any

from api.replies import Out, Stamp


class RebuildOut(Out):
    """A collection that is made anew: `done` of `documents` are over; `given_up` says why not."""

    documents: int
    done: int
    language: str
    chunk_tokens: int
    chunk_overlap: int
    embed_model_name: str
    given_up: str | None


class CollectionOut(Out):
    """A collection; the counts are of documents that are searchable."""

    id: int
    name: str
    visibility: str
    mine: bool
    documents: int
    chunks: int
    language: str
    chunk_tokens: int
    chunk_overlap: int
    embed_model_name: str
    rebuild: RebuildOut | None
    notes: str | None
    created_at: Stamp
    updated_at: Stamp | None


class CollectionsOut(Out):
    """All collections that the caller may read."""

    collections: list[CollectionOut]
    msg: str = "success"


class DocumentOut(Out):
    """A document and its progress: each stage as [done, total], total 0 while unknown.

    `parent_id` is the document that it is attached to. `facts` are what else its file says: how
    many files are attached to it (`attachments`), and of a PDF how many pages have no text
    (`scanned_pages`).
    """

    id: int
    collection: str
    name: str
    parent_id: int | None
    title: str
    kind: str
    dated_at: Stamp | None
    tags: list[str]
    facts: dict[str, Any]
    size_in_bytes: int
    content_sha256: str
    state: int
    status: str
    step: str | None
    stages: dict[str, list[int]]
    pages: int | None
    chunks: int | None
    code: str | None
    msg: str | None
    unchanged: bool = False
    created_at: Stamp
    updated_at: Stamp | None


class DocumentsOut(Out):
    """Documents of a collection."""

    documents: list[DocumentOut]
    msg: str = "success"
