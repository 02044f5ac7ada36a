"""The commands about files that are kept on the server."""

import os
import sys
from pathlib import Path
from typing import Any, cast

import click

from client.client import Client
from client.command import Failure, json_option, tell, with_client
from client.data import Changes, Described, UserData, Wanted
from client.half_made import half_made
from client.show import table

HEADERS = ("ID", "FILE", "BYTES", "TYPE", "COMMENTS", "WHERE", "SENT")

data_id = click.argument("data_id", type=click.IntRange(min=1))
data_type = click.option("--type", "data_type", help="What kind of file, in your own words.")
comments = click.option("--comments", help="What you want to remember of it.")
encoding = click.option("--encoding", help="How it is encoded, in your own words.")


@click.group()
def data() -> None:
    """Files of your own on the server: keep them, fetch them, make documents of them."""


@data.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What to call it; default: the file's own name.")
@data_type
@comments
@encoding
@click.option("--sloc", help="Where to keep it: s3://BUCKET/KEY, if the server allows it.")
@json_option
@with_client
def put(
    client: Client, path: Path, name: str | None, sloc: str | None, as_json: bool, **told: Any
) -> None:
    """Send a file."""
    described = cast(Described, _given(told))
    try:
        sent = client.data.put(path, name, sloc=sloc, **described)
    except OSError as exc:
        raise Failure(f"{path} cannot be read: {exc.strerror or exc}") from exc
    tell(sent, f"data {sent.id}: {sent.filename}, {sent.size_in_bytes} bytes", as_json)


@data.command("list")
@click.option("--name", "filename", help="Only those with this in their name.")
@data_type
@comments
@encoding
@click.option("--sloc", help="Only those with this in the place where they lie.")
@click.option("--above-bytes", type=int, help="Only larger ones.")
@click.option("--below-bytes", type=int, help="Only smaller ones.")
@json_option
@with_client
def list_data(client: Client, as_json: bool, **wanted: Any) -> None:
    """List your files, newest first, at most 100; all conditions hold at once."""
    found = client.data.search(**cast(Wanted, _given(wanted)))
    tell(found, table(HEADERS, map(_row, found)) if found else "no files found", as_json)


@data.command()
@data_id
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="File to write, replaced if there is one, or - for standard output;"
    " default: a new one with the file's own name, here.",
)
@with_client
def get(client: Client, data_id: int, output: Path | None) -> None:
    """Fetch a file."""
    if output == Path("-"):
        client.data.get(data_id, sys.stdout.buffer)
        return
    target = output or _own_place(client.data.find(data_id))
    with half_made(target) as path, path.open("wb") as file:
        client.data.get(data_id, file)
    click.echo(f"{target}, {target.stat().st_size} bytes", err=True)


@data.command()
@data_id
@click.option("--name", "filename", help="What to call it.")
@data_type
@comments
@encoding
@json_option
@with_client
def edit(client: Client, data_id: int, as_json: bool, **told: Any) -> None:
    """Describe a file anew; what you do not say stays."""
    changes = cast(Changes, _given(told))
    if not changes:
        raise click.UsageError("say what to change: --name, --type, --comments or --encoding")
    changed = client.data.edit(data_id, **changes)
    tell(changed, table(HEADERS, [_row(changed)]), as_json)


@data.command()
@data_id
@with_client
def rm(client: Client, data_id: int) -> None:
    """Take a file off the server; documents that were made of it stay."""
    client.data.remove(data_id)
    click.echo(f"removed data {data_id}")


@data.command()
@data_id
@click.option("-c", "--collection", required=True, help="Name or id.")
@click.option("--name", help="What to call the document; default: the file's name.")
@json_option
@with_client
def ingest(client: Client, data_id: int, collection: str, name: str | None, as_json: bool) -> None:
    """Make a document of a file, in a collection; the file is not sent again."""
    made = client.data.ingest(data_id, collection, name)
    said = "is there already" if made.unchanged else "is accepted"
    tell(made, f"document {made.id} {said}: redten documents -c {collection}", as_json)


def _given(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


def _own_place(known: UserData) -> Path:
    """The file's own name here, and nowhere else: it comes from the server."""
    name = known.filename.replace("\\", "/").rpartition("/")[2]
    target = Path("".join(letter for letter in name if letter.isprintable()))
    if target.name in ("", ".."):
        raise Failure(f"data {known.id} has no name that a file can have: say -o FILE")
    if os.path.lexists(target):
        raise Failure(f"there is a file {target} already: say -o FILE to replace it")
    return target


def _row(one: UserData) -> tuple[object, ...]:
    return (
        one.id,
        one.filename,
        one.size_in_bytes,
        one.data_type,
        one.comments,
        one.sloc,
        one.created_at,
    )
