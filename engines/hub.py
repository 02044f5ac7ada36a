"""Files fetched from a hub of models."""

from pathlib import Path

from engines.errors import EngineError

SCHEME = "hf:"


def download(address: str, folder: Path) -> Path:
    """The file of hf:OWNER/REPO/FILE, below `folder`, where a broken-off download goes on.

    Raises EngineError `bad_address` or `no_download`.
    """
    # Imported here: it is needed for this alone.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HTTPError

    owner, repo, file = _split(address)
    try:
        return Path(hf_hub_download(f"{owner}/{repo}", file, local_dir=folder))
    # Some of its errors are of one kind only: a file that is not there, a name that cannot be.
    except (EntryNotFoundError, HTTPError, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise EngineError("no_download", f"{address} cannot be fetched: {said}") from error


def _split(address: str) -> tuple[str, str, str]:
    owner, _, rest = address.removeprefix(SCHEME).partition("/")
    repo, _, file = rest.partition("/")
    if not (owner and repo and file):
        raise EngineError("bad_address", f"{address} is not of the form hf:OWNER/REPO/FILE")
    return owner, repo, file
