"""An answer on the terminal as it is written."""

import json
from collections.abc import Iterable, Iterator

import click

from client.client import Client
from client.command import emit, printable
from client.errors import JobFailed
from client.events import Event
from client.show import facts_text


def watch(client: Client, job_id: int, as_json: bool) -> None:
    """Prints the answer while it comes, then how far to trust it; as JSON, an event a line.

    JobFailed with the job's code and reason if it fails.
    """
    told = _raised(job_id, client.events(job_id))
    if as_json:
        for event in told:
            click.echo(json.dumps(event._asdict()))
    else:
        _print(told)
        emit(f"\n{facts_text(client.answer(job_id))}")


def _raised(job_id: int, told: Iterable[Event]) -> Iterator[Event]:
    """The events; one that says that the job failed becomes an error after it."""
    for event in told:
        yield event
        if event.kind == "error":
            reason, code = event.data["message"], event.data["code"]
            raise JobFailed(f"job {job_id} failed: {reason}", code=code)


def _print(told: Iterable[Event]) -> None:
    """The text as it comes; all over again if another attempt began or tokens were lost."""
    shown, attempt = "", 0
    for event in told:
        if event.kind == "token":
            shown += event.data["text"]
            click.echo(printable(event.data["text"]), nl=False)
        elif event.kind == "answer":
            text = event.data["text"] or ""
            rest = text.removeprefix(shown) if text.startswith(shown) else f"\n\n{text}"
            click.echo(printable(rest))
        elif event.kind == "error" and shown:
            click.echo()
        elif event.kind == "state" and event.data["attempt"] > attempt:
            if shown:
                click.echo()
                click.echo("redten: the work was lost and begins anew", err=True)
            shown, attempt = "", event.data["attempt"]
