"""An encoder on its way into the weights folder: found or fetched, then installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.encoder_facts import Facts, folder_of
from engines.encoder_hub import fetch
from engines.encoder_install import install
from engines.errors import EngineError
from engines.hub import SCHEME
from local.landing import landing
from settings import settings


def add(
    named: str, name: str | None, query_prompt: str | None, document_prompt: str | None
) -> Facts:
    """Installs the encoder of a folder or of hf:OWNER/REPO.

    Raises EngineError, and then leaves the weights as they were.
    """
    name = name or _name(named)
    target = folder_of(settings.weights_dir, name)
    if target.exists():
        raise EngineError("file_exists", f"{target} is there already: choose another --name")
    settings.weights_dir.mkdir(parents=True, exist_ok=True)
    with _source(named) as source:
        return install(source, target, name, query_prompt, document_prompt)


def _name(named: str) -> str:
    if named.startswith(SCHEME):
        return named.removeprefix(SCHEME)
    return Path(named).expanduser().resolve().name


@contextmanager
def _source(named: str) -> Iterator[Path]:
    """The folder itself, or the one that is fetched, for as long as the block lasts."""
    if not named.startswith(SCHEME):
        path = Path(named).expanduser()
        if not path.is_dir():
            raise EngineError("no_file", f"{named} is no folder; hf:OWNER/REPO fetches one")
        yield path
        return
    with landing(named) as folder:
        yield fetch(named, folder)
