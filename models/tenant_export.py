"""What a tenant has, read for those who take it elsewhere: its rows, and where its files lie."""

from collections.abc import Iterator
from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import ColumnElement, Select, Table, select
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Session

from models.base import all_tables
from models.collection import Collection
from models.document import Chunk, Document
from models.embedding import Embedding
from models.membership import members
from models.user_data import UserData
from models.work import State

# Computed from the rest, and of use only to the model or the server that did it.
DERIVED = (HALFVEC, TSVECTOR)
SECRETS = frozenset({"secret_sha256", "token_sha256", "mailed_sha256"})
BATCH = 1000


def owned_tables() -> list[Table]:
    """Every table whose rows belong to tenants, of whichever module."""
    return [table for table in all_tables().sorted_tables if "tenant_id" in table.columns]


def told_columns(table: Table) -> list[ColumnElement[Any]]:
    """Those that leave the house."""
    return [
        column
        for column in table.columns
        if not isinstance(column.type, DERIVED) and column.name not in SECRETS
    ]


def rows(session: Session, table: Table, tenant_id: int) -> Iterator[dict[str, Any]]:
    """The tenant's rows, a batch in memory at a time."""
    # Policies let everybody read public collections, so the walls alone do not say whose they are.
    wanted: Select[Any] = select(*told_columns(table)).where(table.c.tenant_id == tenant_id)
    if table is Chunk.__table__:
        # By an index; of the tenant there is none.
        own = select(Collection.id).where(Collection.tenant_id == tenant_id)
        wanted = wanted.where(table.c.collection_id.in_(own))
    found = session.execute(wanted, execution_options={"yield_per": BATCH})
    yield from (dict(row) for row in found.mappings())


def people(session: Session, tenant_id: int) -> Iterator[dict[str, Any]]:
    """The tenant's members, for ids mean nothing elsewhere."""
    for user, role in members(session, tenant_id):
        yield {"user_id": user.id, "email": user.email, "role": role}


def places(session: Session, tenant_id: int) -> Iterator[tuple[str, str]]:
    """A name for each file of the tenant's, by the row that refers to it, and where it lies."""
    for record, column in ((Document, Document.blob), (UserData, UserData.sloc)):
        found = select(record.id, column).where(record.tenant_id == tenant_id).order_by(record.id)
        for id, place in session.execute(found):
            yield f"files/{record.__tablename__}/{id}", place
    sent = select(Embedding).where(Embedding.tenant_id == tenant_id).order_by(Embedding.id)
    for one in session.scalars(sent):
        if one.state == State.DONE:
            yield f"files/{Embedding.__tablename__}/{one.id}.parquet", one.vectors_blob
        else:
            yield f"files/{Embedding.__tablename__}/{one.id}", one.texts_blob
