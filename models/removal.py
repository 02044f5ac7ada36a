"""A collection that goes, with everything in it."""

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models.collection import Collection, Visibility, find_collection
from models.document import Document, lock_uploads
from models.errors import RedtenError
from models.seed import COLLECTION
from models.tenant import DEFAULT_TENANT_ID, Caller, Role
from models.work import UNFINISHED


@dataclass(frozen=True, slots=True)
class Removed:
    """What may still lie in the blob store: the collection's, and work on unfinished documents."""

    tenant_id: int
    collection_id: int
    unfinished: list[int]


def removable_collection(session: Session, caller: Caller, ref: str) -> Collection:
    """As `find_collection`, for removing it: one's own, or for an owner the tenant's.

    Raises RedtenError `read_only` and `default_collection` as well.
    """
    found = find_collection(session, caller, ref)
    shared = found.tenant_id == caller.tenant_id and found.visibility != Visibility.PRIVATE
    if found.owner_id != caller.user_id and not (shared and caller.role is Role.OWNER):
        raise RedtenError(
            "read_only",
            f"the collection {found.name!r} is removed by who made it, or by an owner of its"
            " tenant if it is shared",
        )
    if _is_default(found):
        raise RedtenError(
            "default_collection",
            f"{found.name} is asked by all who name no other: take its documents out instead,"
            f" with `redten documents rm -c {found.name} NAME...`",
        )
    return found


def _is_default(collection: Collection) -> bool:
    place = (collection.tenant_id, collection.name, collection.visibility)
    return place == (DEFAULT_TENANT_ID, COLLECTION, Visibility.PUBLIC)


def remove_collection(session: Session, collection: Collection) -> Removed:
    """Removes it with its documents, chunks and sources; jobs and answers stay, without it.

    Raises RedtenError `collection_not_found` if somebody was quicker.
    """
    lock_uploads(session, collection.id)
    # Before its documents: so do those who store one, or make the collection anew.
    there = select(Collection.id).where(Collection.id == collection.id).with_for_update()
    if session.scalar(there) is None:
        raise RedtenError("collection_not_found", f"{collection.name!r} has just been removed")
    unfinished = select(Document.id).where(Document.collection_id == collection.id, UNFINISHED)
    working = list(session.scalars(unfinished))
    # Its documents with it: so one note stands for all their files.
    session.execute(delete(Collection).where(Collection.id == collection.id))
    return Removed(collection.tenant_id, collection.id, working)


def unused_collections(session: Session, kept_s: float) -> list[tuple[int, int]]:
    """(id, tenant) of collections made for a question's own sources that none has asked since.

    Crosses the wall between tenants, through the function `unused_collections`.
    """
    table = func.unused_collections(kept_s).table_valued("id", "tenant_id")
    return [(row.id, row.tenant_id) for row in session.execute(select(table))]


def remove_unused(session: Session, id: int, kept_s: float) -> Removed | None:
    """Removes one of `unused_collections`, unless a question has come meanwhile."""
    lock_uploads(session, id)
    collection = session.get(Collection, id, with_for_update=True)
    still_unused = any(id == other for other, _ in unused_collections(session, kept_s))
    return remove_collection(session, collection) if collection and still_unused else None
