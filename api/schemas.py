"""What comes in, checked and documented from one description."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

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


class KeyIn(In):
    """A new service key; without `expires_in_days` it is good until it is revoked."""

    name: Name
    expires_in_days: int | None = Field(None, ge=1, le=3650)


class MemberIn(In):
    """A member's role."""

    role: Literal["owner", "expert", "member", "agent"]


class SearchIn(In):
    """A search by its name, never SQL."""

    query: Literal["by_job_id"]
    job_id: Number


class EventsIn(In):
    """Where to go on, for readers that cannot set the header `Last-Event-ID`."""

    last_event_id: str | None = Field(None, max_length=64)


class UploadIn(In):
    """What the document is called; a path below the folder that it came from."""

    name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$"
        ),
    ]
