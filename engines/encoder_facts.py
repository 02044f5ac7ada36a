"""What is known of an installed encoder; it lies beside the weights, in encoder.json."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from engines.errors import EngineError
from engines.pooling import Pooling

Kind = Literal["embedder", "reranker"]
Precision = Literal["float32", "int8"]

FACTS, TOKENIZER = "encoder.json", "tokenizer.json"
GRAPHS: dict[Precision, str] = {"float32": "model.onnx", "int8": "int8.onnx"}


@dataclass(frozen=True, slots=True)
class Facts:
    """`max_seq_length` is in tokens, special ones included.

    `precision` is the one to use where none is set; `rates` are texts a second by precision, as
    measured when the encoder was installed, and `cosine` the mean one of int8 vectors to float32.
    """

    name: str
    kind: Kind
    max_seq_length: int
    dimensions: int = 1
    pooling: Pooling = "mean"
    query_prompt: str = ""
    document_prompt: str = ""
    precision: Precision = "float32"
    rates: dict[Precision, float] = field(default_factory=dict)
    cosine: float | None = None


def read_facts(folder: Path) -> Facts:
    """Raises EngineError `unknown_embedder` for what is no encoder, or one of an older redten."""
    try:
        return Facts(**json.loads((folder / FACTS).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(
            "unknown_embedder",
            f"{folder} holds no encoder that this redten can read: `redten weights` makes the"
            " default one, `redten weights add` others",
        ) from error


def write_facts(folder: Path, facts: Facts) -> None:
    """Whoever reads them meanwhile finds the old ones or the new."""
    half_made = folder / f"{FACTS}.part"
    half_made.write_text(json.dumps(asdict(facts), indent=2, ensure_ascii=False) + "\n")
    half_made.replace(folder / FACTS)


def folder_of(weights_dir: Path, name: str) -> Path:
    """Where the encoder OWNER/NAME, or NAME, lies."""
    return weights_dir / name.rpartition("/")[2]


def find(weights_dir: Path, name: str, kind: Kind) -> tuple[Path, Facts]:
    """The folder of an installed encoder, and what is known of it.

    Raises EngineError `unknown_embedder` if there is none of that name and kind.
    """
    folder = folder_of(weights_dir, name)
    # Not `Path.is_file`, which fails on a name that is too long for a file.
    if not os.path.isfile(folder / FACTS):
        raise EngineError(
            "unknown_embedder",
            f"no weights for the {kind} {name}: `redten weights add` installs them",
        )
    facts = read_facts(folder)
    if facts.kind != kind:
        raise EngineError("unknown_embedder", f"{name} is a {facts.kind}, no {kind}")
    if "/" in name and "/" in facts.name and name != facts.name:
        raise EngineError("unknown_embedder", f"{folder} holds {facts.name}, not {name}")
    return folder, facts
