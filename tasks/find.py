"""The passages that answer a question best: candidates by meaning and by words, then ranked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from models.filters import Filters
from models.naming import documents_named, lexemes
from models.partitions import find_place
from models.search import NO_FILTERS, Found, vector_candidates
from models.words import text_candidates, words_borne
from tasks import rank

Vector = npt.NDArray[np.float32]
Mode = Literal["hybrid", "vector", "text"]

# Candidates of each kind; documents that are named so surely that their own best are some too; and
# candidates among which the rarity of words is counted.
DEPTH, NAMED_DOCUMENTS, MEASURED = 100, 3, 100
# Of a longer question the beginning is searched by words, as it is by its vector: each word is
# looked for in every candidate, so thousands of them would hold everybody else up.
QUESTION_CHARS = 1_000
MOMENTS = ("dated_from", "dated_to")


@dataclass(frozen=True, slots=True)
class Hit(Found):
    """A chunk with its signals; `score` orders the hits of one search, the others are 0–1.

    `words` is its share of the question's words that some candidate has, `borne` of all of them;
    `about` is how surely the question names its document.
    """

    cosine: float = 0.0
    words: float = 0.0
    borne: float = 0.0
    about: float = 0.0


def filters_of(told: Mapping[str, Any]) -> Filters:
    """Filters as a message has them, with moments as ISO 8601."""
    moments = {name: datetime.fromisoformat(told[name]) for name in MOMENTS if told.get(name)}
    return Filters(**{**told, **moments})


def find_passages(
    session: Session,
    question: str,
    vector: Vector,
    collections: Sequence[int],
    count: int,
    mode: Mode = "hybrid",
    filters: Filters = NO_FILTERS,
) -> list[Hit]:
    """The `count` best chunks of collections that one model has embedded, best first.

    `vector` is the question's, of length 1. In mode `vector` only cosines count, in mode `text`
    only words. Collections that the session cannot see give none.
    """
    asked = _Asked(session, question[:QUESTION_CHARS], vector, max(count, DEPTH))
    search = {"hybrid": asked.hybrid, "vector": asked.vectors, "text": asked.texts}[mode]
    hits = [hit for collection_id in collections for hit in search(collection_id, filters)]
    pages = [(hit.document_id, hit.page) for hit in hits]
    order = rank.in_order([hit.score for hit in hits], pages)
    return [hits[number] for number in order[:count]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question, to one collection after the other."""

    session: Session
    question: str
    vector: Vector
    depth: int

    def vectors(self, collection_id: int, filters: Filters) -> list[Hit]:
        return [self._hit(one, score=one.score) for one in self._near(collection_id, filters)]

    def texts(self, collection_id: int, filters: Filters) -> list[Hit]:
        found = self._worded(collection_id, filters)
        return [self._hit(one, score=one.score, words=one.score, borne=one.score) for one in found]

    def hybrid(self, collection_id: int, filters: Filters) -> list[Hit]:
        place = find_place(self.session, collection_id)
        if place is None:
            return []
        words = lexemes(self.session, place.language, rank.with_whole_years(self.question))
        about = self._about(collection_id, words)
        found = self._candidates(collection_id, filters, about)
        hits = [self._hit(one, about=about.get(one.document_id, 0.0)) for one in found]
        return self._ranked(hits, words)

    def _near(self, collection_id: int, filters: Filters) -> list[Found]:
        return vector_candidates(self.session, {collection_id: self.vector}, self.depth, filters)

    def _worded(self, collection_id: int, filters: Filters) -> list[Found]:
        asked = rank.with_whole_years(self.question)
        return text_candidates(self.session, [collection_id], asked, self.depth, filters)

    def _about(self, collection_id: int, words: Sequence[str]) -> dict[int, float]:
        """How surely the question names each document of the collection."""
        named = [*words, *rank.joined_pairs(self.question)]
        count, hits = documents_named(self.session, collection_id, named, rank.BEGINNING_WEIGHT)
        return rank.named(count, hits)

    def _candidates(
        self, collection_id: int, filters: Filters, about: dict[int, float]
    ) -> Iterable[Found]:
        """The nearest in meaning and in words, of all documents and of those that are named."""
        searches = [filters]
        allowed = [id for id in about if not filters.documents or id in filters.documents]
        if named := sorted(allowed, key=lambda id: -about[id])[:NAMED_DOCUMENTS]:
            searches.append(replace(filters, documents=tuple(named)))
        found = {
            one.id: one
            for narrowed in searches
            for one in (
                *self._near(collection_id, narrowed),
                *self._worded(collection_id, narrowed),
            )
        }
        return found.values()

    def _ranked(self, hits: list[Hit], words: Sequence[str]) -> list[Hit]:
        """With their words and their scores; rare is what few of the most promising have."""
        promise = [rank.fuse(hit.cosine, 0.0, hit.about) for hit in hits]
        measured = sorted(range(len(hits)), key=lambda number: -promise[number])[:MEASURED]
        borne = words_borne(self.session, hits, words)
        shares = rank.coverage(words, [borne[hit.id] for hit in hits], measured)
        return [
            replace(hit, words=some, borne=all, score=rank.fuse(hit.cosine, some, hit.about))
            for hit, (some, all) in zip(hits, shares, strict=True)
        ]

    def _hit(self, one: Found, **signals: float) -> Hit:
        facts = {field.name: getattr(one, field.name) for field in fields(Found)}
        return Hit(**facts | {"cosine": float(one.embedding @ self.vector)} | signals)
