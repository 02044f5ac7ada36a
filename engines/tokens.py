"""Texts into tokens, without the weights that read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Tokenizer:
    """The tokens of a text as an encoder sees them; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        # Imported here: whoever only names an embedding model loads nothing.
        from tokenizers import Tokenizer as Loaded

        self._loaded = Loaded.from_file(str(path))
        self._loaded.no_truncation()
        self._loaded.no_padding()

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones not counted, however long it is."""
        encoded = self._loaded.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one.ids) for one in encoded]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each token starts and ends in the text, in characters; no special tokens."""
        spans: list[tuple[int, int]] = self._loaded.encode(text, add_special_tokens=False).offsets
        return spans


class Cutter:
    """Texts, or pairs of them, as an encoder's input: with special tokens, cut to its window."""

    def __init__(self, path: Path, window: int) -> None:
        from tokenizers import Tokenizer as Loaded

        self._loaded = Loaded.from_file(str(path))
        self.special = self._loaded.num_special_tokens_to_add(False)
        self._loaded.enable_truncation(window)
        self._loaded.no_padding()

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text."""
        return [one.ids for one in self._loaded.encode_batch_fast(list(texts))]

    def pairs(self, first: str, seconds: Sequence[str]) -> list[Any]:
        """Encodings with `ids` and `type_ids`; the longer of a pair loses its end first."""
        return list(self._loaded.encode_batch([(first, second) for second in seconds]))
