"""Files of texts whose vectors somebody wants, as work; each has a folder among the blobs."""

from sqlalchemy import BigInteger, ForeignKey, Index, String, and_, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.tenant import Caller
from models.work import FAILED, UNFINISHED, Work


class Embedding(Numbered, Owned, Work, Dated, Base):
    """A file on its way to its vectors: `done` of `total` texts, 0 while nobody knows how many."""

    __tablename__ = "embeddings"
    FIRST_STEP = "embed_file"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(512))
    text_column: Mapped[str] = mapped_column(String(256))
    kind: Mapped[str] = mapped_column(String(16))
    embed_model_name: Mapped[str] = mapped_column(String(256))
    size_in_bytes: Mapped[int] = mapped_column(BigInteger)
    folder: Mapped[str] = mapped_column(String(128))
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        Index("ix_embeddings_unfinished", "since", postgresql_where=UNFINISHED),
        Index("ix_embeddings_failed", "tenant_id", "since", postgresql_where=FAILED),
    )

    @property
    def texts_blob(self) -> str:
        """The file as it was sent, until it is done."""
        return f"{self.folder}/texts"

    @property
    def pieces_blob(self) -> str:
        """A folder of vectors that are made already, until it is done."""
        return f"{self.folder}/pieces"

    @property
    def vectors_blob(self) -> str:
        """All vectors, once it is done."""
        return f"{self.folder}/vectors"

    @property
    def progress(self) -> tuple[int, int]:
        """(done, total) texts."""
        return self.done, self.total

    @classmethod
    def reached(cls, session: Session, id: int, attempt: int, **counts: int) -> None:
        """Writes down how far that attempt is."""
        ours = (cls.id == id, cls.attempt == attempt)
        session.execute(update(cls).where(*ours).values(**counts))


def add_embedding(session: Session, wanted: Embedding) -> Embedding:
    """Enters a file, and what the database says of it."""
    session.add(wanted)
    session.flush()
    session.refresh(wanted)
    return wanted


def find_embedding(session: Session, caller: Caller, id: int) -> Embedding:
    """A file of the caller's own. Raises RedtenError `embedding_not_found`."""
    found = session.scalar(select(Embedding).where(Embedding.id == id, _own(caller)))
    if found is None:
        raise _not_found(id)
    return found


def remove_embedding(session: Session, caller: Caller, id: int) -> str:
    """Forgets a file of the caller's; gives its folder. Errors of `find_embedding`."""
    own = delete(Embedding).where(Embedding.id == id, _own(caller))
    folder: str | None = session.scalar(own.returning(Embedding.folder))
    if folder is None:
        raise _not_found(id)
    return folder


def _own(caller: Caller) -> ColumnElement[bool]:
    """Row-level security says the same of the tenant once more."""
    return and_(Embedding.tenant_id == caller.tenant_id, Embedding.user_id == caller.user_id)


def _not_found(id: int) -> RedtenError:
    return RedtenError("embedding_not_found", f"you have sent no file {id} to be embedded")
