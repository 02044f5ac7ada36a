"""What a search is narrowed to, as conditions on documents and on chunks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ARRAY, Text, func, or_, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from models.document import Chunk, Document

LIKE = str.maketrans({"*": "%", "?": "_", "%": r"\%", "_": r"\_", "\\": r"\\"})


@dataclass(frozen=True, slots=True)
class Filters:
    """All of these hold for what is found; of several values, one. Pages and dates include both.

    In `names`, `*` stands for any characters and `?` for one. `meta` are the values of columns.
    """

    documents: Sequence[int] = ()
    names: Sequence[str] = ()
    tags: Sequence[str] = ()
    kinds: Sequence[str] = ()
    dated_from: datetime | None = None
    dated_to: datetime | None = None
    pages: tuple[int | None, int | None] = (None, None)
    meta: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of_document(self) -> list[ColumnElement[bool]]:
        """The conditions that whole documents meet or do not."""
        wanted: list[ColumnElement[bool]] = []
        if self.documents:
            wanted.append(Document.id.in_(self.documents))
        if self.names:
            patterns = [Document.name.like(name.translate(LIKE)) for name in self.names]
            wanted.append(or_(*patterns))
        if self.tags:
            wanted.append(Document.tags.overlap(sql_cast(list(self.tags), ARRAY(Text))))
        if self.kinds:
            wanted.append(Document.kind.in_(self.kinds))
        if self.dated_from:
            wanted.append(Document.dated_at >= self.dated_from)
        if self.dated_to:
            wanted.append(Document.dated_at <= self.dated_to)
        return wanted

    def of_chunk(self) -> list[ColumnElement[bool]]:
        """The conditions on the chunks of those documents."""
        first, last = self.pages
        wanted: list[ColumnElement[bool]] = []
        if first is not None:
            wanted.append(Chunk.page >= first)
        if last is not None:
            wanted.append(Chunk.page <= last)
        for column, values in self.meta.items():
            wanted.append(Chunk.meta[column].has_any(sql_cast(list(values), ARRAY(Text))))
        return wanted


@dataclass(frozen=True, slots=True)
class Chosen:
    """Documents that filters leave, and how many chunks they have together."""

    ids: list[int]
    chunks: int


def chosen_documents(session: Session, collection_id: int, filters: Filters) -> Chosen | None:
    """The documents that are left of a collection; None if that is not narrowed."""
    wanted = filters.of_document()
    if not wanted:
        return None
    rows = session.execute(
        select(Document.id, func.coalesce(Document.chunks, 0)).where(
            Document.collection_id == collection_id, *wanted
        )
    ).all()
    return Chosen([id for id, _ in rows], sum(chunks for _, chunks in rows))
