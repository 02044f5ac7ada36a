"""What every command that speaks to the server shares: its client, its output, its errors."""

import functools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
from pydantic import BaseModel

from client.client import Client
from client.errors import ClientError
from client.records import User
from settings import settings

P = ParamSpec("P")
R = TypeVar("R")

Found = BaseModel | Sequence[BaseModel] | dict[str, Any]

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class Failure(click.ClickException):
    """Work that failed: one line on standard error and exit code 1."""

    def show(self, file: Any = None) -> None:
        click.echo(printable(f"redten: {' '.join(self.message.split())}"), file=file, err=True)


def with_client(function: Callable[Concatenate[Client, P], R]) -> Callable[P, R]:
    """Give a command the client that the environment describes; a ClientError ends it.

    A Client passed to click as `obj` is taken instead.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        given = click.get_current_context().find_object(Client)
        try:
            with given or Client.from_settings(settings) as client:
                client.on_sign_up(_tell_sign_up)
                return function(client, *args, **kwargs)
        except ClientError as exc:
            raise Failure(str(exc)) from exc

    return run


def _tell_sign_up(made: User) -> None:
    # A mistyped email makes one too.
    click.echo(printable(f"made an account for {made.email}"), err=True)


def printable(text: str) -> str:
    """Without what a terminal obeys or cannot show: answers and file names come from others."""
    return CONTROL.sub("", text).encode(errors="replace").decode()


def emit(text: str) -> None:
    """Print for people."""
    click.echo(printable(text))


def tell(found: Found, text: str, as_json: bool) -> None:
    """Print what was found: as one JSON document, records as objects, or as text."""
    if as_json:
        click.echo(json.dumps(found, indent=2, default=_fields))
    else:
        emit(text)


def _fields(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json")
