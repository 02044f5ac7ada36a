"""The commands about service keys."""

from collections.abc import Sequence

import click

from client.client import Client
from client.command import json_option, tell, with_client
from client.keys import Key
from client.show import table

HEADERS = ("ID", "NAME", "KEY", "USER", "SCOPES", "MADE", "USED", "EXPIRES", "REVOKED")
SCOPES = click.Choice(["ask", "read", "ingest", "review", "deliver", "manage"])


@click.group()
def keys() -> None:
    """Service keys: secrets with which programs act for you in one tenant."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=SCOPES,
    multiple=True,
    help="What it is good for; may be given again. Default: all of it.",
)
@click.option(
    "--expires-in-days",
    "--expires",
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    help="Default: never.",
)
@json_option
@with_client
def create(
    client: Client,
    name: str,
    scopes: tuple[str, ...],
    expires_in_days: int | None,
    as_json: bool,
) -> None:
    """Make a key and print its secret, this once."""
    made = client.keys.create(name, expires_in_days, scopes)
    secret = made.key.get_secret_value()
    tell(made.model_dump(mode="json") | {"key": secret}, secret, as_json)


@keys.command("list")
@json_option
@with_client
def list_keys(client: Client, as_json: bool) -> None:
    """List your keys; for an owner of the tenant, everybody's."""
    found = client.keys.list()
    tell(found, table(HEADERS, map(_row, found)), as_json)


def _row(key: Key) -> Sequence[object]:
    made = (key.id, key.name, f"{key.hint}...", key.user_id, " ".join(key.scopes), key.created_at)
    return (*made, key.last_used_at, key.expires_at, key.revoked_at)


@keys.command("revoke")
@click.argument("key_id", type=click.IntRange(min=1))
@json_option
@with_client
def revoke(client: Client, key_id: int, as_json: bool) -> None:
    """End a key at once."""
    ended = client.keys.revoke(key_id)
    tell(ended, f"revoked {ended.name}", as_json)
