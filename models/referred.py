"""Which places in the file store rows refer to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from models.document import Document
from models.embedding import Embedding
from models.loose_blob import LooseBlob
from models.user_data import UserData
from models.work import UNFINISHED, State

AT_ONCE = 1000


def referred_places(session: Session) -> Iterator[str]:
    """Every place that the rows in the session's view refer to; a folder has `/` at its end.

    What the steps of a document leave each other is not among them: it can be made again.
    """
    yield from _all(session, select(Document.blob))
    yield from _all(session, select(UserData.sloc))
    rows = select(Embedding).order_by(Embedding.id).execution_options(yield_per=AT_ONCE)
    for made in session.scalars(rows):
        # One that failed may be tried again.
        yield made.vectors_blob if made.state == State.DONE else f"{made.folder}/"


@dataclass(frozen=True, slots=True)
class Known:
    """Places that are spoken for: what lies elsewhere in the store, nobody will ever remove."""

    places: frozenset[str]

    def has(self, place: str) -> bool:
        """Whether the file at that place is known, by itself or by a folder above it."""
        parts = place.split("/")
        above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return place in self.places or any(folder in self.places for folder in above)


def known_places(session: Session) -> Known:
    """What is referred to, what is noted as loose, and folders of documents being worked on."""
    working = select(Document.tenant_id, Document.id, Document.attempt)
    found = set(referred_places(session))
    found.update(_all(session, select(LooseBlob.place)))
    found.update(work_folder(*row) for row in session.execute(working.where(UNFINISHED)))
    return Known(frozenset(found))


def documents_folder(collection_id: int) -> str:
    """Where the content of a collection's documents lies."""
    return f"documents/{collection_id}/"


def work_folder(tenant_id: int, document_id: int, attempt: int | None = None) -> str:
    """Where the steps of a document leave each other their work: all attempts, or one of them."""
    folder = f"work/{tenant_id}-{document_id}/"
    return folder if attempt is None else f"{folder}{attempt}/"


def working_attempts(session: Session, document_ids: Iterable[int]) -> dict[int, int]:
    """The attempts of those documents that are being worked on; the others are over, or gone."""
    ours = select(Document.id, Document.attempt).where(Document.id.in_(document_ids), UNFINISHED)
    rows = session.execute(ours)
    return {row.id: row.attempt for row in rows}


def _all(session: Session, wanted: Select[str]) -> Iterator[str]:
    yield from session.scalars(wanted.execution_options(yield_per=AT_ONCE))
