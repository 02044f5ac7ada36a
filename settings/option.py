"""An option, documented where it is declared."""

from typing import Any

from pydantic import Field


def option(env: str, default: object, description: str) -> Any:
    """A field read from the variable `env`; an empty variable counts as unset."""
    return Field(default=default, validation_alias=env, description=description)
