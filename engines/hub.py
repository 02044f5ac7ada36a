"""Files fetched from a hub of models."""

from pathlib import Path

from engines.errors import EngineError

SCHEME = "hf:"


def download(address: str, folder: Path) -> Path:
    """The file of hf:OWNER/REPO/FILE, below `folder`, where a broken-off download goes on.

    Raises EngineError `bad_address` or `no_download`.
    """
    path = download_if_there(address, folder)
    if path is None:
        raise EngineError("no_download", f"{address} cannot be fetched: there is no such file")
    return path


def download_if_there(address: str, folder: Path) -> Path | None:
    """As `download`; None if the hub says that the repository has no such file."""
    # Imported here: it is needed for this alone.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError, RemoteEntryNotFoundError

    owner, repo, file = _split(address)
    try:
        return Path(hf_hub_download(f"{owner}/{repo}", file, local_dir=folder))
    except RemoteEntryNotFoundError:
        return None
    # Some of its errors are of one kind only: a hub out of reach, a name that cannot be.
    except (LocalEntryNotFoundError, HTTPError, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise EngineError("no_download", f"{address} cannot be fetched: {said}") from error


def _split(address: str) -> tuple[str, str, str]:
    owner, _, rest = address.removeprefix(SCHEME).partition("/")
    repo, _, file = rest.partition("/")
    if not (owner and repo and file):
        raise EngineError("bad_address", f"{address} is not of the form hf:OWNER/REPO/FILE")
    return owner, repo, file
