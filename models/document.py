"""Documents on their way in, and the chunks they were cut into."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    String,
    Text,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.work import State, Work

# A document that failed keeps nobody from sending the same content again.
CURRENT = text("state <> 4")
LOCK = 0x646F63  # "doc": with a collection's id, the advisory lock of its uploads


class Document(Numbered, Owned, Work, Dated, Base):
    """One version of a file. A newer one takes its name over when it is stored."""

    __tablename__ = "documents"
    FIRST_STEP = "load_document"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(512))
    content_sha256: Mapped[str] = mapped_column(String(64))
    size_in_bytes: Mapped[int] = mapped_column(BigInteger)
    blob: Mapped[str] = mapped_column(String(128))
    stages: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    pages: Mapped[int | None]
    chunks: Mapped[int | None]

    __table_args__ = (
        Index("ix_documents_unfinished", "since", postgresql_where=text("state in (1, 2)")),
        Index(
            "uq_documents_content",
            "collection_id",
            "content_sha256",
            unique=True,
            postgresql_where=CURRENT,
        ),
        Index("ix_documents_name", "collection_id", "name"),
    )


class Chunk(Owned, Base):
    """A stored piece of a document, with its vector."""

    __tablename__ = "chunks"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    collection_id: Mapped[int] = mapped_column(
        ForeignKey("collections.id", ondelete="CASCADE"), index=True
    )
    document_id: Mapped[int] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    page: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    embedding: Mapped[Any] = mapped_column(VECTOR())


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A chunk found by a search; `score` is the cosine similarity."""

    id: int
    document_id: int
    source: str
    page: int
    text: str
    score: float
    embedding: npt.NDArray[np.float32]


def add_document(session: Session, wanted: Document) -> tuple[Document, list[str]]:
    """Enters the document, or finds the one that holds its content; gives blobs of no more use.

    Content is stored once, under the name that it came by last: a file that was moved aside is
    not lost when another takes its name. Uploads to one collection come one after the other.
    """
    session.execute(select(func.pg_advisory_xact_lock(LOCK, wanted.collection_id)))
    same_name = (Document.collection_id == wanted.collection_id, Document.name == wanted.name)
    unused = _delete(session, *same_name, Document.state == State.FAILED)
    held = session.scalar(
        select(Document)
        .where(
            Document.collection_id == wanted.collection_id,
            Document.content_sha256 == wanted.content_sha256,
            Document.state != State.FAILED,
        )
        .with_for_update()
    )
    if held is None:
        session.add(wanted)
        session.flush()
        return wanted, unused
    held.name = wanted.name
    session.flush()
    session.refresh(held)
    # Versions that came after it are taken back; older ones go now, or when it is stored.
    replaced = Document.id != held.id if held.state == State.DONE else Document.id > held.id
    return held, [wanted.blob, *unused, *_delete(session, *same_name, replaced)]


def _delete(session: Session, *which: ColumnElement[bool]) -> list[str]:
    """Removes documents with their chunks; gives their blobs."""
    return list(session.scalars(delete(Document).where(*which).returning(Document.blob)))


def documents(session: Session, collection_id: int) -> list[Document]:
    """Every document of a collection, by name."""
    return list(
        session.scalars(
            select(Document)
            .where(Document.collection_id == collection_id)
            .order_by(Document.name, Document.id)
        )
    )


def note_progress(session: Session, id: int, stage: str, done: int, total: int) -> None:
    """What a progress bar shows for that stage."""
    stages = Document.stages.op("||")(
        func.jsonb_build_object(stage, func.jsonb_build_array(done, total))
    )
    session.execute(update(Document).where(Document.id == id).values(stages=stages))


def put_chunks(
    session: Session,
    document: Document,
    rows: Iterable[tuple[int, int, str]],
    vectors: npt.NDArray[np.float32],
) -> None:
    """Replaces the chunks of the document by (position, page, text) and their vectors.

    In the transaction of the caller, so that a reader sees the older chunks or these. COPY goes
    to a temporary table, since Postgres has none into a table with row-level security.
    """
    session.execute(delete(Chunk).where(Chunk.document_id == document.id))
    session.execute(
        text(
            "create temporary table arriving (position int, page int, text text, embedding vector)"
            " on commit drop"
        )
    )
    cursor: Any = session.connection().connection.cursor()
    with cursor.copy("copy arriving from stdin with (format binary)") as copy:
        copy.set_types(["int4", "int4", "text", "vector"])
        for (position, page, content), vector in zip(rows, vectors, strict=True):
            copy.write_row((position, page, content, vector))
    session.execute(
        text(
            "insert into chunks"
            " (tenant_id, collection_id, document_id, position, page, text, embedding)"
            " select :tenant, :collection, :document, position, page, text, embedding from arriving"
        ),
        {
            "tenant": document.tenant_id,
            "collection": document.collection_id,
            "document": document.id,
        },
    )


def drop_older_versions(session: Session, document: Document) -> list[str]:
    """Removes older documents of the same name; gives their blobs."""
    return _delete(
        session,
        Document.collection_id == document.collection_id,
        Document.name == document.name,
        Document.id < document.id,
    )


def remove_document(session: Session, collection_id: int, id: int) -> str:
    """Removes a document with its chunks; gives its blob.

    Raises RedtenError `document_not_found`.
    """
    gone = _delete(session, Document.id == id, Document.collection_id == collection_id)
    if not gone:
        raise RedtenError("document_not_found", f"there is no document {id} in this collection")
    return gone[0]


def nearest(
    session: Session, collection_id: int, vector: Sequence[float] | Any, count: int
) -> list[Neighbour]:
    """The `count` chunks nearest to a vector of length 1, best first, by exact search."""
    distance = Chunk.embedding.max_inner_product(vector).label("distance")
    rows = session.execute(
        select(Chunk, Document.name, distance)
        .join(Document, Document.id == Chunk.document_id)
        .where(Chunk.collection_id == collection_id)
        .order_by(distance, Chunk.id)
        .limit(count)
    )
    return [
        Neighbour(
            chunk.id,
            chunk.document_id,
            name,
            chunk.page,
            chunk.text,
            -float(distance),
            np.asarray(chunk.embedding, np.float32),
        )
        for chunk, name, distance in rows
    ]
