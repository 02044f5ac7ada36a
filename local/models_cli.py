"""`redten models`: which models and adapters answer here, kept by the operator."""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from local.errors import LocalError, local_errors
from settings import settings

P = ParamSpec("P")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=settings.data_dir,
    show_default=True,
    help="The `redten up` that is meant, unless DATABASE_URL names a database.",
)
@click.pass_context
def models(ctx: click.Context, data_dir: Path) -> None:
    """Which models answer: where the weights and the database are."""
    ctx.obj = data_dir


def _with_registry(command: Callable[Concatenate[Any, P], None]) -> Callable[P, None]:
    """Gives a command what opens the registry; a refusal ends it with one line."""

    @wraps(command)
    @local_errors
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from engines.errors import EngineError
        from local.deployment import as_owner
        from models.errors import RedtenError

        registry = partial(as_owner, click.get_current_context().obj)
        try:
            command(registry, *args, **kwargs)
        except (EngineError, RedtenError, OSError) as exc:
            raise LocalError(str(exc)) from exc

    return run


@models.command("list")
@json_option
@_with_registry
def list_models(registry: Any, as_json: bool) -> None:
    """List the registered models and their adapters."""
    from local.model_texts import listing
    from models.model import default_model
    from models.model import models as registered

    with registry() as session:
        click.echo(listing(registered(session), default_model(session).file, as_json))


@models.command("add")
@click.argument("source", metavar="FILE|hf:OWNER/REPO/FILE")
@click.option("--name", help="What it is asked for by; default: the file's name.")
@click.option(
    "--requantize",
    type=click.Choice(["Q8_0", "Q4_0"]),
    help="Write it anew in a format that is fast here.",
)
@click.option("--base", metavar="NAME", help="The model that an adapter is for; the default one.")
@_with_registry
def add_model(
    registry: Any, source: str, name: str | None, requantize: Any, base: str | None
) -> None:
    """Check a GGUF, model or LoRA adapter, put it into the weights folder and register it."""
    from local.model_files import Wanted, add

    added = add(registry, Wanted(source, name, requantize, base))
    click.echo(f"added {added}")


@models.command("rm")
@click.argument("name")
@_with_registry
def remove_model(registry: Any, name: str) -> None:
    """Take a model or an adapter out, and its file away."""
    from models.registry import remove

    with registry() as session:
        file = remove(session, name)
    (settings.weights_dir / file).unlink(missing_ok=True)
    click.echo(f"removed {name}")


@models.command("show")
@click.argument("name")
@json_option
@_with_registry
def show_model(registry: Any, name: str, as_json: bool) -> None:
    """Show all that is known of a model."""
    from local.model_texts import description
    from models.model import default_model
    from models.registry import require_model

    with registry() as session:
        found = require_model(session, name)
        click.echo(description(found, default_model(session).file, as_json))


@models.command("bench")
@click.argument("name")
@_with_registry
def bench_model(registry: Any, name: str) -> None:
    """Measure a model on this machine: reading a prompt, writing one answer, writing eight."""
    from local.speed import measure
    from models.registry import require_model

    with registry() as session:
        found = require_model(session, name)
    speed = measure(settings.weights_dir / found.file)
    click.echo(
        f"{found.name}: prompt {speed.prefill:.0f} tokens/s,"
        f" answer {speed.generation:.0f} tokens/s, 8 answers together {speed.together:.0f} tokens/s"
    )


@models.command("default")
@click.argument("name")
@_with_registry
def choose_default(registry: Any, name: str) -> None:
    """Have a model answer wherever no model that is here is named."""
    from models.registry import set_default

    with registry() as session:
        chosen = set_default(session, name).name
    click.echo(f"{chosen} is the default")


@models.command("alias")
@click.argument("alias")
@click.argument("name")
@_with_registry
def name_alias(registry: Any, alias: str, name: str) -> None:
    """Let a model be asked for by another name as well."""
    from models.registry import set_alias

    with registry() as session:
        meant = set_alias(session, alias, name).name
    click.echo(f"{alias} is {meant}")
