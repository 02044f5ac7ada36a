"""Tables and queries of a database, each brought out as a file that is ingested like others."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Select,
    create_engine,
    inspect,
    literal_column,
    make_url,
    select,
    table,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ingest.rowfile import Batch, write_rows
from ingest.sources import Source

BATCH_ROWS = 1000
HASH_DIGITS = 8


class DatabaseError(Exception):
    """Why nothing can be read there, in one line and without the password."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to bring out: the rows of a query, or these tables, or all tables.

    `name` is that of the document, where there is one only.
    """

    query: str | None = None
    tables: Sequence[str] = ()
    name: str | None = None


def export(
    address: str, wanted: Wanted, folder: Path, on_rows: Callable[[int], object]
) -> Iterator[Source]:
    """A file in `folder` for the query or each table, streamed; the transaction is rolled back.

    `address` is a URL as SQLAlchemy takes it. Where all tables are wanted, those without rows are
    left out. `on_rows` is told after each batch how many more rows there are. Raises DatabaseError.
    """
    url = _parsed(address)
    found = False
    with _told(url), _connected(url) as connection:
        for name, statement in _statements(connection, url, wanted):
            place = folder / hashlib.sha256(name.encode()).hexdigest()
            place.mkdir()
            if file := _written(connection, statement, place, on_rows):
                yield Source(file, f"{name}{file.suffix}")
                found = True
    if not found:
        raise DatabaseError(f"{_shown(url)}: there are no rows")


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as exc:
        # What cannot be taken apart may hold the password anywhere.
        raise DatabaseError("a database URL reads DIALECT://USER:PASSWORD@HOST:PORT/NAME") from exc
    named = url.database not in (None, "", ":memory:") and "uri" not in url.query
    # SQLite makes an empty database where there is none.
    if url.get_backend_name() == "sqlite" and named and not Path(str(url.database)).is_file():
        raise DatabaseError(f"{_shown(url)}: there is no such file")
    return url


def _shown(url: URL) -> str:
    return f"{url.drivername}://{url.host or ''}/{url.database or ''}"


@contextmanager
def _told(url: URL) -> Iterator[None]:
    """What SQLAlchemy and the drivers say, in a line, without what they quote of the URL."""
    try:
        yield
    except NoSuchModuleError as exc:
        message = f"{_shown(url)}: SQLAlchemy knows no such database; is a package missing for it?"
        raise DatabaseError(message) from exc
    except ModuleNotFoundError as exc:
        message = f"{_shown(url)}: the driver is missing: install the package with {exc.name}"
        raise DatabaseError(message) from exc
    except SQLAlchemyError as exc:
        reason = exc.orig if isinstance(exc, DBAPIError) else exc
        said = (str(reason).strip() or type(reason).__name__).splitlines()[0]
        hidden = said.replace(str(url.password), "***") if url.password else said
        raise DatabaseError(f"{_shown(url)}: {hidden}") from exc


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    # Without parameters a percent sign or a colon in a query is nothing but itself.
    engine = create_engine(
        url,
        poolclass=NullPool,
        execution_options={"stream_results": True, "no_parameters": True},
    )
    with engine.connect() as connection:
        yield connection


def _statements(
    connection: Connection, url: URL, wanted: Wanted
) -> Iterator[tuple[str, str | Select[str]]]:
    """The name of each document, and what to ask for it."""
    if wanted.query:
        digest = hashlib.sha256(wanted.query.encode()).hexdigest()[:HASH_DIGITS]
        yield wanted.name or f"query-{digest}", wanted.query
        return
    database = Path(url.database or url.drivername).stem
    for one in wanted.tables or sorted(inspect(connection).get_table_names()):
        yield wanted.name or f"{database}.{one}", _everything(connection, one)


def _everything(connection: Connection, name: str) -> Select[str]:
    """All rows of a table or view, named `TABLE` or `SCHEMA.TABLE`."""
    schema, _, rest = name.rpartition(".")
    known = inspect(connection)
    for place, found in ((None, name), (schema or None, rest)):
        if known.has_table(found, schema=place):
            return select(literal_column("*")).select_from(table(found, schema=place))
    raise DatabaseError(f"{_shown(connection.engine.url)}: there is no table {name}")


def _written(
    connection: Connection,
    statement: str | Select[str],
    folder: Path,
    on_rows: Callable[[int], object],
) -> Path | None:
    """The file; None if there are no rows."""
    if isinstance(statement, str):
        result: CursorResult = connection.exec_driver_sql(statement)
    else:
        result = connection.execute(statement)
    if not result.returns_rows:
        message = f"{_shown(connection.engine.url)}: the query gives no rows: it must be a SELECT"
        raise DatabaseError(message)
    count = 0

    def batches() -> Iterator[Batch]:
        nonlocal count
        for batch in result.partitions(BATCH_ROWS):
            count += len(batch)
            on_rows(len(batch))
            yield batch

    file = write_rows(folder, list(result.keys()), batches())
    return file if count else None
