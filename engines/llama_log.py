"""llama.cpp's own log lines, sent to Python's logging instead of the terminal."""

import logging
from typing import Any

import llama_cpp

log = logging.getLogger("llama.cpp")
LEVELS = {3: logging.WARNING, 4: logging.ERROR}  # ggml_log_level: 3 is WARN, 4 is ERROR
# Of a cache that many answers share none comes near its whole size.
MISTAKEN = b"n_ctx_seq"


@llama_cpp.llama_log_callback
def _forward(level: int, text: bytes, _user_data: Any) -> None:
    known = logging.DEBUG if MISTAKEN in text else LEVELS.get(level, logging.DEBUG)
    log.log(known, text.decode("utf-8", "replace").rstrip())


def forward_llama_log() -> None:
    """Sends warnings and errors on, and everything else at debug level."""
    llama_cpp.llama_log_set(_forward, None)
