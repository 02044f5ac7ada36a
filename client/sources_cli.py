"""The commands about sources."""

import re
from pathlib import Path

import click

from client.client import Client
from client.command import json_option, tell, with_client
from client.show import pairs, shorten, table
from client.sources import Run, Source

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LEAST_S = 60
HEADERS = ("ID", "COLLECTION", "ADDRESS", "EVERY", "STATUS", "NEXT", "LAST RUN")
RUN_HEADERS = ("STARTED", "ENDED", "ADDED", "CHANGED", "UNCHANGED", "REMOVED", "FAILED", "REASON")
SOURCE_ID = click.argument("source_id", type=click.IntRange(min=1))


class Every(click.ParamType):
    """A span of time: 90s, 30m, 1h, 7d."""

    name = "span"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,9})([smhd])", value.strip().lower())
        seconds = int(found[1]) * UNITS[found[2]] if found else 0
        if not LEAST_S <= seconds < 2**31:
            self.fail(f"{value!r}: write it as 30m, 1h or 7d; at least {LEAST_S}s", param, ctx)
        return seconds


@click.group()
def sources() -> None:
    """Places that keep collections up to date: folders of the worker, S3, pages and feeds."""


@sources.command("add")
@click.argument("address")
@click.option("-c", "--collection", required=True, help="Name or id of the collection.")
@click.option("--every", type=Every(), help="Read it again so often: 30m, 1h, 7d. Default: once.")
@click.option("--prefix", default="", help="Put before the names of its documents.")
@json_option
@with_client
def add(
    client: Client, address: str, collection: str, every: int | None, prefix: str, as_json: bool
) -> None:
    """Bring in a folder of the worker, s3://BUCKET/PREFIX, a page or a feed, and keep it so."""
    made = client.sources.add(collection, _absolute(address), every, prefix)
    said = f"source {made.id}: {made.address} is being read into {made.collection}"
    tell(made, f"{said}; `redten sources show {made.id}` tells how it goes", as_json)


def _absolute(address: str) -> str:
    """A folder of this machine as the worker, if it runs here too, will find it."""
    return address if "://" in address else str(Path(address).absolute())


@sources.command("list")
@json_option
@with_client
def list_sources(client: Client, as_json: bool) -> None:
    """List the sources of the collections that you may fill."""
    found = client.sources.list()
    tell(found, table(HEADERS, map(_row, found)), as_json)


def _row(source: Source) -> tuple[object, ...]:
    last = source.run and _counts(source.run)
    every = span(source.every_s)
    where = (source.id, source.collection, source.address)
    return (*where, every, source.status, source.next_run_at, source.msg or last)


def _counts(run: Run) -> str:
    return (
        f"{run.added} added, {run.changed} changed, {run.unchanged} unchanged,"
        f" {run.removed} removed, {run.failed} failed"
    )


def span(seconds: int | None) -> str | None:
    """As `--every` takes it, in the largest unit that fits."""
    if seconds is None:
        return None
    unit = max((unit for unit in UNITS if seconds % UNITS[unit] == 0), key=UNITS.__getitem__)
    return f"{seconds // UNITS[unit]}{unit}"


@sources.command("show")
@SOURCE_ID
@json_option
@with_client
def show(client: Client, source_id: int, as_json: bool) -> None:
    """Show a source, its last runs, and what failed in the newest."""
    tell(found := client.sources.show(source_id), _text(found), as_json)


def _text(source: Source) -> str:
    head = pairs(
        (
            ("source", f"{source.id} of {source.collection}"),
            ("address", source.address),
            ("prefix", source.prefix),
            ("every", span(source.every_s)),
            ("status", source.status),
            ("next run", source.next_run_at),
        )
    )
    counts = ("added", "changed", "unchanged", "removed", "failed")
    rows = (
        (r.started_at, r.ended_at, *(getattr(r, count) for count in counts), shorten(r.msg))
        for r in source.runs
    )
    newest = source.runs[0].messages if source.runs else []
    failed = [f"failed  {one.name}: {one.message}" for one in newest]
    return "\n".join([head, "", table(RUN_HEADERS, rows), *failed])


@sources.command("run")
@SOURCE_ID
@json_option
@with_client
def run(client: Client, source_id: int, as_json: bool) -> None:
    """Have a source read now."""
    started = client.sources.run(source_id)
    tell(started, f"{started.address} is being read", as_json)


@sources.command("rm")
@SOURCE_ID
@click.option("--documents", is_flag=True, help="Take out what it has brought as well.")
@json_option
@with_client
def remove(client: Client, source_id: int, documents: bool, as_json: bool) -> None:
    """Forget a source; its documents stay unless you say otherwise."""
    client.sources.remove(source_id, documents)
    said = f"removed source {source_id}" + (" and its documents" if documents else "")
    tell({"id": source_id, "documents": documents}, said, as_json)
