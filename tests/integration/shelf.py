"""A collection full of chunks with vectors that tell them apart, and its partition."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.chunks import Arriving, put_chunks
from models.collection import Collection, Visibility, add_collection
from models.document import Document, add_document
from models.partitions import build_partition
from models.search import Vector
from models.session import session_scope
from models.tenant import Caller
from models.work import State

DIMENSIONS = 8


def made_collection(caller: Caller, name: str = "shelf") -> int:
    """The id of a new collection of the tenant's."""
    with session_scope(caller.tenant_id) as session:
        return add_collection(session, caller, name, Visibility.TENANT).id


def put_document(
    session: Session,
    collection_id: int,
    name: str,
    texts: Sequence[str],
    *,
    page: int = 1,
    meta: Mapping[str, Any] | None = None,
    dimensions: int = DIMENSIONS,
    **facts: Any,
) -> Document:
    """A finished document of these chunks, each with the vector of `vector(text)`."""
    collection = session.get_one(Collection, collection_id)
    document, _ = add_document(
        session,
        Document(
            tenant_id=collection.tenant_id,
            collection_id=collection_id,
            name=name,
            content_sha256=name.ljust(64, "0"),
            size_in_bytes=1,
            blob=f"documents/{name}",
            **facts,
        ),
    )
    rows = (
        Arriving(at, page, one, "", {"page": page}, dict(meta or {}), vector(one, dimensions))
        for at, one in enumerate(texts)
    )
    document.chunks = put_chunks(session, document, rows, "english")
    session.execute(text("drop table arriving"))  # or the transaction could put no second one
    document.state = State.DONE
    session.flush()
    return document


def vector(text: str, dimensions: int = DIMENSIONS) -> Vector:
    """A direction that depends on the text alone."""
    drawn = np.random.default_rng(list(text.encode())).normal(size=dimensions)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def move(collection_id: int) -> int:
    """Gives the collection its partition; the chunks moved."""
    with session_scope() as session:
        return build_partition(session, collection_id, 16, 0)
