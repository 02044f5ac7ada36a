"""What a source held when it was last read, and which document each thing in it has become."""

from sqlalchemy import ForeignKey, Select, String, Text, delete, exists, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Owned
from models.document import Document, add_document, lock_uploads, remove_document
from models.errors import RedtenError
from models.source import Source
from models.work import State


class SourceItem(Owned, Base):
    """One thing in a source. Two of the same content share a document."""

    __tablename__ = "source_items"

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    version: Mapped[str] = mapped_column(Text)
    content_sha256: Mapped[str] = mapped_column(String(64))
    document_id: Mapped[int | None] = mapped_column(
        ForeignKey("documents.id", ondelete="SET NULL"), index=True
    )


def items_of(session: Session, source_id: int) -> dict[str, SourceItem]:
    """All of a source's, by name."""
    found = session.scalars(select(SourceItem).where(SourceItem.source_id == source_id))
    return {item.name: item for item in found}


def note_version(session: Session, source_id: int, name: str, version: str) -> None:
    """The content is the same, and is known by another version now."""
    session.get_one(SourceItem, (source_id, name)).version = version


def put_item(
    session: Session, source: Source, name: str, version: str, wanted: Document
) -> tuple[Document, list[str]]:
    """Makes the document of that thing, as `add_document` does, in place of an older one.

    Raises RedtenError `same_name` if the collection has one from elsewhere that is called so.
    """
    lock_uploads(session, source.collection_id)
    item = session.get(SourceItem, (source.id, name))
    if item is None:
        item = SourceItem(tenant_id=source.tenant_id, source_id=source.id, name=name)
    _check_name(session, source, item, wanted.name)
    _leave_to_others(session, item)
    document, unused = add_document(session, wanted)
    item.version, item.content_sha256 = version, wanted.content_sha256
    item.document_id = document.id
    session.add(item)
    session.flush()
    return document, unused


def _check_name(session: Session, source: Source, item: SourceItem, name: str) -> None:
    theirs = exists().where(
        SourceItem.document_id == Document.id, SourceItem.source_id != source.id
    )
    called_so: Select[int] = select(Document.id).where(
        Document.collection_id == source.collection_id,
        Document.parent_id.is_(None),
        Document.name == name,
        Document.state != State.FAILED,
    )
    other = Document.id.is_distinct_from(item.document_id)
    taken = session.scalar(called_so.where(other, ~Document.synced | theirs).limit(1))
    if taken is not None:
        raise RedtenError(
            "same_name",
            f"document {taken} of the collection is called {name} and comes from elsewhere:"
            " remove it, or give the source a prefix",
        )


def _leave_to_others(session: Session, item: SourceItem) -> bool:
    """Renames the item's document after another item that has become the same one, if any."""
    if item.document_id is None:
        return False
    other = session.execute(
        select(Source.prefix + SourceItem.name)
        .select_from(SourceItem)
        .join(Source, Source.id == SourceItem.source_id)
        .where(
            SourceItem.document_id == item.document_id,
            tuple_(SourceItem.source_id, SourceItem.name) != (item.source_id, item.name),
        )
        .limit(1)
    ).scalar()
    if other is not None:
        session.get_one(Document, item.document_id).name = other
        session.flush()
    return other is not None


def remove_items(session: Session, source: Source, names: list[str]) -> dict[int, list[str]]:
    """Forgets things that are gone; gives the documents removed with them, and their blobs.

    A document that somebody uploaded as well stays, and so does one that others share.
    """
    lock_uploads(session, source.collection_id)
    removed = {}
    for name in names:
        item = session.get_one(SourceItem, (source.id, name))
        shared = _leave_to_others(session, item)
        document = session.get(Document, item.document_id) if item.document_id else None
        session.delete(item)
        session.flush()
        if document is not None and document.synced and not shared:
            removed[document.id] = remove_document(session, source.collection_id, document.id)
    return removed


def remove_source(session: Session, source: Source, documents: bool) -> dict[int, list[str]]:
    """Removes a source, and with `documents` what it has brought: gives these and their blobs."""
    removed = remove_items(session, source, list(items_of(session, source.id))) if documents else {}
    session.execute(delete(Source).where(Source.id == source.id))
    return removed
