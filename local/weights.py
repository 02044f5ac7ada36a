"""Which weights the settings ask for, and whether they are here."""

from engines.encoder_facts import folder_of
from engines.encoder_install import is_ready
from engines.weights import MINILM, SMOLLM
from local.errors import LocalError
from settings import settings

# What `redten weights` makes.
MADE = (f"{SMOLLM}.Q8_0.gguf", MINILM)


def to_make() -> list[str]:
    """The names that `redten weights` has yet to make; raises LocalError for what it cannot."""
    encoders = {
        "REDTEN_EMBED_MODEL": settings.embed_model,
        "REDTEN_RERANKER": settings.reranker,
    }
    missing = {
        variable: name.rpartition("/")[2]
        for variable, name in encoders.items()
        if name and not is_ready(folder_of(settings.weights_dir, name))
    }
    if not (settings.weights_dir / settings.model).exists():
        missing["REDTEN_MODEL"] = settings.model
    for variable, name in missing.items():
        if name not in MADE:
            raise LocalError(f"{variable} asks for {name}, which is not in {settings.weights_dir}")
    return list(missing.values())
