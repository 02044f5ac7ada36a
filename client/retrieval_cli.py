"""The command that finds passages without asking a model."""

from typing import Any, cast

import click

from client.client import Client
from client.command import json_option, tell, with_client
from client.retrieval import FoundPassage, Search
from client.show import number, place
from settings import settings

SEVERAL = {"document": "documents", "name": "names", "tag": "tags", "kind": "kinds"}
ONE = {"from": "dated_from", "to": "dated_to"}
META = "meta."
PAGES = "pages"
KNOWN = ", ".join((*SEVERAL, *ONE, PAGES, f"{META}COLUMN"))


@click.command()
@click.argument("question")
@click.option(
    "-c",
    "--collection",
    "collections",
    multiple=True,
    default=(settings.ai_collection,),
    show_default=True,
    help="Name or id of a collection to search; may be given several times.",
)
@click.option("--k", type=click.IntRange(1, 100), default=5, show_default=True, help="Passages.")
@click.option("--mode", type=click.Choice(["hybrid", "vector", "text"]), default="hybrid")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"Narrow it down, again and again: {KNOWN}.",
)
@click.option("--neighbours", type=click.IntRange(0, 5), default=0, help="Chunks around each.")
@click.option("--rerank", is_flag=True, help="Have the server's cross-encoder order them anew.")
@json_option
@with_client
def retrieve(
    client: Client,
    question: str,
    collections: tuple[str, ...],
    filters: tuple[str, ...],
    as_json: bool,
    **chosen: Any,
) -> None:
    """Find the passages that bear on a question."""
    search = cast(Search, {"filters": filters_of(filters), **chosen})
    found = client.retrieval.retrieve(question, collections, **search)
    tell(found, "\n\n".join(map(_passage_text, found)) or "nothing found", as_json)


def filters_of(told: tuple[str, ...]) -> dict[str, Any]:
    """The filters of a search, of NAME=VALUE each; several values of one name are alternatives."""
    filters: dict[str, Any] = {}
    for one in told:
        name, sign, value = one.partition("=")
        if not (sign and value):
            raise click.UsageError(f"--filter {one}: write it as NAME=VALUE")
        _add(filters, name, value)
    return filters


def _add(filters: dict[str, Any], name: str, value: str) -> None:
    if name in SEVERAL:
        filters.setdefault(SEVERAL[name], []).append(value)
    elif name in ONE:
        filters[ONE[name]] = value
    elif name == PAGES:
        first, _, last = value.partition("-")
        filters[PAGES] = [first or None, (last or None) if "-" in value else first]
    elif name.startswith(META):
        filters.setdefault("meta", {}).setdefault(name.removeprefix(META), []).append(value)
    else:
        raise click.UsageError(f"--filter {name}: there are {KNOWN}")


def _passage_text(passage: FoundPassage) -> str:
    where = place(passage.source, passage.page)
    heading = f", {passage.heading}" if passage.heading else ""
    snippet = " ".join(passage.snippet.text.split())
    return f"{number(passage.scores.get('cosine'))}  {where}{heading}\n      {snippet}"
