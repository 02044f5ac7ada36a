"""A GGUF model: its vocabulary, chat template, weights and adapters; no state of any answer."""

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp

from engines import prompt
from engines.errors import EngineError
from engines.llama_log import forward_llama_log

LONGEST_TEMPLATE = 1 << 18
LONGEST_PIECE = 256


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter's file, and what names its content: another file may take its place."""

    path: Path
    content: str


class Model:
    """Loaded weights. Raises EngineError `broken_weights` if the file is no model."""

    def __init__(self, path: Path) -> None:
        forward_llama_log()
        llama_cpp.llama_backend_init()
        options = llama_cpp.llama_model_default_params()
        self.path = path
        self.pointer: Any = llama_cpp.llama_model_load_from_file(os.fsencode(path), options)
        if not self.pointer:
            raise EngineError("broken_weights", f"{path.name} cannot be loaded")
        self.vocabulary: Any = llama_cpp.llama_model_get_vocab(self.pointer)
        self.vocabulary_size: int = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.n_ctx_train: int = llama_cpp.llama_model_n_ctx_train(self.pointer)
        # The state of a recurrent model is one for all tokens so far: it has no beginning to share.
        self.has_prefixes = not (
            llama_cpp.llama_model_is_recurrent(self.pointer)
            or llama_cpp.llama_model_is_hybrid(self.pointer)
        )
        self._template = self._metadata("tokenizer.chat_template") or prompt.CHATML
        self._bos = self._special(llama_cpp.llama_vocab_bos(self.vocabulary))
        self._eos = self._special(llama_cpp.llama_vocab_eos(self.vocabulary))
        self._adapters: dict[str, Any] = {}

    @property
    def size_in_bytes(self) -> int:
        """What the weights take in memory."""
        return int(llama_cpp.llama_model_size(self.pointer))

    @property
    def cell_bytes(self) -> int:
        """What one token takes in a cache: its keys and values of every layer, as 16 bits."""
        heads, width = (
            llama_cpp.llama_model_n_head(self.pointer),
            llama_cpp.llama_model_n_embd(self.pointer),
        )
        kept = width // heads * llama_cpp.llama_model_n_head_kv(self.pointer)
        return int(llama_cpp.llama_model_n_layer(self.pointer) * kept * 2 * 2)

    def close(self) -> None:
        """Frees the weights, and the adapters with them."""
        llama_cpp.llama_model_free(self.pointer)

    def _metadata(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(LONGEST_TEMPLATE)
        length = llama_cpp.llama_model_meta_val_str(
            self.pointer, key.encode(), buffer, LONGEST_TEMPLATE
        )
        return buffer.value.decode() if 0 < length < LONGEST_TEMPLATE else ""

    def _special(self, token: int) -> str:
        return self.piece(token, special=True).decode() if token >= 0 else ""

    def tokenize(self, text: str, *, special: bool = False, begin: bool = False) -> list[int]:
        """Token ids; `special`: control tokens that the text spells out become such.

        `begin` puts the model's token for a beginning in front, if it wants one.
        """
        encoded = text.encode(errors="replace")
        room = len(encoded) + 8
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(
            self.vocabulary, encoded, len(encoded), tokens, room, begin, special
        )
        return tokens[:count]

    def chat(self, messages: Sequence[prompt.Message]) -> list[int]:
        """The chat as token ids; only the template's text may become control tokens."""
        pieces = prompt.render(self._template, messages, self._bos, self._eos)
        ids: list[int] = []
        for number, piece in enumerate(pieces):
            if piece:
                ids += self.tokenize(piece, special=number % 2 == 0)
        return ids

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of a token, perhaps not a whole character."""
        buffer = ctypes.create_string_buffer(LONGEST_PIECE)
        length = llama_cpp.llama_token_to_piece(
            self.vocabulary, token, buffer, LONGEST_PIECE, 0, special
        )
        return buffer.raw[: max(length, 0)]

    def ends(self, token: int) -> bool:
        """Whether the model says by this token that its answer is over."""
        return bool(llama_cpp.llama_vocab_is_eog(self.vocabulary, token))

    def adapter(self, wanted: Adapter) -> Any:
        """A LoRA adapter for this model, read once. Raises EngineError `broken_adapter`."""
        if wanted.content not in self._adapters:
            loaded = llama_cpp.llama_adapter_lora_init(self.pointer, os.fsencode(wanted.path))
            if not loaded:
                raise EngineError(
                    "broken_adapter", f"{wanted.path.name} is no LoRA adapter for {self.path.name}"
                )
            self._adapters[wanted.content] = loaded
        return self._adapters[wanted.content]
