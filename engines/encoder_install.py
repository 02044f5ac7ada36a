"""Encoders put into the weights folder: the graph written or copied, in both precisions."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.encoder import Encoder
from engines.encoder_facts import (
    FACTS,
    GRAPHS,
    TOKENIZER,
    Facts,
    read_facts,
    write_facts,
)
from engines.encoder_source import BERT, CONFIG, EXPORTED, described, is_ours, refused
from engines.errors import EngineError
from engines.tokens import Cutter

# What one file of protobuf may hold; more lies beside it.
LARGEST_FILE = 2**31 - 1


def install(
    source: Path,
    target: Path,
    name: str,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
) -> Facts:
    """A folder as sentence-transformers saves it becomes `target`, in one step; gives its facts.

    The prompts, if given, come before the folder's own. Raises EngineError `unreadable_encoder`
    or `broken_weights` for what cannot be served, and then leaves nothing behind.
    """
    facts = described(source, name)
    if query_prompt is not None:
        facts = replace(facts, query_prompt=query_prompt)
    if document_prompt is not None:
        facts = replace(facts, document_prompt=document_prompt)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        half_made = Path(folder) / "encoder"
        half_made.mkdir(mode=0o755)
        shutil.copyfile(source / TOKENIZER, half_made / TOKENIZER)
        _put_graph(source, half_made, facts)
        facts = _tried(half_made, facts)
        write_facts(half_made, facts)
        _put(half_made, target, Path(folder) / "old")
    return facts


def measure_again(folder: Path) -> Facts:
    """Measures an embedder anew, as after a move to another machine, and writes it down."""
    from engines.precision import measured

    facts = measured(folder, read_facts(folder))
    write_facts(folder, facts)
    return facts


def installed(weights_dir: Path) -> Iterator[Facts]:
    """The encoders below `weights_dir`, by name."""
    for path in sorted(weights_dir.glob(f"*/{FACTS}")):
        yield read_facts(path.parent)


def is_ready(folder: Path) -> bool:
    """Whether an encoder lies there that this redten can read."""
    try:
        read_facts(folder)
    except EngineError:
        return False
    return True


def _put_graph(source: Path, target: Path, facts: Facts) -> None:
    from engines import bert_onnx, int8

    config = json.loads((source / CONFIG).read_text())
    if is_ours(config) and (source / BERT).is_file():
        model = bert_onnx.build(source, pairs=facts.kind == "reranker")
    elif (source / EXPORTED).is_file():
        model = _exported(source / EXPORTED)
    else:
        raise refused(
            source,
            f"is a {config.get('model_type')} without {EXPORTED}: export one, for example by"
            " SentenceTransformer(FOLDER, backend='onnx').save_pretrained(FOLDER)",
        )
    _save(model, target / GRAPHS["float32"])
    if facts.kind == "embedder":
        _save(int8.quantized(model), target / GRAPHS["int8"])


def _exported(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path)
    # The last one for weights that should lie in a file beside it and do not.
    except (DecodeError, onnx.checker.ValidationError, OSError) as error:
        raise EngineError("broken_weights", f"{path} cannot be read: {error}") from error


def _save(model: Any, path: Path) -> None:
    import onnx

    is_large = model.ByteSize() > LARGEST_FILE
    onnx.save(model, path, save_as_external_data=is_large, location=f"{path.name}_data")


def _tried(folder: Path, facts: Facts) -> Facts:
    """The facts with what only running it tells; refuses weights that do not run."""
    if facts.kind == "embedder":
        from engines.precision import measured

        return measured(folder, facts)
    [pair] = Cutter(folder / TOKENIZER, facts.max_seq_length).pairs("How far?", ["Two miles."])
    given, _ = Encoder(folder / GRAPHS["float32"]).run([pair.ids], [pair.type_ids])
    if given.size != 1:
        raise EngineError("unreadable_encoder", f"{facts.name} gives {given.size} numbers, not one")
    return facts


def _put(half_made: Path, target: Path, old: Path) -> None:
    """Renames into place; another process that came first has made the same."""
    if target.exists() and not is_ready(target):
        target.rename(old)
    try:
        half_made.rename(target)
    except OSError:
        if not target.exists():
            raise
