"""The commands about questions on their way, and about work that failed."""

import click

from client.client import Client
from client.command import Failure as CommandFailure
from client.command import json_option, tell, with_client
from client.jobs import Refused, Retried
from client.show import shorten, table

KINDS = click.Choice(("job", "document", "review", "source", "embedding"))
STATES = click.Choice(("waiting", "running", "done", "failed"))
HEADERS = ("ID", "STATUS", "STEP", "ATTEMPT", "MADE", "CODE", "REASON")
FAILED_HEADERS = ("KIND", "ID", "NAME", "STEP", "ATTEMPT", "SINCE", "CODE", "REASON")


@click.group(invoke_without_command=True)
@click.option("--state", type=STATES, help="Only questions in that state.")
@click.option("--failed", is_flag=True, help="Work of every kind that failed.")
@click.option("--kind", type=KINDS, help="With --failed: only of that kind.")
@click.option("--code", help="With --failed: only with that code.")
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True)
@json_option
@click.pass_context
def jobs(
    context: click.Context,
    state: str | None,
    failed: bool,
    kind: str | None,
    code: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List questions, newest first, or with --failed whatever work has failed."""
    if context.invoked_subcommand is not None:
        return
    if (kind or code) and not failed:
        raise click.UsageError("--kind and --code go with --failed")
    if failed:
        return _list_failures(kind, code, limit, as_json)
    _list_jobs(state, limit, as_json)


@with_client
def _list_jobs(client: Client, state: str | None, limit: int, as_json: bool) -> None:
    found = client.jobs.list(state, limit)
    rows = (
        (j.id, j.status, j.step, j.attempt, j.created_at, j.code, shorten(j.msg)) for j in found
    )
    tell(found, table(HEADERS, rows) if found else "no jobs found", as_json)


@with_client
def _list_failures(
    client: Client, kind: str | None, code: str | None, limit: int, as_json: bool
) -> None:
    found = client.jobs.failures(kind, code, limit)
    rows = (
        (f.kind, f.id, shorten(f.name, 40), f.step, f.attempt, f.since, f.code, shorten(f.msg))
        for f in found
    )
    tell(found, table(FAILED_HEADERS, rows) if found else "nothing has failed", as_json)


@jobs.command("retry")
@click.argument("work_id", metavar="[ID]", type=click.IntRange(min=1), required=False)
@click.option("--all", "everything", is_flag=True, help="Everything that failed.")
@click.option("--kind", type=KINDS, help="Of that kind; default: job, with --all every kind.")
@click.option("--code", help="With --all: only what failed with that code.")
@json_option
@with_client
def retry(
    client: Client,
    work_id: int | None,
    everything: bool,
    kind: str | None,
    code: str | None,
    as_json: bool,
) -> None:
    """Try failed work again from its first step: one piece, or all."""
    if everything == (work_id is not None):
        raise click.UsageError("give an ID or --all")
    if code and not everything:
        raise click.UsageError("--code goes with --all")
    if work_id is not None:
        begun = client.jobs.retry(kind or "job", work_id)
        return tell(begun, _line(begun), as_json)
    became = list(client.jobs.retry_all(kind, code))
    tell(became, "\n".join(map(_line, became)) or "nothing has failed", as_json)
    if refused := sum(isinstance(one, Refused) for one in became):
        raise CommandFailure(f"{refused} of {len(became)} cannot be tried again")


def _line(one: Retried | Refused) -> str:
    if isinstance(one, Refused):
        return f"{one.kind} {one.id}: {one.message}"
    return f"{one.kind} {one.id} begins again, attempt {one.attempt}"
