"""Searching the chunks of collections: by vector, by words, and around what was found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, union_all
from sqlalchemy import cast as sql_cast
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from models.document import Chunk, Document
from models.errors import RedtenError
from models.filters import Chosen, Filters, chosen_documents
from models.partitions import Place, find_place
from settings import settings

Vector = npt.NDArray[np.float32]
# Nodes that HNSW keeps in view, and the most that pgvector can. Of a million chunks 200 give 0.959
# of the ten nearest in 15 ms, 600 give 0.978 in 21 ms, 800 give 0.992 in 24 ms.
IN_VIEW, MOST_IN_VIEW = 800, 1_000
# Nodes that it may look at until enough of them pass the filters; then the search is exact.
MOST_LOOKED_AT = 40_000
NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk found by a search.

    `score` is the cosine similarity, or the share of the question's words that the chunk bears,
    the rarer the more, 0 to 1. `embedding` has length 1.
    """

    id: int
    collection_id: int
    document_id: int
    source: str
    title: str
    page: int
    position: int
    locator: dict[str, object]
    heading: str
    text: str
    meta: dict[str, object]
    embedding: Vector
    score: float = 0.0


COLUMNS = (
    Chunk.id,
    Chunk.collection_id,
    Chunk.document_id,
    Document.name.label("source"),
    Document.title,
    Chunk.page,
    Chunk.position,
    Chunk.locator,
    Chunk.heading,
    Chunk.text,
    Chunk.meta,
    func.halfvec_send(Chunk.embedding).label("embedding"),
)


def vector_candidates(
    session: Session, vectors: Mapping[int, Vector], count: int, filters: Filters = NO_FILTERS
) -> list[Found]:
    """The `count` chunks nearest to each collection's vector of length 1, best first.

    Always `count` of them if so many pass the filters. Collections that the session cannot see
    give none. Raises RedtenError `wrong_dimension`.
    """
    found: list[Found] = []
    for collection_id, vector in vectors.items():
        if place := find_place(session, collection_id):
            found += _nearest(session, place, vector, count, filters)
    return best(found, count)


def best(found: Iterable[Found], count: int) -> list[Found]:
    """The first `count` by score."""
    return sorted(found, key=lambda one: (-one.score, one.id))[:count]


def _nearest(
    session: Session, place: Place, vector: Vector, count: int, filters: Filters
) -> list[Found]:
    chosen = chosen_documents(session, place.collection_id, filters)
    narrowed = _narrowed(chosen, filters)
    few = chosen is not None and chosen.chunks <= settings.exact_below
    try:
        rows = [] if few else _by_index(session, place, vector, count, narrowed)
        if len(rows) < count:
            rows = _exactly(session, place, vector, count, narrowed)
    except DataError as exc:
        if "dimensions" not in str(exc.orig):
            raise
        raise RedtenError(
            "wrong_dimension",
            f"the collection was embedded by another model than this vector of {len(vector)}"
            " numbers: ask again",
        ) from exc
    return fetch(session, place, {id: -distance for id, distance in rows})


def _narrowed(chosen: Chosen | None, filters: Filters) -> list[ColumnElement[bool]]:
    among = [] if chosen is None else [Chunk.document_id.in_(chosen.ids)]
    return [*among, *filters.of_chunk()]


def _literal(value: int) -> ColumnElement[int]:
    """A number that the planner sees, so that it leaves out partitions."""
    return bindparam(None, value, literal_execute=True)


def _within(place: Place, *parts: int) -> ColumnElement[bool]:
    return and_(
        or_(*(Chunk.part == _literal(part) for part in parts)),
        Chunk.collection_id == _literal(place.collection_id),
        Chunk.version == _literal(place.version),
    )


def _ranked(distance: Any, count: int, *where: ColumnElement[bool]) -> Select[tuple[int, float]]:
    ranked = select(Chunk.id, distance.label("distance")).where(*where)
    return ranked.order_by(distance).limit(count)


def _exactly(
    session: Session, place: Place, vector: Vector, count: int, narrowed: list[ColumnElement[bool]]
) -> list[tuple[int, float]]:
    distance = Chunk.embedding.max_inner_product(vector)
    statement = _ranked(distance, count, _within(place, *place.parts), *narrowed)
    return [(row.id, row.distance) for row in session.execute(statement)]


def _by_index(
    session: Session, place: Place, vector: Vector, count: int, narrowed: list[ColumnElement[bool]]
) -> list[tuple[int, float]]:
    """What the index gives, and what is not in it yet, in one statement: each chunk is in one."""
    if not place.indexed:
        return []
    _look(session, count, IN_VIEW * 2 if narrowed else IN_VIEW)
    indexed = sql_cast(Chunk.embedding, HALFVEC(len(vector))).max_inner_product(vector)
    recent = Chunk.embedding.max_inner_product(vector)
    arms = (
        _ranked(indexed, count, _within(place, place.collection_id), *narrowed),
        _ranked(recent, count, _within(place, 0), *narrowed),
    )
    both = union_all(*(select(arm.subquery()) for arm in arms)).subquery()
    statement = select(both.c.id, both.c.distance).order_by(both.c.distance).limit(count)
    return [(id, distance) for id, distance in session.execute(statement)]


def _look(session: Session, count: int, in_view: int) -> None:
    """How far the index is searched in this transaction."""
    told = {
        "hnsw.ef_search": min(max(in_view, count), MOST_IN_VIEW),
        "hnsw.iterative_scan": "relaxed_order",
        "hnsw.max_scan_tuples": MOST_LOOKED_AT,
    }
    session.execute(select(*(func.set_config(name, str(to), True) for name, to in told.items())))


def fetch(session: Session, place: Place, scores: Mapping[int, float]) -> list[Found]:
    """The chunks with these ids, best score first."""
    if not scores:
        return []
    where = (_within(place, *place.parts), Chunk.id.in_(scores))
    return best((replace(one, score=scores[one.id]) for one in _read(session, *where)), len(scores))


def _read(session: Session, *where: ColumnElement[bool]) -> list[Found]:
    rows = session.execute(
        select(*COLUMNS)
        .join(Document, Document.id == Chunk.document_id)
        .where(*where)
        .order_by(Chunk.document_id, Chunk.position)
    )
    return [Found(**{**row, "embedding": _vector(row["embedding"])}) for row in rows.mappings()]


def _vector(sent: bytes) -> Vector:
    """As Postgres sends a halfvec: its dimension, two empty bytes, its numbers."""
    return np.frombuffer(sent, ">f2", offset=4).astype(np.float32)


def neighbours(
    session: Session, found: Sequence[Found], before: int = 1, after: int = 1
) -> list[Found]:
    """The chunks around those found, which are left out, in the order of their documents."""
    around: dict[int, Found] = {}
    for collection_id in {one.collection_id for one in found}:
        place = find_place(session, collection_id)
        near = [
            and_(
                Chunk.document_id == one.document_id,
                Chunk.position.between(one.position - before, one.position + after),
            )
            for one in found
            if one.collection_id == collection_id
        ]
        if place:
            around |= {
                one.id: one for one in _read(session, _within(place, *place.parts), or_(*near))
            }
    return [one for id, one in around.items() if id not in {known.id for known in found}]
