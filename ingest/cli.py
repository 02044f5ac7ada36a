"""The command that brings files into a collection, through the API like everybody else."""

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from tqdm import tqdm

from client.bars import Bars
from client.client import Client
from client.command import Failure, json_option, tell, with_client
from client.errors import ClientError
from client.transfer import Outcome, Transfer
from ingest.sources import Source, find

DATABASE = re.compile(r"(?!(https?|s3|file|ftp)://)[a-z][a-z0-9_]*(\+[a-z0-9_]+)?://", re.I)
QUICK_S = 2.0


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-c", "--collection", required=True, help="Name or id; made if there is none.")
@click.option(
    "--visibility",
    type=click.Choice(["private", "tenant", "public"]),
    help="Who may ask a collection that is made: only you (default), the tenant, everybody.",
)
@click.option("--query", metavar="SELECT", help="Of a database: the rows of this query.")
@click.option("--table", "tables", multiple=True, help="Of a database: this table; repeatable.")
@click.option("--name", help="What the document with the rows of a query or table is called.")
@json_option
@click.pass_context
@with_client
def ingest(
    client: Client,
    ctx: click.Context,
    paths: tuple[str, ...],
    collection: str,
    visibility: str | None,
    query: str | None,
    tables: tuple[str, ...],
    name: str | None,
    as_json: bool,
) -> None:
    """Bring files, folders, patterns and databases into a collection.

    Read are PDF, Word, PowerPoint and Excel files (DOCX, PPTX, XLSX), CSV, TSV, Parquet, JSON
    lines, HTML, e-mail (.eml, .mbox), text, Markdown and source code.

    A database is named by a URL, as in sqlite:///shop.db or postgresql://USER@HOST/NAME. It is
    read from this machine, all tables or what --query or --table say, each as one document.
    """
    databases = [path for path in paths if DATABASE.match(path)]
    _check_database_options(len(databases), query, tables, name)
    files = [path for path in paths if path not in databases]
    sources, refused = find(files)
    with tempfile.TemporaryDirectory(prefix="redten-") as folder:
        for number, database in enumerate(databases):
            place = Path(folder, str(number))
            place.mkdir()
            sources += _exported(database, query, tables, name, place)
        _check_names(sources)
        if not sources and not refused:
            raise Failure(f"no files in {', '.join(files)}")
        _ensure_collection(client, collection, visibility)
        outcomes = [Outcome(one.path, code=one.code, reason=one.reason) for one in refused]
        outcomes += _transfer(client, collection, sources)
    outcomes.sort(key=lambda outcome: outcome.name)
    tell(_summary(collection, outcomes), _summary_text(collection, outcomes), as_json)
    ctx.exit(1 if _count(outcomes, "failed") else 0)


def _check_database_options(
    databases: int, query: str | None, tables: Sequence[str], name: str | None
) -> None:
    if databases != 1 and (query or tables or name):
        raise click.UsageError("--query, --table and --name go with the URL of one database")
    if query and tables:
        raise click.UsageError("give --query or --table, not both")
    if name and not query and len(tables) != 1:
        raise click.UsageError("--name goes with --query or with one --table")


def _check_names(sources: Sequence[Source]) -> None:
    counts = Counter(source.name for source in sources)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise Failure(f"two of these would be called {twice[0]}: ingest one at a time, with --name")


def _exported(
    database: str, query: str | None, tables: Sequence[str], name: str | None, folder: Path
) -> list[Source]:
    """A file for the query or each table."""
    try:
        # Here, since SQLAlchemy is no part of the plain client.
        from ingest.database import DatabaseError, Wanted, export
    except ModuleNotFoundError as exc:
        raise Failure(f"databases need {exc.name}: pip install 'redten[database]'") from exc
    wanted = Wanted(query, tables, name)
    with tqdm(desc="read", unit=" rows", delay=QUICK_S, disable=None, file=sys.stderr) as bar:
        try:
            return list(export(database, wanted, folder, bar.update))
        except DatabaseError as exc:
            raise Failure(str(exc)) from exc
        except OSError as exc:
            raise Failure(f"the rows cannot be kept in {folder}: {exc.strerror}") from exc


def _ensure_collection(client: Client, collection: str, visibility: str | None) -> None:
    for known in client.collections():
        if collection in (known.name, str(known.id)):
            if visibility not in (None, known.visibility):
                said = f"{collection} is there already and stays {known.visibility}"
                click.echo(said, err=True)
            return
    try:
        client.create_collection(collection, visibility or "private")
    except ClientError as exc:
        # Somebody else's run was quicker; what counts is that it is there.
        if exc.code != "collection_exists":
            said = f"there is no collection {collection}, and it cannot be made: {exc}"
            raise Failure(said) from exc


def _transfer(client: Client, collection: str, sources: list[Source]) -> list[Outcome]:
    sizes = {source.name: _size(source.path) for source in sources}
    with Bars(sizes, sys.stderr) as bars:
        transfer = Transfer(client, collection, bars)
        for source in sources:
            transfer.send(source.path, source.name)
        return transfer.finish()


def _size(path: Path) -> int:
    """Bytes in the file; 0 for one that cannot be read, which fails when its turn comes."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _count(outcomes: list[Outcome], status: str) -> int:
    return sum(outcome.status == status for outcome in outcomes)


def _summary(collection: str, outcomes: list[Outcome]) -> dict[str, object]:
    stored = [o.document for o in outcomes if o.document and o.status == "stored"]
    return {
        "collection": collection,
        "files": sum(not outcome.attached for outcome in outcomes),
        "attachments": sum(outcome.attached for outcome in outcomes),
        "pages": sum(document.pages or 0 for document in stored),
        "chunks": sum(document.chunks or 0 for document in stored),
        "unchanged": _count(outcomes, "unchanged"),
        "failed": _count(outcomes, "failed"),
        "documents": [_entry(outcome) for outcome in outcomes],
    }


def _entry(outcome: Outcome) -> dict[str, object]:
    document = outcome.document
    return {
        "name": outcome.name,
        "status": outcome.status,
        "id": document.id if document else None,
        "pages": document.pages if document else None,
        "chunks": document.chunks if document else None,
        "code": outcome.code,
        "reason": outcome.reason,
    }


def _summary_text(collection: str, outcomes: list[Outcome]) -> str:
    sums = _summary(collection, outcomes)
    attached = ", {attachments} attachments" if sums["attachments"] else ""
    first = (
        "{collection}: {files} files" + attached + ", {pages} pages, {chunks} chunks stored;"
        " {unchanged} unchanged, {failed} failed"
    ).format(**sums)
    failed = [f"failed  {o.name}: {o.reason}" for o in outcomes if o.status == "failed"]
    known = [(o.name, o.document) for o in outcomes if o.document]
    scanned = [f"note    {name}: {d.scanned}" for name, d in known if d.scanned]
    return "\n".join([first, *failed, *scanned])
