"""What a question may say: how it is to be answered, and from what."""

import uuid
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from api.retrieval_schemas import FiltersIn, Mode
from api.schemas import INT32, Address, In, Label, Number, Real, Ref
from settings import settings

MOST_STOPS = 16
MOST_PLACES = 16
NUMBERS = (
    "temperature",
    "top_p",
    "seed",
    "top_k",
    "min_p",
    "repeat_penalty",
    "frequency_penalty",
    "presence_penalty",
)


def _as_list(value: object) -> object:
    """One text is a list of one."""
    return [value] if isinstance(value, str) else value


Stop = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Stops = Annotated[list[Stop], BeforeValidator(_as_list)]
Addresses = Annotated[list[Address], Field(default_factory=list, max_length=MOST_PLACES)]


def threads(session_id: str | None, derived_session_id: str | None = None) -> dict[str, str]:
    """The ids of the sessions that a question belongs to; new ones where none is given."""
    return {
        "session_id": session_id or uuid.uuid4().hex,
        "derived_session_id": derived_session_id or uuid.uuid4().hex,
    }


class SamplingIn(In):
    """How the tokens of an answer are drawn.

    `grammar` is GBNF with a `root`; the answer follows it, or the JSON schema, to the letter.
    `adapter` names a LoRA adapter of the model. With `logprobs` the answer's data hold each token
    with its natural log-probability.
    """

    temperature: Real = Field(0.0, ge=0, le=2)
    top_p: Real = Field(1.0, gt=0, le=1)
    seed: int = Field(0, ge=0, le=INT32)
    top_k: int = Field(0, ge=0, le=INT32)
    min_p: Real = Field(0.0, ge=0, le=1)
    repeat_penalty: Real = Field(1.0, gt=0, le=2)
    frequency_penalty: Real = Field(0.0, ge=-2, le=2)
    presence_penalty: Real = Field(0.0, ge=-2, le=2)
    stop: Stops | None = Field(None, max_length=MOST_STOPS)
    grammar: Annotated[str, StringConstraints(min_length=1, max_length=100_000)] | None = None
    json_schema: dict[str, Any] | None = None
    adapter: str | None = Field(None, max_length=512)
    logprobs: bool = False

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.grammar and self.json_schema is not None:
            raise ValueError("give a grammar or a json_schema, not both")
        return self

    def sampling(self) -> dict[str, Any]:
        """The numbers, each with its default, and of the rest what was asked for."""
        numbers = {name: getattr(self, name) for name in NUMBERS}
        asked = {name: getattr(self, name) for name in ("stop", "grammar", "adapter", "logprobs")}
        given = {name: value for name, value in asked.items() if value}
        # An empty schema asks for something too: any JSON.
        schema = {} if self.json_schema is None else {"json_schema": self.json_schema}
        return numbers | given | schema


class RagIn(In):
    """Which passages reach the prompt.

    `match_docs` chunks are retrieved; the best `max_doc_scores` of them are used whose cosine to
    the question is at least `min_q_score`, or that have most of its words, and that score at most
    `margin` below the best one. An answer whose best support is below `min_a_score` is marked as
    not supported.

    `caches` are further collections to search. `dirs`, `s3` and `rss` are folders of the worker,
    places in S3, and pages or feeds: the question waits until they have been read. `neighbours`
    chunks on either side of a passage follow it into the prompt. `rerank` is true by default where
    there is a reranker.
    """

    dirs: Addresses
    s3: Addresses
    caches: list[Ref] = Field(default_factory=list, max_length=MOST_PLACES)
    rss: Addresses
    match_docs: int = Field(3, ge=1, le=50)
    max_doc_scores: int = Field(3, ge=1, le=50)
    min_q_score: Real = Field(0.3, ge=-1, le=1)
    min_a_score: Real = Field(0.3, ge=-1, le=1)
    margin: Real = Field(0.2, ge=0, le=4)
    mode: Mode = "hybrid"
    neighbours: int = Field(0, ge=0, le=5)
    rerank: bool | None = None
    filters: FiltersIn = FiltersIn()

    @field_validator("rerank")
    @classmethod
    def _with_a_reranker(cls, value: bool | None) -> bool | None:
        if value and not settings.reranker:
            raise ValueError("there is no reranker here: leave it out")
        return value

    def limits(self) -> dict[str, Any]:
        """What the chain needs to know of it."""
        limits = {"match_docs", "max_doc_scores", "min_q_score", "min_a_score", "margin"}
        chosen = self.model_dump(include={"mode", "neighbours", "rerank"}, exclude_defaults=True)
        filters = self.filters.told()
        return self.model_dump(include=limits) | chosen | ({"filters": filters} if filters else {})


class AskIn(SamplingIn):
    """A question. Limits above the server's are lowered to them; `n_batch` is a hint only."""

    msg: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
    model_name: str | None = Field(None, max_length=512)
    embed_model_name: str | None = Field(None, max_length=512)
    collection_id: Ref | None = None
    collection_name: Ref | None = None
    max_tokens: int = Field(512, ge=1, le=INT32)
    n_ctx: int = Field(2048, ge=128, le=INT32)
    n_batch: Number | None = None
    rag: RagIn = Field(default_factory=lambda: RagIn.model_validate({}))
    data: dict[str, Any] | None = None
    tags: str | None = Field(None, max_length=1024)
    session_id: Label | None = None
    derived_session_id: Label | None = None

    @property
    def collection(self) -> str | None:
        """The name or id of the collection to search; None for no retrieval."""
        ref = self.collection_id if self.collection_id not in (None, "") else self.collection_name
        return None if ref in (None, "") else str(ref)

    def params(self) -> dict[str, Any]:
        """What the chain needs to know, every default filled in."""
        return {
            "model_name": self.model_name or "",
            "n_ctx": min(self.n_ctx, settings.n_ctx),
            "max_tokens": min(self.max_tokens, settings.max_tokens),
            "derived_by_client": bool(self.derived_session_id),
            **self.sampling(),
            **self.rag.limits(),
        }

    def threads(self) -> dict[str, str]:
        """Session ids; published clients show one but never send it, so it is made here."""
        return threads(self.session_id, self.derived_session_id)


class JobIn(In):
    """A job of type 1: ask a question."""

    worker_id: Number = 1
    job_type: Number = 1
    ask: AskIn
