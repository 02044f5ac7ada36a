"""Which GGUF answers to which name."""

from pathlib import Path

from engines.errors import EngineError
from settings import settings


def installed() -> dict[str, Path]:
    """Every GGUF in the weights folder, by file name."""
    return {path.name: path for path in sorted(settings.weights_dir.glob("*.gguf"))}


def resolve(name: str | None) -> Path:
    """An installed file, what the alias table calls so, or the deployment's default.

    Published clients always name a model that is rarely the one deployed, so an unknown name is
    no error. Raises EngineError `no_model` if the default itself is not installed.
    """
    files = installed()
    for candidate in (name, settings.model_aliases.get(name or ""), settings.model):
        if candidate in files:
            return files[candidate]
    raise EngineError(
        "no_model", f"{settings.model} is not in {settings.weights_dir}: run `redten weights`"
    )
