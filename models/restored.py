"""What a restored database needs before it can go on: it wakes up in another life."""

from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.orm import Session

from models.loose_blob import LooseBlob
from models.overdue import KINDS, know_epoch
from models.user_data import UserData
from models.work import State

EPOCH = "restored"  # of no broker: the first sweep sends all that waits
TABLES = text("select count(*) from pg_tables where schemaname = 'public'")
# As the first migration of the walls has it; roles are the cluster's, and in no dump.
ROLE = text(
    "do $$ begin"
    " if not exists (select from pg_roles where rolname = 'redten_app') then"
    " create role redten_app nologin nosuperuser nobypassrls; end if; end $$"
)


def is_empty(session: Session) -> bool:
    """Whether the database has no tables yet."""
    return not session.scalar(TABLES)


def make_role(session: Session) -> None:
    """The plain role, which a dump grants rights to; harmless to repeat."""
    session.execute(ROLE)
    session.execute(text("grant redten_app to current_user"))


def begin_again(session: Session) -> None:
    """As the owner: what was being worked on waits, with no loss counted, and is sent again."""
    for record in KINDS.values():
        again: dict[str, Any] = {"state": State.WAITING, "step": record.FIRST_STEP}
        again |= {"attempt": record.attempt + 1, "lease_until": None, "since": func.now()}
        session.execute(update(record).where(record.state == State.RUNNING).values(again))
    know_epoch(session, EPOCH)


def move_store(session: Session, before: str) -> None:
    """As the owner: what lay at `before`, s3://bucket/prefix/, lies in the deployment's store now.

    A key without a location means that store, wherever it is.
    """
    for column in (UserData.sloc, LooseBlob.place):
        moved = update(column.class_).values({column: func.substr(column, len(before) + 1)})
        session.execute(moved.where(column.startswith(before, autoescape=True)))


def row_counts(session: Session) -> dict[str, int]:
    """Rows of every table in the session's view, partitions counted with what they are part of."""
    names = session.scalars(
        text(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition"
            " order by 1"
        )
    )
    quoted = {name: f'select count(*) from "{name}"' for name in names}  # noqa: S608 - our tables
    return {name: session.scalar(text(query)) or 0 for name, query in quoted.items()}


def major_version(session: Session) -> int:
    """Of the server: 18."""
    return int(session.scalar(text("show server_version_num")) or 0) // 10_000


def schema_revision(session: Session) -> str:
    """Which migration the database is at."""
    return str(session.scalar(text("select version_num from alembic_version")))
