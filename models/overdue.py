"""What the sweep looks at across all tenants, and the broker's epoch."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import String, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.document import Document
from models.embedding import Embedding
from models.job import Job
from models.review import Review
from models.source import Source
from models.work import State, Work

KINDS: dict[str, type[Work]] = {
    "job": Job,
    "document": Document,
    "review": Review,
    "source": Source,
    "embedding": Embedding,
}


class Epoch(Base):
    """One row: which life of the broker the waiting messages were sent to."""

    __tablename__ = "epochs"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str] = mapped_column(String(128))


@dataclass(frozen=True, slots=True)
class Overdue:
    """Unfinished work that has not moved for a while."""

    kind: str
    id: int
    tenant_id: int
    attempt: int
    losses: int
    state: State
    step: str
    since: datetime
    overtaken: bool  # work that came to wait for this step well after it is running it already

    @property
    def lost(self) -> bool:
        """Whether it was running, and so went down with its worker."""
        return self.state is State.RUNNING

    @property
    def record(self) -> type[Work]:
        """The record class of this kind."""
        return KINDS[self.kind]


def overdue_work(session: Session, waiting_s: float) -> list[Overdue]:
    """Running work whose lease has run out, and work waiting for longer than `waiting_s`.

    Crosses the wall between tenants, through the function `overdue_work`.
    """
    columns = [field.name for field in fields(Overdue)]
    table = func.overdue_work(waiting_s).table_valued(*columns)
    rows = session.execute(select(table)).mappings()
    return [Overdue(**{**row, "state": State(row["state"])}) for row in rows]


def due_sources(session: Session) -> list[tuple[int, int]]:
    """(id, tenant) of sources whose next run is due, over the wall as `overdue_work` looks."""
    table = func.due_sources().table_valued("id", "tenant_id")
    return [(row.id, row.tenant_id) for row in session.execute(select(table))]


def ready_jobs(session: Session) -> list[tuple[int, int, int]]:
    """(id, tenant, attempt) of questions that need not wait for their sources any more."""
    table = func.ready_jobs().table_valued("id", "tenant_id", "attempt")
    return [(row.id, row.tenant_id, row.attempt) for row in session.execute(select(table))]


def known_epoch(session: Session) -> str | None:
    """The broker's epoch as of the last sweep."""
    return session.scalar(select(Epoch.value).where(Epoch.name == "broker"))


def know_epoch(session: Session, value: str) -> None:
    """Remembers the epoch."""
    row = insert(Epoch).values(name="broker", value=value)
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
