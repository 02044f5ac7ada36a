"""What clients of OpenAI's API send; what redten cannot do is refused by the field's name."""

import secrets
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from api.questions import RagIn, SamplingIn, Stops
from api.schemas import INT32, In, Label, Real
from settings import settings

INT64 = 2**63 - 1
MOST_STOPS = 4
MOST_INPUTS = 2048
SHORT = 16  # OpenAI's own default for plain completions


def _refused(value: object) -> object:
    if value:
        raise ValueError("is not supported here: leave it out")
    return value


def _only_one(value: int) -> int:
    if value != 1:
        raise ValueError("one answer a request: send the request again for another")
    return value


def _folded(value: int) -> int:
    """OpenAI's seeds have 64 bits."""
    return value % (INT32 + 1)


def _text(value: object) -> object:
    """Text parts as one text."""
    if not isinstance(value, list):
        return value
    parts = [part for part in value if isinstance(part, dict) and part.get("type") == "text"]
    if len(parts) < len(value):
        raise ValueError("only parts of the type text are read: no images, audio or files")
    return "\n".join(str(part.get("text", "")) for part in parts)


def _one_text(value: object) -> object:
    """A prompt, or a list of one."""
    if isinstance(value, list):
        if len(value) != 1 or not isinstance(value[0], str):
            raise ValueError("one text a request; token ids are not read")
        return value[0]
    return value


def _texts(value: object) -> object:
    """One text or several, as a list."""
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and any(isinstance(one, int | list) for one in texts):
        raise ValueError("only texts are read, no token ids")
    return texts


def _chosen_only(value: object) -> object:
    """A count of the likeliest tokens beside the chosen one, of which there is none here."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value:
            raise ValueError("only 0 is supported: the chosen tokens alone")
        return True
    return value


Unsupported = Annotated[Any, AfterValidator(_refused)]
One = Annotated[int, AfterValidator(_only_one)]
Seed = Annotated[int, Field(ge=-INT64 - 1, le=INT64), AfterValidator(_folded)]


class OpenAIIn(In):
    """Fields that are null are as good as left out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: Any) -> Any:
        if isinstance(body, dict):
            return {name: value for name, value in body.items() if value is not None}
        return body


class StreamOptionsIn(OpenAIIn):
    """What a stream tells beside the answer."""

    include_usage: bool = False


class CompletingIn(OpenAIIn, SamplingIn):
    """What both kinds of completion take, with OpenAI's defaults.

    `model` is NAME or NAME@COLLECTION: the second answers from the documents of the collection.
    """

    model: str = Field("", max_length=512)
    temperature: Real = Field(1.0, ge=0, le=2)
    seed: Seed = Field(default_factory=lambda: secrets.randbelow(INT32))
    stop: Stops | None = Field(None, max_length=MOST_STOPS)
    n: One = 1
    stream: bool = False
    stream_options: StreamOptionsIn = Field(default_factory=StreamOptionsIn)
    user: str | None = Field(None, max_length=512)
    metadata: dict[str, str] | None = Field(None, max_length=16)
    session_id: Label | None = None
    logit_bias: Unsupported = None

    @property
    def name(self) -> str:
        """The model's name; empty for the default."""
        return self.model.partition("@")[0]

    @property
    def collection(self) -> str | None:
        """The collection to answer from, if one is named."""
        return self.model.partition("@")[2] or None

    def _params(self, max_tokens: int) -> dict[str, Any]:
        return {
            "model_name": self.name,
            "n_ctx": settings.n_ctx,
            "max_tokens": min(max_tokens, settings.max_tokens),
            "derived_by_client": False,
            **self.sampling(),
            **RagIn.model_validate({}).limits(),
        }


class MessageIn(OpenAIIn):
    """One turn of the chat; content may be a text or a list of text parts."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_text)] = ""
    tool_calls: Unsupported = None

    @property
    def asks(self) -> bool:
        """Whether this could be the question."""
        return self.role == "user" and bool(self.content.strip())


class SchemaIn(OpenAIIn):
    """A JSON schema and its name."""

    schema_: dict[str, Any] = Field(alias="schema")


class FormatIn(OpenAIIn):
    """What the answer has to look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaIn | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("the type json_schema needs a json_schema")
        return self

    def schema_of_answer(self) -> dict[str, Any] | None:
        """The JSON schema that the answer must follow; None for any text."""
        if self.type == "json_object":
            return {"type": "object"}
        return self.json_schema.schema_ if self.json_schema else None


def _with_question(messages: list[MessageIn]) -> list[MessageIn]:
    if not any(one.asks for one in messages):
        raise ValueError("there is no question: one message must be of the role user")
    return messages


class ChatIn(CompletingIn):
    """A chat, whose last message of the user is the question."""

    messages: Annotated[list[MessageIn], AfterValidator(_with_question)]
    max_tokens: int | None = Field(None, ge=1, le=INT32)
    max_completion_tokens: int | None = Field(None, ge=1, le=INT32)
    response_format: FormatIn | None = None
    top_logprobs: Unsupported = None
    tools: Unsupported = None
    functions: Unsupported = None
    audio: Unsupported = None
    prediction: Unsupported = None
    web_search_options: Unsupported = None

    @model_validator(mode="after")
    def _formatted(self) -> Self:
        """The format that OpenAI's clients ask for becomes the schema that the engine takes."""
        schema = self.response_format.schema_of_answer() if self.response_format else None
        if schema is not None and (self.grammar or self.json_schema is not None):
            raise ValueError("give a response_format, a json_schema or a grammar, only one of them")
        if schema is not None:
            self.json_schema = schema
        return self

    @property
    def question(self) -> str:
        """What is asked, retrieved for and stored."""
        return next(one.content for one in reversed(self.messages) if one.asks)

    def params(self) -> dict[str, Any]:
        """What the chain needs to know."""
        most = self.max_completion_tokens or self.max_tokens or settings.max_tokens
        roles = {"developer": "system"}
        said = [
            {"role": roles.get(one.role, one.role), "content": one.content} for one in self.messages
        ]
        return self._params(most) | {"messages": said}


class CompletionIn(CompletingIn):
    """A text to be continued; with a collection it is a question about its documents."""

    prompt: Annotated[str, BeforeValidator(_one_text), Field(min_length=1)]
    max_tokens: int = Field(SHORT, ge=1, le=INT32)
    logprobs: Annotated[bool, BeforeValidator(_chosen_only)] = False
    best_of: One = 1
    echo: Unsupported = None
    suffix: Unsupported = None

    @property
    def question(self) -> str:
        """What is stored as the question."""
        return self.prompt

    def params(self) -> dict[str, Any]:
        """What the chain needs to know."""
        raw = {} if self.collection else {"prompt": self.prompt}
        return self._params(self.max_tokens) | raw


class EmbeddingsIn(OpenAIIn):
    """Texts to be embedded; each is cut at the length that the model reads."""

    input: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        BeforeValidator(_texts),
        Field(min_length=1, max_length=MOST_INPUTS),
    ]
    model: str = Field("", max_length=512)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1, le=INT32)
    user: str | None = Field(None, max_length=512)
