"""How Alembic reaches the database: one transaction, under an advisory lock."""

from importlib import import_module

from alembic import context
from sqlalchemy import create_engine, pool, text

from models.base import Base

# The tables that autogenerate compares with.
for module in (
    "answer",
    "collection",
    "document",
    "job",
    "model",
    "overdue",
    "review",
    "service_key",
    "source_item",
    "tenant",
    "user",
    "user_data",
):
    import_module(f"models.{module}")


def is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
    """The partitions of a table are no tables of their own to compare with."""
    return not (kind == "table" and str(name).startswith("chunks_"))


LOCK = 0x7265647465  # "redte": any number that only redten's migrations take

engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        include_object=is_ours,
    )
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()
