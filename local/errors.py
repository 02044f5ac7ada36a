"""What keeps redten from running on this machine, said so that a person can act on it."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click

P = ParamSpec("P")


class LocalError(Exception):
    """Something a person has to know or do before redten can run here; the text says what."""


class Stopped(Exception):
    """A person or the system asked for the end; what is under way is given up."""


def local_errors(command: Callable[P, None]) -> Callable[P, None]:
    """A LocalError ends the command with its message and exit code 1, as does a missing library."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except LocalError as exc:
            click.echo(f"redten: {exc}", err=True)
            sys.exit(1)
        except ModuleNotFoundError as exc:
            click.echo(f"redten: no {exc.name} here: pip install 'redten[server]'", err=True)
            sys.exit(1)

    return guarded
