"""Documents on their way in, and the chunks they were cut into."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy import (
    Sequence as IdSequence,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.naming import rename_document
from models.work import FAILED, State, Work

# A document that failed keeps nobody from sending the same content again.
CURRENT = text("state <> 4")
NEW_IN_FLIGHT = text("state in (1, 2) and chunks is null")
IDS = IdSequence("chunk_ids")
LOCK = 0x646F63  # "doc": with a collection's id, the advisory lock of its uploads


class Document(Numbered, Owned, Work, Dated, Base):
    """One version of a file. A newer one takes its name over when it is stored.

    What is attached to it are documents with it as their parent, which go when it goes. `version`
    is the version of the collection that it was last read for; `chunks` is None until it has been
    stored once, and from then on it can be found, whatever happens to it later. What nobody but a
    source has brought is `synced`, and goes when the source has it no more.
    """

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
    version: Mapped[int] = mapped_column(server_default="1")
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE"), index=True
    )
    title: Mapped[str] = mapped_column(Text, server_default="")
    kind: Mapped[str] = mapped_column(String(16), server_default="")
    dated_at: Mapped[datetime | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    facts: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    naming: Mapped[Any] = mapped_column(TSVECTOR, server_default="", deferred=True)
    synced: Mapped[bool] = mapped_column(default=False, server_default="false")

    __table_args__ = (
        Index("ix_documents_unfinished", "since", postgresql_where=text("state in (1, 2)")),
        Index("ix_documents_failed", "tenant_id", "since", postgresql_where=FAILED),
        Index("ix_documents_in_flight", "tenant_id", postgresql_where=NEW_IN_FLIGHT),
        Index("ix_documents_size", "tenant_id", postgresql_include=["size_in_bytes"]),
        Index(
            "uq_documents_content",
            "collection_id",
            "content_sha256",
            "parent_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=CURRENT,
        ),
        Index("ix_documents_name", "collection_id", "name"),
    )

    @classmethod
    def again(cls, session: Session, ids: Sequence[int], version: int) -> list[Self]:
        """Over → waiting for the first step as a new attempt, to be read for that version."""
        over = (cls.id.in_(ids), cls.state.in_((State.DONE, State.FAILED)))
        waiting = {"state": State.WAITING, "step": cls.FIRST_STEP, "attempt": cls.attempt + 1}
        fresh: dict[str, Any] = {"losses": 0, "resent": 0, "code": None, "msg": None, "stages": {}}
        values = {"version": version, "since": func.now(), **waiting, **fresh}
        moved = update(cls).where(*over).values(values).returning(cls)
        options = {"synchronize_session": False, "populate_existing": True}
        return list(session.scalars(moved, execution_options=options))

    @classmethod
    def retry(cls, session: Session, id: int, **fresh: Any) -> Self | None:
        """As of any work; no stage has been reached yet."""
        return super().retry(session, id, stages={}, **fresh)

    @classmethod
    def describe(cls, session: Session, id: int, attempt: int, **values: Any) -> bool:
        """Writes down what reading it has told; False if another attempt has taken over."""
        ours = (cls.id == id, cls.attempt == attempt, cls.state == State.RUNNING)
        statement = update(cls).where(*ours).values(**values)
        return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]


class Chunk(Owned, Base):
    """A stored piece of a document, with its vector, as of one version of its collection.

    New ones are of part 0; models/partitions.py moves those of large collections.
    """

    __tablename__ = "chunks"
    __table_args__ = (
        Index("ix_chunks_document_id", "document_id", "position"),
        {"postgresql_partition_by": "list (part)"},
    )

    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, server_default="0")
    id: Mapped[int] = mapped_column(
        BigInteger, IDS, primary_key=True, server_default=IDS.next_value()
    )
    collection_id: Mapped[int] = mapped_column(
        ForeignKey("collections.id", ondelete="CASCADE"), index=True
    )
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    position: Mapped[int]
    page: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    embedding: Mapped[Any] = mapped_column(HALFVEC())
    version: Mapped[int] = mapped_column(server_default="1")
    heading: Mapped[str] = mapped_column(Text, server_default="")
    locator: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    meta: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    lexemes: Mapped[Any] = mapped_column(TSVECTOR, server_default="")


def lock_uploads(session: Session, collection_id: int) -> None:
    """What comes into a collection or goes from it does so one after the other; until the commit.

    To be taken before any lock on rows, as its removal does.
    """
    session.execute(select(func.pg_advisory_xact_lock(LOCK, collection_id)))


def add_document(session: Session, wanted: Document) -> tuple[Document, list[str]]:
    """Enters the document, or finds the one that holds its content; gives blobs of no more use.

    Content is stored once, under the name that it came by last: a file that was moved aside is
    not lost when another takes its name. Uploads to one collection come one after the other. All
    this holds among the documents without a parent, and among those of each parent.
    """
    lock_uploads(session, wanted.collection_id)
    # One that failed when it was read again still serves, as it was, until a newer one is stored.
    failed = (Document.state == State.FAILED, Document.chunks.is_(None))
    unused = _delete(session, *_same_name(wanted), *failed)
    held = session.scalar(
        select(Document)
        .where(
            *_same_place(wanted),
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
    held.synced = held.synced and bool(wanted.synced)
    session.flush()
    session.refresh(held)
    rename_document(session, held)
    # Versions that came after it are taken back; older ones go now, or when it is stored.
    replaced = Document.id != held.id if held.state == State.DONE else Document.id > held.id
    return held, [wanted.blob, *unused, *_delete(session, *_same_name(wanted), replaced)]


def _same_place(document: Document) -> tuple[ColumnElement[bool], ...]:
    return (
        Document.collection_id == document.collection_id,
        Document.parent_id.is_not_distinct_from(document.parent_id),
    )


def _same_name(document: Document) -> tuple[ColumnElement[bool], ...]:
    return (*_same_place(document), Document.name == document.name)


def _delete(session: Session, *which: ColumnElement[bool]) -> list[str]:
    """Removes documents with their chunks and all that is attached to them; gives their blobs."""
    family = select(Document.id).where(*which).cte("family", recursive=True)
    family = family.union_all(select(Document.id).where(Document.parent_id == family.c.id))
    gone = delete(Document).where(Document.id.in_(select(family.c.id)))
    return list(session.scalars(gone.returning(Document.blob)))


def nesting(session: Session, document: Document) -> int:
    """How many files deep it lies: 0 for what was sent, 1 for what is attached to that."""
    depth = 0
    while document.parent_id is not None:
        depth, document = depth + 1, session.get_one(Document, document.parent_id)
    return depth


def documents(session: Session, collection_id: int, parent_id: int | None = None) -> list[Document]:
    """Documents of a collection, by name: every one, or what is attached to that parent."""
    found = select(Document).where(Document.collection_id == collection_id)
    if parent_id is not None:
        found = found.where(Document.parent_id == parent_id)
    return list(session.scalars(found.order_by(Document.name, Document.id)))


def note_progress(session: Session, id: int, stage: str, done: int, total: int) -> None:
    """What a progress bar shows for that stage."""
    stages = Document.stages.op("||")(
        func.jsonb_build_object(stage, func.jsonb_build_array(done, total))
    )
    session.execute(update(Document).where(Document.id == id).values(stages=stages))


def drop_older_versions(session: Session, document: Document) -> list[str]:
    """Removes older documents of the same name; gives their blobs."""
    return _delete(session, *_same_name(document), Document.id < document.id)


def remove_document(session: Session, collection_id: int, id: int) -> list[str]:
    """Removes a document with its chunks and attachments; gives their blobs.

    Raises RedtenError `document_not_found`.
    """
    lock_uploads(session, collection_id)
    gone = _delete(session, Document.id == id, Document.collection_id == collection_id)
    if not gone:
        raise RedtenError("document_not_found", f"there is no document {id} in this collection")
    return gone
