"""How the chunks of a document come into their table."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pgvector import HalfVector
from psycopg.types.json import Jsonb
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from models.document import Chunk, Document
from models.naming import name_words

ARRIVING = """
create temporary table arriving (
    position int, page int, text text, heading text, locator jsonb, meta jsonb, embedding halfvec
) on commit drop
"""
TYPES = ["int4", "int4", "text", "text", "jsonb", "jsonb", "halfvec"]
INSERT = """
insert into chunks (tenant_id, collection_id, document_id, version, position, page, text, heading,
                    locator, meta, embedding, lexemes)
select :tenant, :collection, :document, :version, position, page, text, heading, locator, meta,
       embedding, chunk_lexemes(cast(:language as regconfig), :title, heading, text)
from arriving
"""


class Arriving(NamedTuple):
    """A chunk and its vector, on their way into the table."""

    position: int
    page: int
    text: str
    heading: str
    locator: Mapping[str, object]
    meta: Mapping[str, object]
    embedding: npt.NDArray[np.float32]


def put_chunks(
    session: Session, document: Document, rows: Iterable[Arriving], language: str
) -> int:
    """Replaces the chunks of the document's version, leaving other versions; gives their count.

    In the transaction of the caller, so that a reader sees the older chunks or these. COPY goes
    to a temporary table, since Postgres has none into a table with row-level security.
    """
    count = 0
    session.execute(
        delete(Chunk).where(
            Chunk.collection_id == document.collection_id,
            Chunk.document_id == document.id,
            Chunk.version == document.version,
        )
    )
    session.execute(text(ARRIVING))
    cursor: Any = session.connection().connection.cursor()
    with cursor.copy("copy arriving from stdin with (format binary)") as copy:
        copy.set_types(TYPES)
        for row in rows:
            locator, meta, vector = (
                Jsonb(dict(row.locator)),
                Jsonb(dict(row.meta)),
                HalfVector(row.embedding),
            )
            copy.write_row((row.position, row.page, row.text, row.heading, locator, meta, vector))
            count += 1
    session.execute(
        text(INSERT),
        {
            "tenant": document.tenant_id,
            "collection": document.collection_id,
            "document": document.id,
            "version": document.version,
            "language": language,
            "title": f"{document.title} {name_words(document.name)}",
        },
    )
    return count
