"""Every move of every piece of work and every fault, written down by the database itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from local.postgres import DATABASE, Postgres

# With the rights of its owner: the application's role gets none in this schema.
TABLES = """
create schema ledger;
create table ledger.moves (
    seq bigint generated always as identity, kind text, id int, attempt int, state int, step text,
    at timestamptz default clock_timestamp()
);
create index on ledger.moves (kind, id, seq);
create table ledger.faults (name text, at timestamptz default clock_timestamp());
create function ledger.note() returns trigger language plpgsql security definer as $$
begin
    insert into ledger.moves (kind, id, attempt, state, step)
    values (tg_table_name, new.id, new.attempt, new.state, new.step);
    return null;
end $$;
create view ledger.unfinished as
    select step, state from jobs where state in (1, 2)
    union all select step, state from documents where state in (1, 2)
    union all select step, state from reviews where state in (1, 2);
"""
TRIGGER = """
create trigger ledger after insert or update of state, step, attempt on {table}
for each row execute function ledger.note();
"""
NOTE_FAULT = """
insert into ledger.faults (name) values (%s) returning (select count(*) from ledger.unfinished)
"""
KINDS = ("jobs", "documents", "reviews")
# Of the work that was in flight at the last fault, how much has neither moved on nor ended since.
UNMOVED = """
with fault as (select max(at) as at from ledger.faults),
standing as (
    select distinct on (kind, id) kind, id, state from ledger.moves, fault
    where moves.at < fault.at order by kind, id, seq desc
)
select count(*) from standing, fault where state in (1, 2) and not exists (
    select 1 from ledger.moves as later
    where later.kind = standing.kind and later.id = standing.id and later.at >= fault.at
)
"""
# The fault that has hit a piece of work is the first one after its last sign of life.
RECOVERIES = """
with moves as (
    select *, lag(at) over work as heard_at, lag(attempt) over work as before
    from ledger.moves window work as (partition by kind, id order by seq)
)
select name, kind, moves.id, extract(epoch from moves.at - hit.at)::float8
from moves cross join lateral (
    select name, at from ledger.faults where at between moves.heard_at and moves.at
    order by at limit 1
) as hit
where moves.attempt > moves.before or moves.state = 4
"""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Work that a fault has cost an attempt, and the seconds until the next one or its failure."""

    fault: str
    kind: str
    id: int
    seconds: float


class Ledger:
    """Kept in the deployment's own database, by its superuser."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """Past all walls; raises psycopg.OperationalError while the database is away."""
        with self._postgres.connect(DATABASE) as connection:
            yield connection

    def open(self) -> None:
        """Begins to write down what moves."""
        with self.connection() as connection:
            connection.execute(TABLES.encode())
            for table in KINDS:
                connection.execute(TRIGGER.format(table=table).encode())

    def note_fault(self, name: str) -> int:
        """A fault is about to strike; gives how much work is in flight."""
        with self.connection() as connection:
            noted = connection.execute(NOTE_FAULT, (name,)).fetchone()
        return int(noted[0]) if noted else 0

    def all_moved(self) -> bool:
        """Whether all that was in flight at the last fault has moved on since; False if unknown."""
        return self._number(UNMOVED) == 0

    def unfinished(self) -> int | None:
        """How much work is not over; None while the database is away."""
        return self._number("select count(*) from ledger.unfinished")

    def running(self, step: str) -> int | None:
        """How many pieces of work are in that step now."""
        query = "select count(*) from ledger.unfinished where step = %s and state = 2"
        return self._number(query, step)

    def recoveries(self) -> list[Recovery]:
        """What the faults have cost an attempt, and how long each took."""
        with self.connection() as connection:
            return [Recovery(*row) for row in connection.execute(RECOVERIES.encode())]

    def _number(self, query: str, *values: str) -> int | None:
        try:
            with self.connection() as connection:
                row = connection.execute(query.encode(), values).fetchone()
        except psycopg.OperationalError:
            return None
        return int(row[0]) if row else None
