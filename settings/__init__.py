"""Every option of redten, read once from the environment; a module a subject documents them."""

import os

from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from settings.access import Access
from settings.client import ClientOptions
from settings.machine import Machine
from settings.services import Services
from settings.sources import Sources
from settings.weights import Weights
from settings.work import Work


class Settings(Services, Sources, Machine, Weights, Work, Access, ClientOptions):
    """What a process of redten was told; frozen, so nothing drifts after the start."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, case_sensitive=True
    )


def inherited_environment() -> dict[str, str]:
    """A copy of this process's environment, for the programs it starts."""
    return dict(os.environ)


def forget_variables(prefix: str) -> None:
    """Takes variables from this process, and so from the programs it starts."""
    for name in [name for name in os.environ if name.startswith(prefix)]:
        del os.environ[name]


def _read() -> Settings:
    """The settings, or the end of the process with a line that names the variable at fault."""
    try:
        return Settings()
    except ValidationError as exc:
        wrong = "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in exc.errors())
        raise SystemExit(f"redten: {wrong}") from exc


settings = _read()
