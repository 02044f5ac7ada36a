"""Collections of documents, and who may read or fill them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict, cast

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.document import Document
from models.errors import RedtenError
from models.tenant import Caller
from models.work import State
from settings import settings

LARGEST_ID = 2**31 - 1
LONGEST_ID = len(str(LARGEST_ID))


class Visibility(StrEnum):
    """Who may read a collection: its owner; the tenant; everybody with an account."""

    PRIVATE = "private"
    TENANT = "tenant"
    PUBLIC = "public"


class Recipe(TypedDict):
    """How the chunks of a version of a collection are made; sizes in tokens of its model."""

    version: int
    language: str
    chunk_tokens: int
    chunk_overlap: int
    embed_model_name: str


class Collection(Numbered, Owned, Dated, Base):
    """Documents that are searched together, all embedded by one model.

    Searches see the chunks of `version`. While another is being made, `rebuild` is its recipe and
    what else models/rebuild.py keeps of it. One made for a question's own sources is `ad_hoc`, and
    goes when no question asks it any more.
    """

    __tablename__ = "collections"
    __table_args__ = (UniqueConstraint("tenant_id", "owner_id", "name"),)

    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(128))
    visibility: Mapped[str] = mapped_column(String(16))
    embed_model_name: Mapped[str] = mapped_column(String(256))
    notes: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(32), server_default="english")
    chunk_tokens: Mapped[int] = mapped_column(SmallInteger, server_default="200")
    chunk_overlap: Mapped[int] = mapped_column(SmallInteger, server_default="30")
    version: Mapped[int] = mapped_column(server_default="1")
    rebuild: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    ad_hoc: Mapped[bool] = mapped_column(server_default="false")

    @property
    def rebuilding(self) -> bool:
        """Whether a version is being made; not one that is in service already, or given up."""
        return self.rebuild is not None and not {"switched_at", "given_up"} & set(self.rebuild)

    def recipe(self, version: int | None = None) -> Recipe:
        """That of the version being made, if it is this one; of any other, the one in service."""
        made = self.rebuild if self.rebuilding and self.rebuild else {}
        if not made or made["version"] != version:
            made = {name: getattr(self, name) for name in Recipe.__annotations__}
        return cast(Recipe, {name: made[name] for name in Recipe.__annotations__})

    def written_by(self, caller: Caller) -> bool:
        """Its owner fills it; owners and experts of its tenant fill what the tenant can see."""
        if self.tenant_id != caller.tenant_id:
            return False
        shared = self.visibility != Visibility.PRIVATE
        return self.owner_id == caller.user_id or (shared and caller.reviews_all)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection with its counts: of documents that can be found, those remade, their chunks."""

    collection: Collection
    documents: int
    chunks: int
    rebuilt: int = 0


def readable(caller: Caller) -> ColumnElement[bool]:
    """What a caller may read; row-level security says the same of the tenant once more."""
    own_tenant = Collection.tenant_id == caller.tenant_id
    return or_(
        Collection.visibility == Visibility.PUBLIC,
        and_(own_tenant, Collection.visibility == Visibility.TENANT),
        and_(own_tenant, Collection.owner_id == caller.user_id),
    )


def collections(session: Session, caller: Caller) -> list[Shelf]:
    """All that the caller may read, with counts."""
    found = and_(Document.collection_id == Collection.id, Document.chunks.is_not(None))
    over = Document.state.in_((State.DONE, State.FAILED))
    remade = Document.version == Collection.rebuild["version"].as_integer()
    rows = session.execute(
        select(
            Collection,
            func.count(Document.id),
            func.coalesce(func.sum(Document.chunks), 0).cast(BigInteger),
            func.count(Document.id).filter(over, remade),
        )
        .outerjoin(Document, found)
        .where(readable(caller))
        .group_by(Collection.id)
        .order_by(Collection.name, Collection.id)
    )
    return [Shelf(*row) for row in rows]


def find_collection(session: Session, caller: Caller, ref: str) -> Collection:
    """A readable collection by name or id: the caller's own, else the tenant's, else public.

    Raises RedtenError `collection_not_found`, the same for one that exists but is not theirs.
    """
    ref = ref.replace("\0", "\ufffd")  # a path may hold what no text in Postgres can
    named = Collection.name == ref
    # No collection has a name of digits alone, so an id means one thing only.
    if ref.isascii() and ref.isdigit() and len(ref) <= LONGEST_ID and int(ref) <= LARGEST_ID:
        named = Collection.id == int(ref)
    found: Collection | None = session.scalar(
        select(Collection)
        .where(named, readable(caller))
        .order_by(
            (Collection.owner_id == caller.user_id).desc(),
            (Collection.tenant_id == caller.tenant_id).desc(),
            Collection.id,
        )
        .limit(1)
    )
    if found is None:
        raise RedtenError(
            "collection_not_found",
            f"there is no collection {ref!r}: `redten collections` lists those you can read",
        )
    return found


def common_model(found: Sequence[Collection]) -> str:
    """The embedding model of them all. Raises RedtenError `mixed_models` if there are several."""
    named = {one.embed_model_name: one.name for one in found}
    if len(named) > 1:
        told = ", ".join(f"{name} ({model})" for model, name in named.items())
        raise RedtenError(
            "mixed_models", f"ask collections of different embedding models one by one: {told}"
        )
    return next(iter(named))


def writable_collection(session: Session, caller: Caller, ref: str) -> Collection:
    """As `find_collection`, for filling. Raises RedtenError `read_only` as well."""
    found = find_collection(session, caller, ref)
    if not found.written_by(caller):
        raise RedtenError(
            "read_only",
            f"the collection {found.name!r} is not yours to change: "
            f"`redten collections create {found.name}` makes one of your own",
        )
    return found


def add_collection(
    session: Session,
    caller: Caller,
    name: str,
    visibility: str,
    notes: str | None = None,
    **more: str | int,
) -> Collection:
    """A new collection of the caller's; `more` are other columns, by default the default recipe.

    Raises RedtenError `collection_exists`.
    """
    row = insert(Collection).values(
        tenant_id=caller.tenant_id,
        owner_id=caller.user_id,
        name=name,
        visibility=visibility,
        notes=notes,
        **{"embed_model_name": settings.embed_model, **more},
    )
    made: Collection | None = session.scalar(row.on_conflict_do_nothing().returning(Collection))
    if made is None:
        raise RedtenError("collection_exists", f"you have a collection {name!r} already")
    return made


def find_document(session: Session, caller: Caller, id: int) -> tuple[Document, str]:
    """A document in a collection that the caller may read, and the collection's name.

    Raises RedtenError `document_not_found`.
    """
    found = session.execute(
        select(Document, Collection.name)
        .join(Collection, Collection.id == Document.collection_id)
        .where(Document.id == id, readable(caller))
    ).first()
    if found is None:
        raise RedtenError("document_not_found", f"there is no document {id}")
    return found[0], found[1]
