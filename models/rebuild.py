"""A collection made anew in the background, while it goes on serving as it was.

1. `begin` writes down the recipe of the next version.
2. `advance`, called again and again, sends documents through their chain once more, a number at a
   time so that uploads need not wait behind them all. Their new chunks lie beside the old ones.
3. A document that is uploaded meanwhile is read as the collection still is, so that it is found
   at once, and then like all others.
4. When every document is over at the new version, the collection switches to it. Old chunks are
   kept for a moment, for questions that were embedded before.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from models.collection import Collection
from models.document import Chunk, Document
from models.errors import RedtenError
from models.work import State

AT_ONCE = 64
OLD_KEPT = timedelta(seconds=60)
OVER = Document.state.in_((State.DONE, State.FAILED))
SETTINGS = ("language", "chunk_tokens", "chunk_overlap", "embed_model_name")


def begin(session: Session, collection: Collection, changes: dict[str, Any]) -> None:
    """Has the collection made anew with these settings, in place of a rebuild under way.

    Going back to what is in service ends that one. Raises RedtenError `unknown_language` and
    `bad_chunks`.
    """
    session.refresh(collection, with_for_update=True)
    was_rebuilding = collection.rebuilding
    now: Mapping[str, Any] = collection.recipe()
    if was_rebuilding and collection.rebuild:
        now = collection.rebuild
    wanted = {name: changes.get(name, now[name]) for name in SETTINGS}
    check(session, wanted)
    if all(wanted[name] == getattr(collection, name) for name in SETTINGS):
        if was_rebuilding:
            _return(session, collection)
            collection.rebuild = None
    elif not was_rebuilding or any(wanted[name] != now[name] for name in SETTINGS):
        collection.rebuild = {"version": _next_version(session, collection), **wanted}


def _next_version(session: Session, collection: Collection) -> int:
    """One that no document on its way was ever read for."""
    in_collection = Document.collection_id == collection.id
    latest = session.scalar(select(func.max(Document.version)).where(in_collection)) or 0
    abandoned = collection.rebuild["version"] if collection.rebuild else 0
    return max(latest, abandoned, collection.version) + 1


def check(session: Session, recipe: Mapping[str, Any]) -> None:
    """Raises RedtenError `unknown_language` or `bad_chunks` for a recipe that cannot be made."""
    if 3 * recipe["chunk_overlap"] > recipe["chunk_tokens"]:
        raise RedtenError(
            "bad_chunks", "chunk_overlap: neighbours share at most a third of chunk_tokens"
        )
    languages = list(session.scalars(text("select cfgname::text from pg_ts_config order by 1")))
    if recipe["language"] not in languages:
        raise RedtenError("unknown_language", f"language: one of {', '.join(languages)}")


def advance(session: Session, collection_id: int) -> list[Document]:
    """The next part of a rebuild, if there is one; gives documents to be sent on their way."""
    collection = session.get(Collection, collection_id, with_for_update=True)
    if collection is None or collection.rebuild is None:
        return []
    if "switched_at" in collection.rebuild:
        _forget_old(session, collection)
        return []
    if not collection.rebuilding:
        return []
    moved = _read_again(session, collection)
    if not moved and not _left(session, collection):
        _end(session, collection)
    return moved


def rebuilding(session: Session) -> list[tuple[int, int]]:
    """(tenant, collection) of every rebuild under way.

    Crosses the wall between tenants, through the function `rebuilding`.
    """
    table = func.rebuilding().table_valued("collection_id", "tenant_id")
    return [(row.tenant_id, row.collection_id) for row in session.execute(select(table))]


def is_current(session: Session, document: Document) -> bool:
    """Whether chunks of the document's version are still wanted; holds until the commit."""
    collection = session.get_one(
        Collection, document.collection_id, with_for_update={"read": True}, populate_existing=True
    )
    return collection.recipe(document.version)["version"] == document.version


def _served(collection: Collection) -> ColumnElement[bool]:
    return and_(Document.collection_id == collection.id, Document.chunks.is_not(None))


def _left(session: Session, collection: Collection) -> int:
    """Documents that are not over at the new version."""
    assert collection.rebuild
    left = or_(Document.version != collection.rebuild["version"], ~OVER)
    counted = select(func.count()).select_from(Document).where(_served(collection), left)
    return session.scalar(counted) or 0


def _read_again(session: Session, collection: Collection) -> list[Document]:
    """Puts the next documents at the start of their chain; over → waiting for the first step."""
    assert collection.rebuild
    version = collection.rebuild["version"]
    on_the_way = select(func.count()).where(_served(collection), Document.version == version, ~OVER)
    room = AT_ONCE - (session.scalar(on_the_way) or 0)
    chosen = (
        select(Document.id)
        .where(_served(collection), Document.version != version, OVER)
        .order_by(Document.id)
        .limit(max(room, 0))
        .with_for_update()
    )
    return Document.again(session, list(session.scalars(chosen)), version)


def _end(session: Session, collection: Collection) -> None:
    """Switches over, or gives up if no document at all has come through."""
    assert collection.rebuild
    done = select(func.count()).where(_served(collection), Document.state == State.DONE)
    reasons = select(Document.msg).where(_served(collection), Document.state == State.FAILED)
    reason = session.scalar(reasons.order_by(Document.id).limit(1))
    if reason is not None and not session.scalar(done):
        _return(session, collection)
        collection.rebuild = {
            **collection.rebuild,
            "given_up": f"no document came through: {reason}",
        }
        return
    for name in ("version", *SETTINGS):
        setattr(collection, name, collection.rebuild[name])
    collection.rebuild = {**collection.rebuild, "switched_at": datetime.now(UTC).isoformat()}
    failed = (_served(collection), Document.state == State.FAILED)
    session.execute(update(Document).where(*failed).values(chunks=None))


def _return(session: Session, collection: Collection) -> None:
    """Everything as it was before the rebuild; what is on its way will find out by itself."""
    counted = select(func.count()).where(
        Chunk.collection_id == collection.id,
        Chunk.document_id == Document.id,
        Chunk.version == collection.version,
    )
    before = {"state": State.DONE, "code": None, "msg": None, "version": collection.version}
    over = (_served(collection), OVER, Document.version != collection.version)
    session.execute(
        update(Document).where(*over).values(**before, chunks=counted.scalar_subquery()),
        execution_options={"synchronize_session": False},
    )
    _delete_others(session, collection)


def _forget_old(session: Session, collection: Collection) -> None:
    assert collection.rebuild
    if datetime.now(UTC) - datetime.fromisoformat(collection.rebuild["switched_at"]) > OLD_KEPT:
        _delete_others(session, collection)
        collection.rebuild = None


def _delete_others(session: Session, collection: Collection) -> None:
    other = (Chunk.collection_id == collection.id, Chunk.version != collection.version)
    session.execute(delete(Chunk).where(*other))
