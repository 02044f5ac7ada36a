"""What a folder as sentence-transformers saves it says of its encoder, and what is not served."""

import json
from pathlib import Path
from typing import Any, cast, get_args

from engines import bert_onnx
from engines.encoder_facts import TOKENIZER, Facts
from engines.errors import EngineError
from engines.pooling import Pooling

CONFIG, MODULES = "config.json", "modules.json"
LIMITS, PROMPTS = "sentence_bert_config.json", "config_sentence_transformers.json"
BERT, EXPORTED = "model.safetensors", "onnx/model.onnx"
# As transformers write down that a tokenizer knows no limit.
NO_LIMIT = 100_000
DOCUMENT_PROMPTS = ("document", "passage", "corpus")


def described(source: Path, name: str) -> Facts:
    """The facts of the encoder in `source`; dimensions and rates are measured later.

    Raises EngineError `unreadable_encoder` for what cannot be served as it is meant.
    """
    config = _json(source / CONFIG)
    if not config:
        raise refused(source, f"has no {CONFIG}: name a folder that sentence-transformers saved")
    if not (source / TOKENIZER).is_file():
        raise refused(
            source,
            f"has no {TOKENIZER}: load it with transformers' AutoTokenizer and save it there",
        )
    limit = _limit(source, config)
    if is_reranker(config):
        if len(config.get("id2label", [0])) != 1:
            raise refused(source, "gives several labels: a reranker has one, the relevance")
        return Facts(name, "reranker", limit)
    prompts = _json(source / PROMPTS).get("prompts") or {}
    document = next((prompts[key] for key in DOCUMENT_PROMPTS if prompts.get(key)), "")
    query = prompts.get("query") or ""
    pooling = _pooling(source)
    return Facts(name, "embedder", limit, 1, pooling, query, document)


def is_reranker(config: dict[str, Any]) -> bool:
    """Whether it reads pairs and scores them."""
    named = config.get("architectures") or [""]
    return str(named[0]).endswith("ForSequenceClassification")


def pooling_folder(source: Path) -> str | None:
    """Where modules.json says that the pooling is described; None without such a module.

    Raises EngineError `unreadable_encoder` for modules that redten does not have.
    """
    folder = None
    for module in _json(source / MODULES) or []:
        kind = str(module["type"]).rpartition(".")[2]
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise refused(source, f"has a module {kind}, which redten does not have")
        if kind == "Pooling":
            folder = str(module["path"])
    return folder


def is_ours(config: dict[str, Any]) -> bool:
    """Whether redten writes the graph itself, or needs an exported one."""
    return bert_onnx.is_described(config)


def refused(source: Path, why: str) -> EngineError:
    """The refusal of a folder."""
    return EngineError("unreadable_encoder", f"{source} {why}")


def _pooling(source: Path) -> Pooling:
    folder = pooling_folder(source)
    config = _json(source / folder / CONFIG) if folder else {}
    if config.get("include_prompt") is False:
        raise refused(source, "leaves its prompt out of the pooling, which redten does not")
    modes = config.get("pooling_mode") or _old_modes(config) or ["mean"]
    [mode, *more] = [modes] if isinstance(modes, str) else modes
    if more or mode not in get_args(Pooling):
        served = ", ".join(get_args(Pooling))
        raise refused(source, f"pools by {' and '.join([mode, *more])}; redten has {served}")
    return cast(Pooling, mode)


def _old_modes(config: dict[str, Any]) -> list[str]:
    """The pooling before sentence-transformers 6: a flag for each kind."""
    flags = [key for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    kinds = [key.removeprefix("pooling_mode_") for key in flags]
    return [{"cls_token": "cls"}.get(kind, kind.removesuffix("_tokens")) for kind in kinds]


def _limit(source: Path, config: dict[str, Any]) -> int:
    """The window in tokens, as sentence-transformers finds it."""
    limits = _json(source / LIMITS)
    if limits.get("do_lower_case"):
        raise refused(source, "has its texts lowered first (do_lower_case), which redten does not")
    tokenizer = _json(source / "tokenizer_config.json").get("model_max_length", NO_LIMIT)
    places = config.get("max_position_embeddings", NO_LIMIT)
    window = int(limits.get("max_seq_length") or min(tokenizer, places))
    if not 2 < window <= NO_LIMIT or window == NO_LIMIT:
        raise refused(source, f"does not say how many tokens it reads: max_seq_length in {LIMITS}")
    return window


def _json(path: Path) -> Any:
    """The content; empty if there is no such file."""
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise EngineError("unreadable_encoder", f"{path} is no JSON: {error}") from error
