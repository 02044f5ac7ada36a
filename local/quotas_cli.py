"""`redten quotas`: what a tenant uses, for its members; what it may have, for the operator."""

from pathlib import Path
from typing import Any

import click

from client.client import Client
from client.command import json_option, tell, with_client
from client.show import table
from local.errors import LocalError, local_errors
from settings import settings

LIMIT = click.IntRange(min=0)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=settings.data_dir,
    show_default=True,
    help="The `redten up` that is meant, unless DATABASE_URL names a database.",
)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def quotas(ctx: click.Context, as_json: bool) -> None:
    """Show how much your tenant uses of what it may have."""
    if ctx.invoked_subcommand is None:
        _show_own(as_json)


@with_client
def _show_own(client: Client, as_json: bool) -> None:
    found = client.tenants.quota().model_dump()
    tell(found, _text(found), as_json)


@quotas.command("show")
@click.argument("tenant")
@data_dir_option
@json_option
@local_errors
def show_quota(tenant: str, data_dir: Path, as_json: bool) -> None:
    """Show what a tenant, by id or name, uses of what it may have; for the operator."""
    found = _of(data_dir, tenant, {})
    tell(found, _text(found), as_json)


@quotas.command("set")
@click.argument("tenant")
@click.option("--jobs", type=LIMIT, help="Questions and files of texts in flight.")
@click.option("--documents", type=LIMIT, help="New documents in flight.")
@click.option("--storage-bytes", type=LIMIT, help="Documents, uploads and files of texts stored.")
@click.option("--default", "defaults", is_flag=True, help="Take back what is not named.")
@data_dir_option
@json_option
@local_errors
def set_quota(
    tenant: str, data_dir: Path, defaults: bool, as_json: bool, **limits: int | None
) -> None:
    """Change what a tenant, by id or name, may have; 0 is no limit. For the operator."""
    wanted = {name: most for name, most in limits.items() if most is not None or defaults}
    if not wanted:
        raise LocalError("nothing to change: name a limit, as --jobs 100, or --default")
    found = _of(data_dir, tenant, wanted)
    tell(found, _text(found), as_json)


def _of(data_dir: Path, tenant: str, wanted: dict[str, int | None]) -> dict[str, Any]:
    """What the tenant uses of what it may have, once the wanted limits are in force."""
    from dataclasses import asdict

    from local.deployment import as_owner
    from models.errors import RedtenError
    from models.quota import set_quota, usage
    from models.tenant import find_tenant

    try:
        with as_owner(data_dir) as session:
            found = find_tenant(session, tenant)
            if wanted:
                set_quota(session, found.id, **wanted)
            used = usage(session, found.id)
    except RedtenError as exc:
        raise LocalError(str(exc)) from exc
    return {name: asdict(one) for name, one in used.items()}


def _text(found: dict[str, Any]) -> str:
    rows = ((name, one["used"], one["most"] or "no limit") for name, one in found.items())
    return table(("WHAT", "USED", "OF"), rows)
