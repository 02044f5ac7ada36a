"""llama.cpp's context: rows in, logits out, and a unified cache of sequences.

Everything here is called by one thread.
"""

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from engines.errors import EngineError
from engines.model import Adapter, Model
from settings import settings

BATCH = 512  # most rows of one call
Logits = npt.NDArray[np.float32]
State = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Row:
    """A token to be computed; `wanted` if what follows it is asked for."""

    token: int
    position: int
    sequence: int
    wanted: bool = False


class Context:
    """A cache of `cells` tokens for at most `sequences` sequences, numbered from 0.

    `flash` computes attention in one pass, which is faster.
    Raises EngineError `no_memory` if there is no room for it.
    """

    def __init__(self, model: Model, cells: int, sequences: int, flash: bool) -> None:
        self.cells, self.sequences, self._model = cells, sequences, model
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_seq_max, options.kv_unified = cells, sequences, True
        options.n_batch = options.n_ubatch = BATCH
        options.n_threads = options.n_threads_batch = settings.threads or os.cpu_count() or 1
        options.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if flash
            else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        # Of a sliding window all is kept: a prefix could not be shared otherwise.
        options.swa_full, options.no_perf = True, True
        self._pointer = llama_cpp.llama_init_from_model(model.pointer, options)
        if not self._pointer:
            raise EngineError("no_memory", f"no room for a cache of {cells} tokens")
        self._memory: Any = llama_cpp.llama_get_memory(self._pointer)
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)

    def close(self) -> None:
        """Frees the cache."""
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._pointer)

    def decode(self, rows: Sequence[Row]) -> None:
        """Computes at most BATCH rows. Raises EngineError `decode_failed`, the cache unchanged."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for number, row in enumerate(rows):
            batch.token[number], batch.pos[number] = row.token, row.position
            batch.n_seq_id[number] = 1
            batch.seq_id[number][0] = row.sequence
            batch.logits[number] = row.wanted
        code = llama_cpp.llama_decode(self._pointer, batch)
        if code:
            raise EngineError("decode_failed", f"llama.cpp refused a batch with code {code}")

    def logits(self, row: int) -> Logits:
        """What follows a wanted row of the last call: (vocabulary,), valid until the next call."""
        pointer = llama_cpp.llama_get_logits_ith(self._pointer, row)
        address = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(address, (self._model.vocabulary_size,))

    def share(self, source: int, target: int, count: int) -> None:
        """The first `count` tokens of `source` become those of the empty `target` as well."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, count)

    def cut(self, sequence: int, count: int) -> None:
        """Keeps the first `count` tokens of a sequence; cells that no other holds are free."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, count, -1)

    def save(self, sequence: int, buffer: State | None = None) -> State:
        """The state of a sequence, as `load` takes it; in the buffer, if that is large enough."""
        size = llama_cpp.llama_state_seq_get_size(self._pointer, sequence)
        if buffer is not None and len(buffer) >= size:
            state = buffer[:size]
        else:
            # Not numpy's own: it asks for huge pages, which take five times as long to come by.
            state = np.frombuffer(bytearray(size), np.uint8)
        llama_cpp.llama_state_seq_get_data(self._pointer, _bytes(state), size, sequence)
        return state

    def load(self, sequence: int, state: State) -> bool:
        """Puts a saved state into an empty sequence; False if it does not fit this model."""
        read = llama_cpp.llama_state_seq_set_data(
            self._pointer, _bytes(state), len(state), sequence
        )
        if not read:
            self.cut(sequence, 0)
        return bool(read)

    def use(self, adapter: Adapter | None) -> None:
        """What follows is computed with this LoRA adapter, or with none."""
        pointers = [self._model.adapter(adapter)] if adapter else []
        array = (llama_cpp.llama_adapter_lora_p_ctypes * len(pointers))(*pointers)
        scales = (ctypes.c_float * len(pointers))(*[1.0] * len(pointers))
        code = llama_cpp.llama_set_adapters_lora(self._pointer, array, len(pointers), scales)
        if code:
            raise EngineError("broken_adapter", f"llama.cpp refused the adapter with code {code}")


def _bytes(state: State) -> Any:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
