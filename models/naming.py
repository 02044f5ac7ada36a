"""The words by which a question may mean a document: of its name, its title, its beginning."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import cast, func, select, text
from sqlalchemy.dialects.postgresql import REGCONFIG
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from models.document import Document

# Letters apart from digits: `ACME2022Q3` names a year.
RUNS = re.compile(r"[^\W\d_]+|\d+")
SEPARATORS = re.compile(r"[\W_]+")
# Whoever writes out what a document is, does so at its very beginning.
BEGINNING_WORDS = 100
OF_NAME = """
    setweight(to_tsvector(cast(:language as regconfig), :words), 'A')
    || setweight(to_tsvector('simple', :words), 'A')
"""
OF_BEGINNING = "setweight(to_tsvector(cast(:language as regconfig), :beginning), 'D')"
SET = "update documents set naming = {} where id = :id"
NAME = text(SET.format(f"{OF_NAME} || {OF_BEGINNING}"))
RENAME = text(SET.format(f"{OF_NAME} || ts_filter(naming, '{{d}}')"))
LANGUAGE = text("select language from collections where id = :collection")
COUNT = text(
    "select count(*) from documents where collection_id = :collection and chunks is not null"
)
NAMED = text("""
select d.id,
       array(select unnest(tsvector_to_array(ts_filter(d.naming, '{a}')))
             intersect select unnest(cast(:words as text[]))),
       array(select unnest(tsvector_to_array(ts_filter(d.naming, '{d}')))
             intersect select unnest(cast(:words as text[])))
from documents d
where d.collection_id = :collection and d.chunks is not null
  and exists (select from unnest(cast(:words as text[])) word where d.naming @@ word_query(word))
""")


def name_words(name: str) -> str:
    """A file's name as words: `reports/ACME_2021-Q3.pdf` has four, and its ending."""
    return SEPARATORS.sub(" ", name).strip()


def name_document(session: Session, document: "Document", beginning: str, language: str) -> None:
    """Writes down the words by which the document may be meant; of its text the first 100."""
    first = " ".join(beginning.split()[:BEGINNING_WORDS])
    session.execute(NAME, {**_named(document), "beginning": first, "language": language})


def rename_document(session: Session, document: "Document") -> None:
    """As `name_document`, for one that has got another name and begins as it did."""
    where = {"collection": document.collection_id}
    session.execute(RENAME, {**_named(document), "language": session.scalar(LANGUAGE, where)})


def _named(document: "Document") -> dict[str, object]:
    runs = RUNS.findall(document.name)
    return {
        "id": document.id,
        "words": " ".join([name_words(document.name), *runs, document.title]),
    }


def lexemes(session: Session, language: str, question: str) -> list[str]:
    """The question's words as the chunks of that language have theirs, stop words left out."""
    parsed = func.chunk_lexemes(cast(language, REGCONFIG), "", "", question)
    return session.scalar(select(func.tsvector_to_array(parsed))) or []


def documents_named(
    session: Session, collection_id: int, words: Sequence[str], beginning_weight: float
) -> tuple[int, dict[int, dict[str, float]]]:
    """How many documents the collection has, and which words name which of them, by id.

    A word's weight is 1 in a name or title, and `beginning_weight` at the beginning of the text.
    """
    count = session.scalar(COUNT, {"collection": collection_id}) or 0
    if not words or not count:
        return count, {}
    rows = session.execute(NAMED, {"collection": collection_id, "words": list(words)})
    named = {
        id: dict.fromkeys(beginning, beginning_weight) | dict.fromkeys(name, 1.0)
        for id, name, beginning in rows
    }
    # More may have come since they were counted.
    return max(count, len(named)), named
