"""The commands about service keys."""

import click

from client.client import Client
from client.command import json_option, tell, with_client
from client.show import table

HEADERS = ("ID", "NAME", "KEY", "USER", "MADE", "EXPIRES", "REVOKED")


@click.group()
def keys() -> None:
    """Service keys: secrets with which programs act for you in one tenant."""


@keys.command("create")
@click.argument("name")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="Default: never.")
@json_option
@with_client
def create(client: Client, name: str, expires_in_days: int | None, as_json: bool) -> None:
    """Make a key and print its secret, this once."""
    made = client.keys.create(name, expires_in_days)
    secret = made.key.get_secret_value()
    tell(made.model_dump(mode="json") | {"key": secret}, secret, as_json)


@keys.command("list")
@json_option
@with_client
def list_keys(client: Client, as_json: bool) -> None:
    """List your keys; for an owner of the tenant, everybody's."""
    found = client.keys.list()
    rows = (
        (k.id, k.name, f"{k.hint}...", k.user_id, k.created_at, k.expires_at, k.revoked_at)
        for k in found
    )
    tell(found, table(HEADERS, rows), as_json)


@keys.command("revoke")
@click.argument("key_id", type=click.IntRange(min=1))
@json_option
@with_client
def revoke(client: Client, key_id: int, as_json: bool) -> None:
    """End a key at once."""
    ended = client.keys.revoke(key_id)
    tell(ended, f"revoked {ended.name}", as_json)
