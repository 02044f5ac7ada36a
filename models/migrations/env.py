"""How Alembic reaches the database: one transaction, under an advisory lock.

Code that is already running goes on meanwhile. Who waits for the lock on a table makes all wait
who come later, so a migration waits briefly, lets go of everything, and tries again.
"""

import logging
import time

from alembic import context
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.exc import OperationalError

from models.base import all_tables


def is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
    """The partitions of a table are no tables of their own to compare with."""
    return not (kind == "table" and str(name).startswith("chunks_"))


LOCK = 0x7265647465  # "redte": any number that only redten's migrations take

LOCK_WAIT_MS, PAUSE_S, MOST_TRIES = 1000, 1.0, 300

log = logging.getLogger(__name__)


def migrate(connection: Connection) -> None:
    """All that is to be done, or nothing of it."""
    context.configure(
        connection=connection,
        target_metadata=all_tables(),
        compare_type=True,
        include_object=is_ours,
    )
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        # After the advisory lock: another migration is waited for as long as it takes.
        connection.execute(text(f"set local lock_timeout = {LOCK_WAIT_MS}"))
        context.run_migrations()


def migrate_patiently(connection: Connection) -> None:
    """Tries until no long transaction is in the way, for some minutes."""
    for left in reversed(range(MOST_TRIES)):
        try:
            return migrate(connection)
        except OperationalError as error:
            if not left or not isinstance(error.orig, DeadlockDetected | LockNotAvailable):
                raise
            log.warning("a table is in use, trying again: %s", error.orig)
        connection.rollback()
        time.sleep(PAUSE_S)


engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    migrate_patiently(connection)
