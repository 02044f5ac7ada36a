"""`redten weights`: those that came as packages, and further encoders, kept by the operator."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec

import click

from local.errors import LocalError, local_errors
from settings import settings

P = ParamSpec("P")
HEADERS = ("NAME", "KIND", "DIMENSIONS", "WINDOW", "PRECISION", "FLOAT32/S", "INT8/S", "COSINE")


def _refusing(command: Callable[P, None]) -> Callable[P, None]:
    """A refusal ends the command with one line."""

    @wraps(command)
    @local_errors
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from engines.errors import EngineError

        try:
            command(*args, **kwargs)
        except (EngineError, OSError) as exc:
            raise LocalError(str(exc)) from exc

    return run


@click.group(invoke_without_command=True)
@click.pass_context
@_refusing
def weights(ctx: click.Context) -> None:
    """Make the weights ready that came as packages; add embedding models and rerankers."""
    if ctx.invoked_subcommand:
        return
    from engines.weights import prepare

    for path in prepare(settings.weights_dir):
        click.echo(f"made {path}")


@weights.command("add")
@click.argument("source", metavar="FOLDER|hf:OWNER/REPO")
@click.option("--name", help="What it is asked for by; default: OWNER/REPO, or the folder's name.")
@click.option("--query-prompt", help="Put before every question; default: as the model says.")
@click.option("--document-prompt", help="Put before every text that is stored.")
@_refusing
def add_encoder(
    source: str, name: str | None, query_prompt: str | None, document_prompt: str | None
) -> None:
    """Install an embedding model or a cross-encoder that sentence-transformers saved."""
    from local.encoder_files import add

    added = add(source, name, query_prompt, document_prompt)
    click.echo(f"added {added.name}, {_how(added.precision, added.rates)}")


@weights.command("measure")
@click.argument("name", default=settings.embed_model)
@_refusing
def measure_encoder(name: str) -> None:
    """Measure again which precision is faster here, as after a move to another machine."""
    from engines.encoder_facts import find
    from engines.encoder_install import measure_again

    folder, _ = find(settings.weights_dir, name, "embedder")
    facts = measure_again(folder)
    click.echo(f"{facts.name}: {_how(facts.precision, facts.rates)}")


@weights.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_refusing
def list_encoders(as_json: bool) -> None:
    """List the encoders that are installed; `redten models list` has what answers."""
    from dataclasses import asdict

    from client.show import table
    from engines.encoder_install import installed

    found = list(installed(settings.weights_dir))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    rows = (
        (
            one.name,
            one.kind,
            one.dimensions,
            one.max_seq_length,
            one.precision,
            one.rates.get("float32"),
            one.rates.get("int8"),
            one.cosine,
        )
        for one in found
    )
    click.echo(table(HEADERS, rows))


def _how(precision: str, rates: Mapping[Any, float]) -> str:
    """The precision that was chosen, and the rates that it was chosen by."""
    told = ", ".join(f"{name} {rate:.0f} texts/s" for name, rate in rates.items())
    return f"computed in {precision}" + (f" ({told})" if told else "")
