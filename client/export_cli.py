"""The commands that take things away as files."""

from pathlib import Path
from typing import cast

import click

from client.client import Client
from client.command import with_client
from client.exports import Format
from client.half_made import half_made

FORMATS = ("csv", "jsonl")


@click.group()
def export() -> None:
    """Take things away as files."""


@export.command()
@click.option("-c", "--collection", help="Name or id; default: answers from all collections.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, replaced if there is one: FILE.csv, or FILE.jsonl for a record a line.",
)
@with_client
def answers(client: Client, collection: str | None, out: Path) -> None:
    """Write your answers with their newest reviews; as owner or expert, all of the tenant's.

    In a CSV file, texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    suffix = out.suffix.removeprefix(".")
    if suffix not in FORMATS:
        raise click.UsageError("name the file .csv or .jsonl: that says how it is written")
    with half_made(out) as path, path.open("wb") as file:
        client.exports.answers(file, cast(Format, suffix), collection)
    click.echo(f"{out}, {out.stat().st_size} bytes", err=True)
