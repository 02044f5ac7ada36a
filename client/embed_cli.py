"""The command that has a file of texts embedded."""

import sys
from pathlib import Path

import click

from client.client import Client
from client.command import Failure, json_option, tell, with_client
from client.embeddings import EmbeddingFile
from client.half_made import half_made
from client.spinner import Spinner


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Parquet file to write, with row, text and vector; replaced if there is one.",
)
@click.option("--column", help="Where the texts are; default: `text`, or the only column.")
@click.option("--model", help="Name of an installed encoder; default: the server's.")
@click.option(
    "--kind",
    type=click.Choice(["document", "query"]),
    default="document",
    show_default=True,
    help="What the texts are: to be found, or to find with.",
)
@json_option
@with_client
def embed(
    client: Client,
    path: Path,
    out: Path,
    column: str | None,
    model: str | None,
    kind: str,
    as_json: bool,
) -> None:
    """Embed the texts of a CSV, TSV, JSON lines, Parquet or plain text file."""
    try:
        sent = client.embeddings.send(path, column, model, kind)
    except OSError as exc:
        raise Failure(f"{path} cannot be read: {exc.strerror or exc}") from exc
    try:
        done = _awaited(client, sent.id)
        _fetch(client, sent.id, out)
    finally:
        client.embeddings.remove(sent.id)
    tell(done, f"{out}: {done.progress[0]} vectors by {done.model}", as_json)


def _awaited(client: Client, file_id: int) -> EmbeddingFile:
    with Spinner(sys.stderr) as spinner:

        def show(seen: EmbeddingFile) -> None:
            done, total = seen.progress
            spinner.show(f"{done} of {total or '?'} texts embedded")

        return client.embeddings.finished(file_id, show)


def _fetch(client: Client, file_id: int, out: Path) -> None:
    with half_made(out) as path, path.open("wb") as file:
        client.embeddings.vectors(file_id, file)
