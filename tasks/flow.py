"""What travels from step to step: one growing JSON object."""

import base64
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from models.collection import Recipe


class Passage(TypedDict):
    """A retrieved chunk; `score` is its cosine similarity to the question."""

    id: int
    document_id: int
    source: str
    page: int
    text: str
    score: float
    position: NotRequired[int]
    locator: NotRequired[Mapping[str, object]]
    heading: NotRequired[str]
    in_prompt: NotRequired[bool]


class Message(TypedDict):
    """One turn of a chat: who says what."""

    role: str
    content: str


class Params(TypedDict):
    """How a question is to be answered; the door fills in every default.

    `model_name` is empty where none was named. `messages` is a caller's whole chat, in which the
    question comes last; `prompt` is a text that the model just continues. With either of them the
    session's earlier turns stay out. `collections` are further ones to search, by id; `filters` are
    those of models/filters.py, with moments as ISO 8601.
    """

    model_name: str
    n_ctx: int
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    match_docs: int
    max_doc_scores: int
    min_q_score: float
    min_a_score: float
    derived_by_client: bool
    top_k: NotRequired[int]
    min_p: NotRequired[float]
    repeat_penalty: NotRequired[float]
    frequency_penalty: NotRequired[float]
    presence_penalty: NotRequired[float]
    stop: NotRequired[list[str]]
    grammar: NotRequired[str]
    json_schema: NotRequired[dict[str, Any]]
    adapter: NotRequired[str]
    logprobs: NotRequired[bool]
    messages: NotRequired[list[Message]]
    prompt: NotRequired[str]
    collections: NotRequired[list[int]]
    mode: NotRequired[Literal["hybrid", "vector", "text"]]
    filters: NotRequired[dict[str, Any]]
    neighbours: NotRequired[int]
    margin: NotRequired[float]
    rerank: NotRequired[bool]


class Scores(TypedDict):
    """`best` is the number of the passage that bears the answer best."""

    question_score: float
    answer_score: float
    score: float
    confidence: float
    best: int | None


class Flow(TypedDict):
    """Which work this is, then whatever the steps found; vectors are packed."""

    kind: str
    tenant_id: int
    id: int
    attempt: int
    seconds: dict[str, float]
    question: NotRequired[str]
    params: NotRequired[Params]
    collection_id: NotRequired[int | None]
    embed_model_name: NotRequired[str | None]
    turns: NotRequired[list[tuple[str, str]]]
    vector: NotRequired[str]
    passages: NotRequired[list[Passage]]
    vectors: NotRequired[str]
    answer: NotRequired[str]
    log_probability: NotRequired[float]
    generation: NotRequired[dict[str, object]]
    scores: NotRequired[Scores]
    citations: NotRequired[list[Any]]
    computed_score: NotRequired[float | None]
    recipe: NotRequired[Recipe]
    pages: NotRequired[int]
    chunks: NotRequired[int]


def pack(vectors: npt.NDArray[np.float32]) -> str:
    """float32 rows as base64, little-endian."""
    return base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode()


def unpack(packed: str, rows: int) -> npt.NDArray[np.float32]:
    """The (rows, dimensions) array that `pack` was given."""
    flat = np.frombuffer(base64.b64decode(packed), "<f4")
    return flat.reshape(rows, -1) if rows else np.empty((0, 0), np.float32)
