"""What clients of OpenAI's API are answered, documented from the descriptions that make it."""

from typing import Any, Literal

from api.replies import Out

Finish = Literal["stop", "length"]
OWNER = "redten"


class SourceOut(Out):
    """A passage that the answer was made from; `score` is its cosine to the question."""

    file: str
    page: int
    score: float
    text: str


class CitationOut(Out):
    """Characters `start` to `end` of the answer, borne by `text` of a file's page."""

    start: int
    end: int
    file: str
    page: int
    score: float
    text: str


class RedtenOut(Out):
    """What redten knows of an answer beside OpenAI's fields."""

    job_id: int
    answer_id: int
    score: float | None
    sources: list[SourceOut]
    citations: list[CitationOut]


class CachedOut(Out):
    """Prompt tokens that had been computed before."""

    cached_tokens: int


class UsageOut(Out):
    """Tokens that were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedOut


class MessageOut(Out):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoiceOut(Out):
    """The one answer of a chat."""

    index: int = 0
    message: MessageOut
    logprobs: dict[str, Any] | None
    finish_reason: Finish


class TextChoiceOut(Out):
    """The one continuation of a text."""

    index: int = 0
    text: str
    logprobs: dict[str, Any] | None
    finish_reason: Finish


class CompletionOut(Out):
    """Whose answer it is; `model` is the one that gave it."""

    id: str
    created: int
    model: str
    usage: UsageOut
    redten: RedtenOut


class ChatOut(CompletionOut):
    """An answered chat."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoiceOut]


class TextOut(CompletionOut):
    """A continued text."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[TextChoiceOut]


class EmbeddingOut(Out):
    """A vector of length 1, as numbers or as base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsageOut(Out):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(Out):
    """A vector for each text, in their order."""

    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: EmbeddingsUsageOut


class ServedOut(Out):
    """A name to be asked for."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = OWNER


class ServedListOut(Out):
    """All names to be asked for."""

    object: Literal["list"] = "list"
    data: list[ServedOut]
