"""The commands about people, collections and documents."""

from typing import Any, cast

import click
from click.core import ParameterSource

from client.client import Client
from client.collection_records import Collection, Document, Rebuild
from client.command import Failure, emit, json_option, printable, tell, with_client
from client.recipes import Recipe
from client.show import shorten, table
from settings import settings

ROLES = click.Choice(["owner", "expert", "member", "agent"])
VISIBILITIES = click.Choice(["private", "tenant", "public"])


@click.group()
def users() -> None:
    """Who belongs to the tenant, and in which role."""


@users.command("list")
@json_option
@with_client
def list_users(client: Client, as_json: bool) -> None:
    """List the tenant's users."""
    members = client.members()
    rows = ((m.user_id, m.email, m.role) for m in members)
    tell(members, table(("ID", "EMAIL", "ROLE"), rows), as_json)


@users.command("role")
@click.argument("email")
@click.argument("role", type=ROLES)
@json_option
@with_client
def set_role(client: Client, email: str, role: str, as_json: bool) -> None:
    """Give a user a role in the tenant; for its owners."""
    member = client.tenants.set_role(email, role)
    tell(member, f"{member.email} is now {member.role}", as_json)


@users.command("remove")
@click.argument("email")
@json_option
@with_client
def remove_user(client: Client, email: str, as_json: bool) -> None:
    """Take a user out of the tenant, for its owners; their collections pass to you."""
    gone = client.tenants.remove_member(email)
    tell(gone, f"{gone.email} does not belong to the tenant any more", as_json)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def collections(ctx: click.Context, as_json: bool) -> None:
    """List the collections that can be asked; make, change or remove one."""
    told = {"as_json": as_json}
    ctx.default_map = {"create": told, "set": told, "rm": told}
    if ctx.invoked_subcommand is None:
        _list_collections(as_json)


@with_client
def _list_collections(client: Client, as_json: bool) -> None:
    found = client.collections()
    tell(found, _collections_text(found), as_json)


@collections.command("create")
@click.argument("name")
@click.option(
    "--visibility",
    type=VISIBILITIES,
    default="private",
    show_default=True,
    help="Who may ask it: only you, the tenant, or everybody.",
)
@click.option("--notes", help="What it holds.")
@json_option
@with_client
def create(client: Client, name: str, visibility: str, notes: str | None, as_json: bool) -> None:
    """Make a collection of your own."""
    made = client.create_collection(name, visibility, notes)
    tell(made, f"made collection {made.name}, {made.visibility}", as_json)


@collections.command("set")
@click.argument("name")
@click.option("--chunk-tokens", type=int, help="Largest chunk, in tokens of the embedding model.")
@click.option("--overlap", "chunk_overlap", type=int, help="Tokens that neighbours share.")
@click.option("--language", help="Language of the texts, as Postgres calls it; `simple`: any.")
@click.option("--embed-model", "embed_model_name", help="Embedding model, by name.")
@json_option
@with_client
def set_recipe(client: Client, name: str, as_json: bool, **options: Any) -> None:
    """Change how documents are cut, indexed and embedded; all are read again meanwhile."""
    changes = {option: value for option, value in options.items() if value is not None}
    if not changes:
        raise Failure("nothing to change: name a setting, as --chunk-tokens 150")
    made = client.recipes.change(name, **cast(Recipe, changes))
    told = f"{made.name} is made anew and serves as it was until then; `redten collections` tells"
    tell(made, told if made.rebuild else f"{made.name} has these settings", as_json)


@collections.command("rm")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_client
def remove_collection(client: Client, name: str, yes: bool, as_json: bool) -> None:
    """Remove a collection with all documents and sources in it; answers drawn from it stay."""
    found = [c for c in client.collections() if name in (c.name, str(c.id))]
    # Of several of one name the server means one's own.
    chosen = next((c for c in found if c.mine), next(iter(found), None))
    if chosen is None:
        raise Failure(f"there is no collection {name}")
    if not yes:
        told = f"Remove collection {chosen.name} with its {chosen.documents} documents?"
        click.confirm(printable(told), abort=True, err=True)
    client.delete_collection(str(chosen.id))
    tell(chosen, f"removed collection {chosen.name}", as_json)


@click.group(invoke_without_command=True)
@click.option(
    "-c",
    "--collection",
    default=settings.ai_collection,
    show_default=True,
    help="Name or id of the collection.",
)
@json_option
@click.pass_context
def documents(ctx: click.Context, collection: str, as_json: bool) -> None:
    """List the documents of a collection, or take some out."""
    told: dict[str, object] = {"as_json": as_json}
    # Nothing is taken out of a collection that nobody named.
    if ctx.get_parameter_source("collection") is ParameterSource.COMMANDLINE:
        told["collection"] = collection
    ctx.default_map = {"rm": told}
    if ctx.invoked_subcommand is None:
        _list_documents(collection, as_json)


@with_client
def _list_documents(client: Client, collection: str, as_json: bool) -> None:
    found = client.documents(collection)
    tell(found, _documents_text(found), as_json)


@documents.command("rm")
@click.option("-c", "--collection", required=True, help="Name or id of the collection.")
@click.argument("wanted", nargs=-1, required=True, metavar="NAME_OR_ID...")
@json_option
@with_client
def remove(client: Client, collection: str, wanted: tuple[str, ...], as_json: bool) -> None:
    """Take documents out of a collection."""
    present = client.documents(collection)
    chosen = {name_or_id: _named(present, name_or_id) for name_or_id in wanted}
    removed = list({d.id: d for d in chosen.values() if d}.values())
    for document in removed:
        client.delete_document(collection, document.id)
        if not as_json:
            emit(f"removed {document.name}")
    if as_json:
        tell(removed, "", as_json)
    if missing := [name for name, document in chosen.items() if not document]:
        raise Failure(f"not in collection {collection}: {', '.join(missing)}")


def _named(present: list[Document], name_or_id: str) -> Document | None:
    """The document of that name, or else of that id."""
    by_name = (d for d in present if d.name == name_or_id)
    by_id = (d for d in present if str(d.id) == name_or_id)
    return next(by_name, None) or next(by_id, None)


def _collections_text(found: list[Collection]) -> str:
    headers = ("ID", "NAME", "VISIBILITY", "MINE", "DOCUMENTS", "CHUNKS", "REBUILD", "NOTES")
    rows = (
        (
            *(c.id, c.name, c.visibility, "yes" if c.mine else "", c.documents, c.chunks),
            _rebuild_text(c.rebuild),
            c.notes,
        )
        for c in found
    )
    return table(headers, rows)


def _rebuild_text(rebuild: Rebuild | None) -> str:
    if rebuild is None:
        return ""
    if rebuild.given_up:
        return shorten(f"given up: {rebuild.given_up}")
    return f"{rebuild.done} of {rebuild.documents} documents"


def _documents_text(found: list[Document]) -> str:
    headers = ("ID", "NAME", "STATUS", "PAGES", "CHUNKS", "BYTES", "CHANGED", "NOTE")
    rows = (
        (
            *(d.id, d.name, d.status, d.pages, d.chunks, d.size_in_bytes, d.updated_at),
            shorten(d.msg or d.scanned),
        )
        for d in found
    )
    return table(headers, rows)
