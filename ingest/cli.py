"""The command that brings files into a collection, through the API like everybody else."""

import sys
from pathlib import Path

import click

from client.bars import Bars
from client.client import Client
from client.command import Failure, json_option, tell, with_client
from client.errors import ClientError
from client.transfer import Outcome, Transfer
from ingest.sources import Source, find


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-c", "--collection", required=True, help="Name or id; made if there is none.")
@click.option(
    "--visibility",
    type=click.Choice(["private", "tenant", "public"]),
    help="Who may ask a collection that is made: only you (default), the tenant, everybody.",
)
@json_option
@click.pass_context
@with_client
def ingest(
    client: Client,
    ctx: click.Context,
    paths: tuple[str, ...],
    collection: str,
    visibility: str | None,
    as_json: bool,
) -> None:
    """Bring files, folders and patterns (PDF, CSV, text, Markdown) into a collection."""
    sources, refused = find(paths)
    if not sources and not refused:
        raise Failure(f"no files in {', '.join(paths)}")
    _ensure_collection(client, collection, visibility)
    outcomes = [Outcome(one.path, code=one.code, reason=one.reason) for one in refused]
    outcomes += _transfer(client, collection, sources)
    outcomes.sort(key=lambda outcome: outcome.name)
    tell(_summary(collection, outcomes), _summary_text(collection, outcomes), as_json)
    ctx.exit(1 if _count(outcomes, "failed") else 0)


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
        "files": len(outcomes),
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
    first = (
        "{collection}: {files} files, {pages} pages, {chunks} chunks stored;"
        " {unchanged} unchanged, {failed} failed"
    ).format(**sums)
    failed = [f"failed  {o.name}: {o.reason}" for o in outcomes if o.status == "failed"]
    return "\n".join([first, *failed])
