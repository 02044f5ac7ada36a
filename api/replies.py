"""What goes out, documented from the descriptions that make it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Stamp = Annotated[datetime, PlainSerializer(_stamp, return_type=str)]


class Out(BaseModel):
    """A reply, read from a record or a dictionary."""

    model_config = ConfigDict(from_attributes=True)


class UserOut(Out):
    """An account; published clients read `id` or `user_id`, each its own."""

    id: int
    user_id: int
    email: str
    state: int
    verified: int
    role: str
    msg: str = "success"
    created_at: Stamp
    updated_at: Stamp | Literal[""] = ""


class UserWithTokenOut(UserOut):
    """An account and a token for it."""

    token: str


class JobOut(Out):
    """A job, and how far it has come."""

    id: int
    user_id: int
    worker_id: int
    job_type: int
    state: int
    status: str
    step: str | None
    attempt: int
    losses: int
    code: str | None
    data: dict[str, Any] | None
    msg: str | None
    created_at: Stamp
    updated_at: Stamp | None


class JobResultOut(Out):
    """A job that is over: `id` is the answer's, or the job's own if it failed."""

    id: int
    job_id: int
    user_id: int
    worker_id: int
    job_type: int
    state: int
    status: str
    code: str | None
    data: dict[str, Any] | None
    msg: str
    created_at: Stamp
    updated_at: Stamp | None


class AnswerOut(Out):
    """The result record of the published contract: an answer and its newest review."""

    id: int
    user_id: int
    job_id: int | None
    worker_id: int | None
    state: int | None
    question: str | None
    answer: str | None
    model_name: str | None
    score: float | None
    question_score: float | None
    answer_score: float | None
    match_source: str | None
    match_page: int | None
    match_content: str | None
    summarized_question: str | None
    summarized_answer: str | None
    summarized_score: float | None
    reviewed_answer: str | None = None
    reviewed_score: float | None = None
    reviewed_computed_score: float | None = None
    reviewed_notes: str | None = None
    collection: str | None
    collection_notes: str | None
    session_id: str | None
    derived_session_id: str | None
    embed_model_name: str | None
    category: str | None
    tags: str | None
    latency: float | None
    data: dict[str, Any] | None
    created_at: Stamp
    updated_at: Stamp | None


class ReviewOut(Out):
    """What an expert said of a result, and when."""

    id: int
    reviewer_id: int
    answer: str | None
    confidence: float | None
    notes: str | None
    computed_score: float | None
    created_at: Stamp


class ReviewsOut(Out):
    """The history of a result's reviews."""

    reviews: list[ReviewOut]
    msg: str = "success"


class SearchOut(Out):
    """Matching records, newest first; `sql_query` is always empty."""

    query: str
    sql_query: None = None
    recs: list[AnswerOut]
    msg: str = "success"


class GoneOut(Out):
    """What was removed."""

    id: int
    msg: str = "success"


class MemberOut(Out):
    """A member of the tenant."""

    user_id: int
    email: str
    role: str
    msg: str = "success"


class MembersOut(Out):
    """Everybody in the tenant."""

    members: list[MemberOut]
    msg: str = "success"


class ModelOut(Out):
    """A model; of one that is not registered only the name is known."""

    name: str
    aliases: list[str] = []
    quantization: str | None = None
    n_ctx_train: int | None = None
    parameters: int | None = None
    size_in_bytes: int | None = None
    licence: str | None = None
    default: bool
    adapters: list[str] = []


class ModelsOut(Out):
    """All models that can be asked by name."""

    models: list[ModelOut]
    msg: str = "success"
