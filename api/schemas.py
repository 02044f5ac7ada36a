"""What comes in, checked and documented from one description."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from settings import settings

INT32 = 2**31 - 1


def _confidence(value: float) -> float:
    if not 0 <= value <= 100:
        raise ValueError("a confidence lies between 0 and 100")
    return value


def _nameable(value: str) -> str:
    if value in (".", "..") or value.isdecimal():
        raise ValueError("a name needs a letter: digits alone are an id, and dots lead elsewhere")
    return value


Number = Annotated[int, Field(ge=-INT32, le=INT32)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Confidence = Annotated[
    float,
    AfterValidator(_confidence),
    Field(description="How sure the expert is.", json_schema_extra={"minimum": 0, "maximum": 100}),
]
Text = Annotated[str, StringConstraints(max_length=200_000)]
Ref = Annotated[str, StringConstraints(max_length=128)] | Annotated[int, Field(strict=True)]
Label = Annotated[str, StringConstraints(max_length=64)]
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=128, pattern=r"^[^/\\\x00-\x1f\x7f]+$"
    ),
    AfterValidator(_nameable),
]


class In(BaseModel):
    """A request; fields that nobody here knows are ignored, as published clients send some."""

    model_config = ConfigDict(extra="ignore")


class LoginIn(In):
    """An account's email and password."""

    email: str = Field(max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$")
    password: str = Field(max_length=1024)


class RagIn(In):
    """Which passages reach the prompt.

    `match_docs` chunks are retrieved; the best `max_doc_scores` of them whose cosine to the
    question is at least `min_q_score` are used. An answer whose best support is below
    `min_a_score` is marked as not supported.
    """

    dirs: list[Any] = []
    s3: list[Any] = []
    caches: list[Any] = []
    rss: list[Any] = []
    match_docs: int = Field(3, ge=1, le=50)
    max_doc_scores: int = Field(3, ge=1, le=50)
    min_q_score: Real = Field(0.3, ge=-1, le=1)
    min_a_score: Real = Field(0.3, ge=-1, le=1)


class AskIn(In):
    """A question. Limits above the server's are lowered to them; `n_batch` is a hint only."""

    msg: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
    model_name: str | None = Field(None, max_length=512)
    embed_model_name: str | None = Field(None, max_length=512)
    collection_id: Ref | None = None
    collection_name: Ref | None = None
    max_tokens: int = Field(512, ge=1, le=INT32)
    n_ctx: int = Field(2048, ge=128, le=INT32)
    n_batch: Number | None = None
    temperature: Real = Field(0.0, ge=0, le=2)
    top_p: Real = Field(1.0, gt=0, le=1)
    seed: int = Field(0, ge=0, le=INT32)
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
            "model_name": self.model_name or settings.model,
            "n_ctx": min(self.n_ctx, settings.n_ctx),
            "max_tokens": min(self.max_tokens, settings.max_tokens),
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "match_docs": self.rag.match_docs,
            "max_doc_scores": self.rag.max_doc_scores,
            "min_q_score": self.rag.min_q_score,
            "min_a_score": self.rag.min_a_score,
            "derived_by_client": bool(self.derived_session_id),
        }

    def threads(self) -> dict[str, str]:
        """Session ids; published clients show one but never send it, so it is made here."""
        return {
            "session_id": self.session_id or uuid.uuid4().hex,
            "derived_session_id": self.derived_session_id or uuid.uuid4().hex,
        }


class JobIn(In):
    """A job of type 1: ask a question."""

    worker_id: Number = 1
    job_type: Number = 1
    ask: AskIn


class AnswerIn(In):
    """A result record, as remote agents send it and reviewers send it back; all may be null."""

    job_id: Number | None = None
    worker_id: Number | None = None
    state: Annotated[int, Field(ge=0, le=32767)] | None = None
    question: Text | None = None
    answer: Text | None = None
    model_name: Text | None = None
    score: Real | None = None
    question_score: Real | None = None
    answer_score: Real | None = None
    match_source: Text | None = None
    match_page: Number | None = None
    match_content: Text | None = None
    summarized_question: Text | None = None
    summarized_answer: Text | None = None
    summarized_score: Real | None = None
    reviewed_answer: Text | None = None
    reviewed_score: Confidence | None = None
    reviewed_notes: Text | None = None
    collection: Text | None = None
    collection_notes: Text | None = None
    session_id: Label | None = None
    derived_session_id: Label | None = None
    embed_model_name: Text | None = None
    category: Text | None = None
    tags: Text | None = None
    latency: Real | None = None
    data: dict[str, Any] | None = None


class ReviewIn(In):
    """The record with a review in it; of the other fields only a few may be changed."""

    id: Number
    reviewed_answer: Text | None = None
    reviewed_score: Confidence | None = None
    reviewed_notes: Text | None = None
    category: Text | None = None
    tags: Text | None = None
    collection_notes: Text | None = None
    data: dict[str, Any] | None = None


class CollectionIn(In):
    """A new collection, the caller's own."""

    name: Name
    visibility: Literal["private", "tenant", "public"] = "private"
    notes: Text | None = None


class MemberIn(In):
    """A member's role."""

    role: Literal["owner", "expert", "member", "agent"]


class SearchIn(In):
    """A search by its name, never SQL."""

    query: Literal["by_job_id"]
    job_id: Number


class UploadIn(In):
    """What the document is called; a path below the folder that it came from."""

    name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$"
        ),
    ]
