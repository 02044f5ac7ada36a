"""What the server answers with, as typed records; fields we do not know are left aside."""

from enum import IntEnum
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from client.errors import ClientError

CONFIG = ConfigDict(frozen=True, extra="ignore")
T = TypeVar("T", bound=BaseModel)


class State(IntEnum):
    """Where a job or a document stands."""

    WAITING = 1
    RUNNING = 2
    DONE = 3
    FAILED = 4


OVER = (State.DONE, State.FAILED)


def read(kind: type[T], body: object) -> T:
    """`body` as a record of that kind; ClientError `unexpected_answer` when it is none."""
    try:
        return kind.model_validate(body)
    except ValidationError as exc:
        fields = ", ".join(".".join(map(str, error["loc"])) for error in exc.errors())
        raise ClientError(
            f"the server's {kind.__name__.lower()} is not as expected ({fields}):"
            " does AI_API name a redten server of this version?",
            code="unexpected_answer",
        ) from exc


class User(BaseModel):
    """Who acts; the token stays in memory."""

    model_config = CONFIG

    id: int = Field(validation_alias=AliasChoices("user_id", "id"))
    email: str
    token: SecretStr
    role: str | None = None
    state: int | None = None
    verified: int | None = None


class Job(BaseModel):
    """A question on its way."""

    model_config = CONFIG

    id: int
    state: State
    user_id: int | None = None
    worker_id: int | None = None
    job_type: int | None = None
    status: str | None = None
    step: str | None = None
    attempt: int | None = None
    losses: int | None = None
    code: str | None = None
    data: dict[str, Any] | None = None
    msg: str | None = None
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def over(self) -> bool:
        """Done or failed: nothing will change any more."""
        return self.state in OVER

    @property
    def doing(self) -> str:
        """What happens to it now, in words: `waiting for generate answer`."""
        step = (self.step or "").replace("_", " ")
        if self.state == State.WAITING:
            return f"waiting for {step}" if step else "waiting"
        return step or self.state.name.lower()


class Passage(BaseModel):
    """A stored piece of a document that an answer was drawn from; `locator` says where it stands.

    That is in terms of its format: a page, slide, sheet, range of rows or lines.
    """

    model_config = CONFIG

    text: str
    source: str | None = None
    page: int | None = None
    locator: dict[str, Any] = Field(default_factory=dict)
    score: float | None = None
    id: int | None = None
    document_id: int | None = None


class Span(BaseModel):
    """Characters of a text, `end` not included."""

    model_config = CONFIG

    start: int
    end: int


class Citation(Span):
    """A sentence of an answer, and which of its passages bears it out, counted from 0.

    `quote` are the characters of the passage that are nearest to it; the score lies in 0..1.
    """

    passage: int
    source: str | None = None
    page: int | None = None
    score: float | None = None
    quote: Span | None = None


class Answer(BaseModel):
    """An answer with its scores, its source and its newest review; all of it may be null.

    Scores lie in 0..1, `reviewed_score` in 0..100, `latency` is in seconds, pages count from 1.
    """

    model_config = CONFIG

    id: int | None = None
    user_id: int | None = None
    job_id: int | None = None
    worker_id: int | None = None
    state: int | None = None
    question: str | None = None
    answer: str | None = None
    model_name: str | None = None
    score: float | None = None
    question_score: float | None = None
    answer_score: float | None = None
    match_source: str | None = None
    match_page: int | None = None
    match_content: str | None = None
    summarized_question: str | None = None
    summarized_answer: str | None = None
    summarized_score: float | None = None
    reviewed_answer: str | None = None
    reviewed_score: float | None = None
    reviewed_computed_score: float | None = None
    reviewed_notes: str | None = None
    collection: str | None = None
    collection_notes: str | None = None
    session_id: str | None = None
    derived_session_id: str | None = None
    embed_model_name: str | None = None
    category: str | None = None
    tags: str | None = None
    latency: float | None = None
    data: dict[str, Any] | None = None
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def passages(self) -> list[Passage]:
        """The passages that were in the prompt, best first."""
        return [read(Passage, passage) for passage in (self.data or {}).get("passages") or []]

    @property
    def citations(self) -> list[Citation]:
        """The sentences that a passage bears out, in order."""
        return [read(Citation, one) for one in (self.data or {}).get("citations") or []]

    @property
    def grounded(self) -> bool | None:
        """Whether passages were in the prompt; None when the server does not say."""
        return (self.data or {}).get("grounded")

    @property
    def supported(self) -> bool | None:
        """Whether a passage bears the answer out; None when the server does not say."""
        return (self.data or {}).get("supported")


class Member(BaseModel):
    """A user in a tenant."""

    model_config = CONFIG

    user_id: int
    email: str
    role: str
