"""What comes in to find passages and to embed texts, checked and documented."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from api.schemas import INT32, FileName, In, Number, Ref, Text

MOST_COLLECTIONS, MOST_VALUES, MOST_TEXTS = 16, 1_000, 2_048

Mode = Literal["hybrid", "vector", "text"]
Kind = Literal["document", "query"]


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_values(value: object) -> object:
    """One value or several, numbers as the texts that columns hold."""
    values = value if isinstance(value, list) else [value]
    return [str(one) if type(one) in (int, float) else one for one in values]


Question = Annotated[
    str, StringConstraints(min_length=1, max_length=10_000, pattern=r"\S", strip_whitespace=True)
]
Label = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
Labels = Annotated[list[Label], Field(min_length=1, max_length=MOST_VALUES)]
Values = Annotated[
    list[Label], BeforeValidator(_as_values), Field(min_length=1, max_length=MOST_VALUES)
]
Moment = Annotated[datetime, AfterValidator(_utc)]
Page = Annotated[int, Field(ge=1, lt=INT32)]
# In a query, unlike in JSON, nobody has looked for NUL.
NO_NUL = r"^[^\x00]*$"
Model = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NO_NUL)]


class FiltersIn(In):
    """What passages are narrowed to: all of these hold, and of several values one.

    In names `*` stands for any characters and `?` for one. Pages are [first, last], either null;
    `meta` maps columns of tables to values. An unknown filter is refused: left out unseen, it
    would let too much through.
    """

    model_config = ConfigDict(extra="forbid")

    documents: Annotated[list[Number], Field(min_length=1, max_length=MOST_VALUES)] | None = None
    names: Labels | None = None
    tags: Labels | None = None
    kinds: Labels | None = None
    dated_from: Moment | None = None
    dated_to: Moment | None = None
    pages: tuple[Page | None, Page | None] | None = None
    meta: Annotated[dict[Label, Values], Field(max_length=32)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        first, last = self.pages or (None, None)
        if first and last and first > last:
            raise ValueError("pages: the first comes before the last")
        if self.dated_from and self.dated_to and self.dated_from > self.dated_to:
            raise ValueError("dated_from comes before dated_to")
        return self

    def told(self) -> dict[str, Any]:
        """As a task is told them."""
        told = self.model_dump(mode="json", exclude_none=True)
        return told | {"pages": self.pages} if self.pages else told


class RetrieveIn(In):
    """A question to one collection or several, which must share their embedding model."""

    question: Question
    collection: Ref | None = None
    collections: Annotated[tuple[Ref, ...], Field(max_length=MOST_COLLECTIONS)] = ()
    k: Annotated[int, Field(ge=1, le=100)] = 5
    mode: Mode = "hybrid"
    filters: FiltersIn = FiltersIn()
    neighbours: Annotated[int, Field(ge=0, le=5)] = 0
    rerank: bool = False

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.refs:
            raise ValueError("name a collection, or several in collections")
        return self

    @property
    def refs(self) -> list[str]:
        """Names or ids of all that are to be searched."""
        named = [] if self.collection is None else [self.collection]
        return [str(one) for one in (*named, *self.collections)]


class EmbedIn(In):
    """Texts to be embedded, as documents or as the questions that are to find them.

    Each is cut at the length that the model reads.
    """

    texts: Annotated[
        list[Annotated[Text, Field(min_length=1)]], Field(min_length=1, max_length=MOST_TEXTS)
    ]
    model: Model | None = None
    kind: Kind = "document"


class EmbedFileIn(In):
    """The file's name tells its format: .csv, .tsv, .jsonl, .parquet, or else a text a line.

    `column` is where the texts are: by default `text`, or the only column.
    """

    name: FileName
    column: Annotated[str, StringConstraints(max_length=256, pattern=NO_NUL)] = ""
    model: Model | None = None
    kind: Kind = "document"
