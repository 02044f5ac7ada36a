"""Weights: which, where, and what they may take."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode

from settings.machine import DATA_ROOT
from settings.option import option

# Beside a checkout, where `make setup` puts them.
PROJECT_WEIGHTS = Path(__file__).resolve().parents[1] / ".weights"


class Weights(BaseSettings):
    """Weights: which, where, and what they may take."""

    weights_dir: Path = option(
        "REDTEN_WEIGHTS_DIR",
        PROJECT_WEIGHTS if PROJECT_WEIGHTS.is_dir() else DATA_ROOT / "weights",
        "GGUF files and converted embedding models.",
    )
    model: str = option(
        "REDTEN_MODEL", "SmolLM2-135M-Instruct.Q8_0.gguf", "File name of the GGUF that answers."
    )
    model_aliases: Annotated[dict[str, str], NoDecode] = option(
        "REDTEN_MODEL_ALIASES", {}, "Other names of installed models: NAME=FILE,NAME=FILE."
    )
    model_memory: int = option(
        "REDTEN_MODEL_MEMORY_BYTES", 0, "Memory for loaded models; 0: 70 % of the machine's."
    )
    model_idle_s: float = option(
        "REDTEN_MODEL_IDLE_S", 900.0, "Seconds a model but the default one stays loaded unused."
    )
    embed_model: str = option(
        "REDTEN_EMBED_MODEL",
        "sentence-transformers/all-MiniLM-L6-v2",
        "Embedding model of new collections.",
    )
    embed_precision: Literal["auto", "float32", "int8"] = option(
        "REDTEN_EMBED_PRECISION",
        "auto",
        "What vectors are computed in; auto: as measured when the model was installed.",
    )
    reranker: str | None = option(
        "REDTEN_RERANKER", None, "Cross-encoder that orders passages anew; unset: none does."
    )
    rerank_budget_s: float = option(
        "REDTEN_RERANK_BUDGET_S", 1.0, "Seconds that it may take for one question."
    )
    threads: int = option("REDTEN_THREADS", 0, "CPU threads of an engine; 0: the cores there are.")
    n_ctx: int = option("REDTEN_N_CTX", 4096, "Largest context in tokens that a job may ask for.")
    max_tokens: int = option("REDTEN_MAX_TOKENS", 1024, "Largest answer in tokens.")
    answers_at_once: int = option(
        "REDTEN_ANSWERS_AT_ONCE", 8, "Answers that an inference worker writes at the same time."
    )
    kv_cells: int = option(
        "REDTEN_KV_CELLS", 16_384, "Tokens that the running answers of one model hold together."
    )
    turn_limit_s: float = option(
        "REDTEN_TURN_LIMIT_S",
        600.0,
        "Seconds after which an engine that computes one batch has hung, and its worker ends.",
    )
    flash_attention: bool = option(
        "REDTEN_FLASH_ATTENTION",
        True,
        "Attention in one pass; turn it off for a model that it does not work for.",
    )
    prefix_ram_bytes: int = option(
        "REDTEN_PREFIX_RAM_BYTES", 536_870_912, "Memory for prompts computed before; 0: none kept."
    )
    prefix_disk_bytes: int = option(
        "REDTEN_PREFIX_DISK_BYTES", 1_073_741_824, "Disk for those that were asked for again."
    )
    prefix_dir: Path | None = option(
        "REDTEN_PREFIX_DIR", None, "Where those lie; `prefixes` in REDTEN_DATA_DIR if unset."
    )
    deadline_s: float = option("REDTEN_DEADLINE_S", 900.0, "Seconds one generation may take.")

    @field_validator("model_aliases", mode="before")
    @classmethod
    def pairs(cls, value: object) -> object:
        """NAME=FILE,NAME=FILE as a dictionary."""
        if not isinstance(value, str):
            return value
        return dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)
