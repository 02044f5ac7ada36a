"""Searching the chunks of collections by the words of a question."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import ARRAY, REAL, Integer, Text, cast, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, TSQUERY
from sqlalchemy.orm import Session

from models.filters import Chosen, Filters, chosen_documents
from models.naming import lexemes
from models.partitions import Place, find_place
from models.search import NO_FILTERS, Found, best, fetch

# Of the labels D, C, B and A: body, none, heading, title.
FIELDS = (0.7, 0.7, 0.9, 1.0)
# Chunks of a large collection that are ranked for one question, about; those that are looked at
# where filters leave few of them; and what is ranked at the very most.
RANKED, MOST_FILTERED, MOST_RANKED = 5_000, 100_000, 50_000
COMMON_WORDS = 3
BORNE = text("""
select id, array(
    select word from unnest(cast(:words as text[])) word
    where lexemes @@ word_query(word)
      and (ts_filter(lexemes, '{b,d}') @@ word_query(word)
           or not ts_filter(lexemes, '{a}') @@ word_query(word)) -- identifiers have no label
)
from chunks where part = any (:parts) and id = any (:ids)
""")


def text_candidates(
    session: Session,
    collections: Sequence[int],
    question: str,
    count: int,
    filters: Filters = NO_FILTERS,
) -> list[Found]:
    """The `count` chunks that bear most of the question's words, the rarer the more; best first.

    A chunk need not have all the words, nor the rarest. Collections that the session cannot see
    give none.
    """
    found: list[Found] = []
    for collection_id in collections:
        if place := find_place(session, collection_id):
            found += _matching(session, place, question, count, filters)
    return best(found, count)


def _matching(
    session: Session, place: Place, question: str, count: int, filters: Filters
) -> list[Found]:
    words = lexemes(session, place.language, question)
    chosen = chosen_documents(session, place.collection_id, filters)
    if not words or (chosen is not None and not chosen.ids):
        return []
    search = _Search(session, place, words, count, chosen, filters)
    return fetch(session, place, search.indexed() if place.indexed else search.small())


@dataclass(frozen=True, slots=True)
class _Search:
    """One question to one collection."""

    session: Session
    place: Place
    words: list[str]
    count: int
    chosen: Chosen | None
    filters: Filters

    def small(self) -> dict[int, float]:
        """Every chunk with one of the words is ranked, and rarity counted on the way."""
        return self._rank(any_of(self.words), None)

    def indexed(self) -> dict[int, float]:
        """Chunks with the telling words are ranked, by all words; if filters leave few, more."""
        table = func.word_chunks(
            self.place.collection_id, self.place.version, cast(self.words, ARRAY(Text))
        ).table_valued("word", "chunks", "weight")
        told = {row.word: row for row in self.session.execute(select(table))}
        weights = [told[word].weight for word in self.words]
        chunks = {word: told[word].chunks for word in self.words}
        scores = self._rank(telling(chunks, RANKED), weights)
        if len(scores) < self.count and self.filters != NO_FILTERS:
            scores = self._rank(telling(chunks, MOST_FILTERED), weights)
        return scores

    def _rank(self, candidates: str, weights: list[float] | None) -> dict[int, float]:
        """Scores of the best chunks that match `candidates`, by all the words."""
        first, last = self.filters.pages
        table = func.matching_chunks(
            self.place.collection_id,
            self.place.version,
            cast(candidates, TSQUERY),
            cast(self.words, ARRAY(Text)),
            cast(weights, ARRAY(REAL)),
            cast(list(FIELDS), ARRAY(REAL)),
            cast(self.chosen and self.chosen.ids, ARRAY(Integer)),
            cast(first, Integer),
            cast(last, Integer),
            cast({name: list(values) for name, values in self.filters.meta.items()}, JSONB),
            MOST_RANKED,
            self.count,
        ).table_valued("id", "score")
        return {row.id: row.score for row in self.session.execute(select(table))}


def quoted(word: str) -> str:
    """A lexeme as a tsquery has it."""
    doubled = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def any_of(words: Sequence[str]) -> str:
    """The tsquery of chunks that have one of the words."""
    return " | ".join(quoted(word) for word in words)


def telling(chunks: Mapping[str, int], most: int) -> str:
    """The tsquery of about `most` chunks at most, those with the rarest of the words.

    `chunks` are the numbers of chunks that have each word, 0 if only those not indexed yet may. A
    chunk with common words only matters where there are no rare ones: then it is those with
    several of them.
    """
    rarest = sorted(chunks, key=lambda word: chunks[word])
    reached = list(accumulate(chunks[word] for word in rarest))
    few = bisect_right(reached, most)
    if few:
        return any_of(rarest[:few])
    return " & ".join(quoted(word) for word in rarest[:COMMON_WORDS])


def words_borne(
    session: Session, found: Sequence[Found], words: Sequence[str]
) -> dict[int, set[str]]:
    """Which of the lexemes each of the chunks has in its heading or text, by id of the chunk.

    One that has been removed since it was found has none.
    """
    parts = {0, *(one.collection_id for one in found)}
    among = {"parts": list(parts), "ids": [one.id for one in found], "words": list(words)}
    borne = {id: set(there) for id, there in session.execute(BORNE, among)}
    return {one.id: borne.get(one.id, set()) for one in found}
