"""Sources: places outside that a collection is kept up to date with, and the runs that do it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.collection import Collection, Visibility, add_collection, readable
from models.document import Document
from models.errors import RedtenError
from models.tenant import Caller
from models.work import FAILED, MOST_ATTEMPTS, UNFINISHED, State, Work
from settings import settings

KEPT_RUNS = 20


class SourceRun(Numbered, Owned, Base):
    """One comparison of a collection with a source; open until the source's work is over."""

    __tablename__ = "source_runs"

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"), index=True)
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    added: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    unchanged: Mapped[int] = mapped_column(server_default="0")
    removed: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    messages: Mapped[list[dict[str, str]]] = mapped_column(JSONB, server_default="[]")
    code: Mapped[str | None] = mapped_column(String(64))
    msg: Mapped[str | None] = mapped_column(Text)


class Source(Numbered, Owned, Work, Dated, Base):
    """A place whose documents a collection holds; each run is work with attempts of its own."""

    __tablename__ = "sources"
    FIRST_STEP = "sync_source"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    address: Mapped[str] = mapped_column(String(1024))
    prefix: Mapped[str] = mapped_column(Text, server_default="")
    every_s: Mapped[int | None]
    next_run_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("collection_id", "address"),
        Index("ix_sources_unfinished", "since", postgresql_where=UNFINISHED),
        Index("ix_sources_failed", "tenant_id", "since", postgresql_where=FAILED),
        Index("ix_sources_next_run_at", "next_run_at"),
    )

    @classmethod
    def due(cls) -> ColumnElement[bool]:
        """Whether the moment of the next run has come."""
        return cls.next_run_at <= func.now()

    @classmethod
    def begin(cls, session: Session, *which: ColumnElement[bool]) -> list[Self]:
        """Those that are over → waiting for a new run; says itself when the one after is due."""
        statement = update(cls).where(cls.state.in_((State.DONE, State.FAILED)), *which)
        begun = session.scalars(
            statement.values(
                state=State.WAITING,
                step=cls.FIRST_STEP,
                attempt=cls.attempt % MOST_ATTEMPTS + 1,
                losses=0,
                resent=0,
                code=None,
                msg=None,
                since=func.now(),
                next_run_at=after(cls.every_s),
            )
            .returning(cls)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        return list(begun)

    @classmethod
    def retry(cls, session: Session, id: int, **fresh: Any) -> Self | None:
        """A new run of one whose last has failed."""
        return next(iter(cls.begin(session, cls.id == id, cls.state == State.FAILED)), None)

    @classmethod
    def _move(cls, session: Session, guard: tuple[Any, ...], **values: Any) -> Self | None:
        """As of any work; when it fails, the run ends with it."""
        moved = super()._move(session, guard, **values)
        if moved is not None and moved.state == State.FAILED:
            _end_run(session, moved.id, moved.code, moved.msg)
        return moved


def after(every_s: Any) -> ColumnElement[datetime]:
    """The moment so many seconds from now; never, for None."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, every_s)


def _open(source_id: int) -> tuple[ColumnElement[bool], ...]:
    return (SourceRun.source_id == source_id, SourceRun.ended_at.is_(None))


def _end_run(session: Session, source_id: int, code: str | None, msg: str | None) -> None:
    ended = update(SourceRun).where(*_open(source_id))
    session.execute(ended.values(ended_at=func.now(), code=code, msg=msg))


def open_run(session: Session, source: Source) -> SourceRun:
    """The run that an earlier attempt has left open, or a new one; only the last ones are kept."""
    run = session.scalar(select(SourceRun).where(*_open(source.id)))
    if run is None:
        run = SourceRun(tenant_id=source.tenant_id, source_id=source.id)
        session.add(run)
        session.flush()
    kept = select(SourceRun.id).where(SourceRun.source_id == source.id)
    older = SourceRun.id.not_in(kept.order_by(SourceRun.id.desc()).limit(KEPT_RUNS))
    session.execute(delete(SourceRun).where(SourceRun.source_id == source.id, older))
    return run


@dataclass(frozen=True, slots=True)
class Kept:
    """A source, the collection that it keeps, and its last run, if it had one."""

    source: Source
    collection: Collection
    run: SourceRun | None


def sources(session: Session, caller: Caller, *which: ColumnElement[bool]) -> list[Kept]:
    """Those of the collections that the caller may fill: an address is nobody else's business."""
    runs = aliased(SourceRun)
    last = select(func.max(runs.id)).where(runs.source_id == Source.id).correlate(Source)
    rows = session.execute(
        select(Source, Collection, SourceRun)
        .join(Collection, Collection.id == Source.collection_id)
        .outerjoin(SourceRun, SourceRun.id == last.scalar_subquery())
        .where(readable(caller), *which)
        .order_by(Collection.name, Source.id)
    )
    return [Kept(*row) for row in rows if row[1].written_by(caller)]


def find_source(session: Session, caller: Caller, id: int) -> Kept:
    """One of `sources`. Raises RedtenError `source_not_found`."""
    found = sources(session, caller, Source.id == id)
    if not found:
        raise RedtenError(
            "source_not_found", f"there is no source {id}: `redten sources list` shows yours"
        )
    return found[0]


def runs_of(session: Session, source_id: int) -> list[SourceRun]:
    """The last runs, newest first."""
    newest = select(SourceRun).where(SourceRun.source_id == source_id)
    return list(session.scalars(newest.order_by(SourceRun.id.desc()).limit(KEPT_RUNS)))


def add_source(
    session: Session,
    caller: Caller,
    collection: Collection,
    address: str,
    *,
    prefix: str = "",
    every_s: int | None = None,
) -> Source | None:
    """A new source, waiting for its first run; None if the collection has it already."""
    row = insert(Source).values(
        tenant_id=collection.tenant_id,
        owner_id=caller.user_id,
        collection_id=collection.id,
        address=address,
        prefix=prefix,
        every_s=every_s,
        next_run_at=after(every_s),
        step=Source.FIRST_STEP,
    )
    return session.scalar(row.on_conflict_do_nothing().returning(Source))


def collection_of(session: Session, caller: Caller, addresses: Sequence[str]) -> Collection:
    """The caller's own collection for just these addresses, made when it is first asked for."""
    digest = hashlib.sha256("\n".join(sorted(addresses)).encode()).hexdigest()
    name, notes = f"rag-{digest[:16]}", "Sources of a question: " + ", ".join(addresses)
    own = select(Collection).where(
        Collection.tenant_id == caller.tenant_id,
        Collection.owner_id == caller.user_id,
        Collection.name == name,
    )
    if found := session.scalar(own):
        return found
    try:
        return add_collection(session, caller, name, Visibility.PRIVATE, notes, ad_hoc=True)
    except RedtenError:
        # The same question was asked twice at once.
        return session.scalars(own).one()


def unfinished(session: Session, collection_id: int) -> bool:
    """Whether sources of the collection are being read, or documents are on their way into it."""
    reading, arriving = (
        exists().where(
            kind.collection_id == collection_id, kind.state.in_((State.WAITING, State.RUNNING))
        )
        for kind in (Source, Document)
    )
    return bool(session.scalar(select(reading | arriving)))


def stale() -> ColumnElement[bool]:
    """Whether a source was not read lately, or not well."""
    lately = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, settings.source_fresh_s)
    return (Source.state == State.FAILED) | (Source.since < lately)


def failed_source(session: Session, collection_id: int | None) -> Source | None:
    """A source of the collection whose last run failed."""
    failed = (Source.collection_id == collection_id, Source.state == State.FAILED)
    return session.scalar(select(Source).where(*failed).order_by(Source.id).limit(1))
