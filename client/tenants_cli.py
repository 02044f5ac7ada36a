"""The commands about tenants, and about who is asked into them."""

import sys
from pathlib import Path

import click
from tqdm import tqdm

from client.admin import ROLES
from client.archive import Manifest, check
from client.client import Client
from client.command import Failure, json_option, printable, tell, with_client
from client.half_made import half_made
from client.show import table
from client.tenants import Invitation, NewInvitation, Tenant

HEADERS = ("ID", "NAME", "ROLE", "DEFAULT")
INVITATION_HEADERS = ("ID", "EMAIL", "ROLE", "STATUS", "MADE", "EXPIRES")

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def tenants() -> None:
    """The tenants that you belong to; REDTEN_TENANT names the one that a command is about."""


@tenants.command("list")
@json_option
@with_client
def list_tenants(client: Client, as_json: bool) -> None:
    """List your tenants, and your role in each."""
    found = client.tenants.list()
    rows = ((t.id, t.name, t.role, "yes" if t.default else "") for t in found)
    tell(found, table(HEADERS, rows), as_json)


@tenants.command()
@click.argument("name")
@json_option
@with_client
def create(client: Client, name: str, as_json: bool) -> None:
    """Make a tenant of your own."""
    made = client.tenants.create(name)
    tell(made, f"made tenant {made.id}, {made.name}: name it in REDTEN_TENANT", as_json)


@tenants.command()
@click.argument("tenant")
@json_option
@with_client
def use(client: Client, tenant: str, as_json: bool) -> None:
    """Act in a tenant, by name or id, whenever REDTEN_TENANT is not set."""
    chosen = client.tenants.use(tenant)
    tell(chosen, f"you act in {chosen.name} from now on", as_json)


@tenants.command()
@click.argument("name")
@json_option
@with_client
def rename(client: Client, name: str, as_json: bool) -> None:
    """Call the tenant something else; for its owners."""
    renamed = client.tenants.rename(name)
    tell(renamed, f"tenant {renamed.id} is now {renamed.name}", as_json)


@tenants.command()
@click.argument("email")
@click.option("--role", type=ROLES, default="member", show_default=True)
@json_option
@with_client
def invite(client: Client, email: str, role: str, as_json: bool) -> None:
    """Invite somebody by email, and print the token to accept with, this once; for owners."""
    made = client.tenants.invite(email, role)
    token = made.token.get_secret_value()
    tell(made.model_dump(mode="json") | {"token": token}, _invited(made, token), as_json)


def _invited(made: NewInvitation, token: str) -> str:
    told = "it was mailed to them as well" if made.mailed else "no mail is sent: tell them"
    return f"{token}\n{made.email} accepts with `redten tenants accept TOKEN`; {told}"


@tenants.command()
@click.option("--withdraw", type=click.IntRange(min=1), help="Make the one with this id void.")
@json_option
@with_client
def invitations(client: Client, withdraw: int | None, as_json: bool) -> None:
    """List the tenant's invitations, or withdraw one; for owners."""
    if withdraw is not None:
        gone = client.tenants.withdraw(withdraw)
        return tell(gone, f"withdrew the invitation of {gone.email}", as_json)
    found = client.tenants.invitations()
    tell(found, table(INVITATION_HEADERS, map(_row, found)), as_json)


def _row(one: Invitation) -> tuple[object, ...]:
    return (one.id, one.email, one.role, one.status, one.created_at, one.expires_at)


@tenants.command()
@click.argument("token")
@json_option
@with_client
def accept(client: Client, token: str, as_json: bool) -> None:
    """Join the tenant that has invited you."""
    joined = client.tenants.accept(token)
    tell(joined, f"you belong to {joined.name} as {joined.role}", as_json)


@tenants.command()
@yes_option
@with_client
def leave(client: Client, yes: bool) -> None:
    """Leave the tenant; what is yours in it passes to an owner."""
    here = _here(client)
    if not yes:
        _confirm(f"Leave {here.name}? Your collections and files in it pass to an owner.")
    client.tenants.leave()
    click.echo(printable(f"you do not belong to {here.name} any more"))


@tenants.command("hand-over")
@click.argument("email")
@json_option
@with_client
def hand_over(client: Client, email: str, as_json: bool) -> None:
    """Make a member an owner in your place; you stay as an expert."""
    owner = client.tenants.hand_over(email)
    tell(owner, f"{owner.email} is now an owner, and you are an expert", as_json)


@tenants.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_client
def export(client: Client, file: Path) -> None:
    """Fetch all that the tenant has into FILE, a tar.gz; for owners."""
    with half_made(file) as path:
        _fetch(client, path)
        manifest = check(path)
    click.echo(printable(_exported(file, manifest)), err=True)


def _fetch(client: Client, path: Path) -> None:
    bar = tqdm(desc="export", unit="B", unit_scale=True, file=sys.stderr, disable=None)
    with path.open("wb") as written, bar:
        client.tenants.export(written, bar.update)


def _exported(file: Path, manifest: Manifest) -> str:
    rows, missing = sum(manifest.rows.values()), len(manifest.missing)
    gone = f", {missing} files went meanwhile" if missing else ""
    return f"{file}: {manifest.tenant.get('name')}, {rows} rows, {len(manifest.files)} files{gone}"


@tenants.command()
@click.argument("name")
@yes_option
@json_option
@with_client
def delete(client: Client, name: str, yes: bool, as_json: bool) -> None:
    """Delete the tenant with everything in it; NAME must be its name. For owners."""
    if not yes:
        _confirm(f"Delete {name} with all documents, questions and answers in it, for good?")
    gone = client.tenants.delete(name)
    tell(gone, f"nobody gets into {gone.name} any more, and it is being removed", as_json)


def _confirm(question: str) -> None:
    click.confirm(printable(question), abort=True, err=True)


def _here(client: Client) -> Tenant:
    """The tenant that the client acts for."""
    named = client.connection.tenant
    for one in client.tenants.list():
        if named in (one.name, str(one.id)) if named else one.default:
            return one
    raise Failure(f"you belong to no tenant {named or 'by default'}")
