"""The files of an encoder fetched from a hub of models: those that are needed, no others."""

import json
from pathlib import Path

from engines.encoder_facts import TOKENIZER
from engines.encoder_source import (
    BERT,
    CONFIG,
    EXPORTED,
    LIMITS,
    MODULES,
    PROMPTS,
    is_ours,
    pooling_folder,
)
from engines.errors import EngineError
from engines.hub import SCHEME, download, download_if_there

OPTIONAL = (MODULES, LIMITS, PROMPTS, "tokenizer_config.json")


def fetch(address: str, folder: Path) -> Path:
    """`folder` with what hf:OWNER/REPO has of an encoder; a broken-off download goes on.

    Raises EngineError `bad_address` or `no_download`.
    """
    if address.removeprefix(SCHEME).count("/") != 1:
        raise EngineError("bad_address", f"{address} is not of the form {SCHEME}OWNER/REPO")
    for file in (CONFIG, TOKENIZER):
        download(f"{address}/{file}", folder)
    for file in OPTIONAL:
        download_if_there(f"{address}/{file}", folder)
    if pooling := pooling_folder(folder):
        download_if_there(f"{address}/{pooling}/{CONFIG}", folder)
    config = json.loads((folder / CONFIG).read_text())
    # What is in neither form is told by who reads the folder, with what to do.
    if not (is_ours(config) and download_if_there(f"{address}/{BERT}", folder)):
        download_if_there(f"{address}/{EXPORTED}", folder)
        download_if_there(f"{address}/{EXPORTED}_data", folder)
    return folder
