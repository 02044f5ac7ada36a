"""What comes in, checked and documented from one description."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from models.service_key import Scope

INT32 = 2**31 - 1
INT64 = 2**63 - 1


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
Address = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]
Label = Annotated[str, StringConstraints(max_length=64)]
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=128, pattern=r"^[^/\\\x00-\x1f\x7f]+$"
    ),
    AfterValidator(_nameable),
]
FileName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
Size = Annotated[int, Field(ge=-INT64, le=INT64)]


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


class RecipeIn(In):
    """How a collection's documents are cut, indexed and embedded; sizes in the model's tokens.

    What is left out stays as it is. Neighbouring chunks share at most a third of their size.
    """

    language: Label | None = None
    chunk_tokens: int | None = Field(None, ge=16, le=8192)
    chunk_overlap: int | None = Field(None, ge=0, le=2730)
    embed_model_name: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None

    def recipe(self) -> dict[str, str | int]:
        """What was asked for."""
        return self.model_dump(include=set(RecipeIn.model_fields), exclude_none=True)


class CollectionIn(RecipeIn):
    """A new collection, the caller's own."""

    name: Name
    visibility: Literal["private", "tenant", "public"] = "private"
    notes: Text | None = None


class SourceIn(In):
    """A place to keep a collection up to date with; read once if `every_s` is null.

    Its documents are called by their paths, keys or URLs, after the `prefix`.
    """

    collection: Ref
    address: Address
    every_s: int | None = Field(None, ge=60, le=INT32)
    prefix: Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class SourceGoneIn(In):
    """Whether its documents go with it."""

    documents: bool = False


class KeyIn(In):
    """A new service key; without `expires_in_days` it is good until it is revoked.

    Without `scopes` it is good for all that keys can do.
    """

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = list(Scope)
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


class DocumentsIn(In):
    """With `parent_id` only what is attached to that document."""

    parent_id: Number | None = None


class UploadIn(In):
    """What the document is called: a path below the folder that it came from.

    With `data_id` its content is that of one of the caller's data, and so is its name if none is
    given.
    """

    name: FileName | None = None
    data_id: Number | None = None


class DataSearchIn(In):
    """Conditions on one's own data: texts that are contained, in whichever case, and sizes."""

    data_id: Number | None = None
    filename: Text | None = None
    data_type: Text | None = None
    comments: Text | None = None
    encoding: Text | None = None
    sloc: Text | None = None
    above_bytes: Size | None = None
    below_bytes: Size | None = None


class DataChangeIn(In):
    """A new description of one's own data; null leaves things as they are."""

    data_id: Number
    filename: Annotated[FileName, StringConstraints(max_length=511)] | None = None
    data_type: Label | None = None
    comments: Annotated[str, StringConstraints(max_length=512)] | None = None
    encoding: Label | None = None
