"""What goes out of retrieval and embedding, documented from the descriptions that make it."""

from typing import Any, Literal

from api.replies import Out, Stamp


class SnippetOut(Out):
    """The part of the text from its character `start` on that shows why it was found.

    `highlights` are [start, end] within the snippet: the question's own words. It is text as the
    document has it: escape it before a page shows it.
    """

    text: str
    start: int
    highlights: list[tuple[int, int]]


class PlaceOut(Out):
    """A chunk and where it stands; `locator` says where in terms of the document's format."""

    id: int
    page: int
    position: int
    locator: dict[str, Any]
    heading: str
    text: str


class LegsOut(Out):
    """Cosine to the question, and how well words and the document's title fit.

    `relevance` is the reranker's; null where it was not asked, or had no time.
    """

    cosine: float
    words: float
    about: float
    relevance: float | None


class PassageOut(PlaceOut):
    """A passage; `score` is what it was ranked by.

    `neighbours` are the chunks around it that were not found themselves.
    """

    document_id: int
    collection_id: int
    collection: str
    source: str
    title: str
    score: float
    scores: LegsOut
    snippet: SnippetOut
    neighbours: list[PlaceOut]


class PassagesOut(Out):
    """Passages, best first, and how long it took to find them."""

    passages: list[PassageOut]
    seconds: float


class RecordOut(Out):
    """A passage as Dify knows it; `score` is the cosine, 0 to 1."""

    content: str
    score: float
    title: str
    metadata: dict[str, Any]


class RecordsOut(Out):
    """Passages, best first."""

    records: list[RecordOut]


class VectorsOut(Out):
    """A vector of length 1 for each text, in their order; `tokens` is how many were read."""

    model: str
    dimensions: int
    vectors: list[list[float]]
    tokens: int


class EmbeddingOut(Out):
    """A file and how far it is; `progress` is [done, total] texts, total 0 while unknown."""

    id: int
    name: str
    model: str
    kind: Literal["document", "query"]
    size_in_bytes: int
    state: int
    status: str
    attempt: int
    progress: tuple[int, int]
    code: str | None
    msg: str | None
    created_at: Stamp
    updated_at: Stamp | None
