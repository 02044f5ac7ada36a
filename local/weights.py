"""Which weights the settings ask for, and whether they are here."""

from engines.weights import MINILM, SMOLLM
from local.errors import LocalError
from settings import settings

# What `redten weights` makes.
MADE = (f"{SMOLLM}.Q8_0.gguf", MINILM)


def to_make() -> list[str]:
    """The names that `redten weights` has yet to make; raises LocalError for what it cannot."""
    wanted = {
        "REDTEN_MODEL": settings.model,
        "REDTEN_EMBED_MODEL": settings.embed_model.rpartition("/")[2],
    }
    missing = {v: name for v, name in wanted.items() if not (settings.weights_dir / name).exists()}
    for variable, name in missing.items():
        if name not in MADE:
            raise LocalError(f"{variable} asks for {name}, which is not in {settings.weights_dir}")
    return list(missing.values())
