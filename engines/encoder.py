"""An ONNX graph of an encoder, and a batch of token ids through it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.errors import EngineError
from settings import settings

Array = npt.NDArray[np.float32]

# Of what a graph may give, best first: a vector for each text, then one for each token.
OUTPUTS = ("sentence_embedding", "logits", "last_hidden_state", "token_embeddings")
# ONNX Runtime's fused addition and norm take three times as long on a CPU as one after the other.
SLOW_FUSION = "SkipLayerNormFusion"


class Encoder:
    """One loaded graph; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        # Imported here: whoever only names an embedding model loads no runtime.
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as faults

        self._refusals = (faults.Fail, faults.InvalidArgument, faults.RuntimeException)
        broken = (*self._refusals, faults.InvalidGraph, faults.InvalidProtobuf)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads or os.cpu_count() or 1
        options.log_severity_level = 3
        # Idle threads that spin would take the cores from the generator.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, disabled_optimizers=[SLOW_FUSION]
            )
        except (*broken, faults.NoSuchFile, faults.NotImplemented) as error:
            raise EngineError("broken_weights", f"{path} cannot be loaded: {error}") from error
        self._inputs = {one.name for one in self._session.get_inputs()}
        outputs = [one.name for one in self._session.get_outputs()]
        self._output = next((name for name in OUTPUTS if name in outputs), outputs[0])

    def run(
        self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None
    ) -> tuple[Array, Array]:
        """What the graph gives for one batch, and the mask (batch, length) of its real tokens.

        The batch is padded to its longest; `types` are the segments of pairs. Raises EngineError
        `broken_weights` for what the graph cannot compute.
        """
        width = max(map(len, ids))
        mask = _padded([[1] * len(one) for one in ids], width)
        feed = {"input_ids": _padded(ids, width), "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(mask) if types is None else _padded(types, width)
        try:
            [given] = self._session.run([self._output], feed)
        except self._refusals as error:
            raise EngineError("broken_weights", f"the encoder cannot compute: {error}") from error
        return given, mask.astype(np.float32)


def _padded(rows: Sequence[Sequence[int]], width: int) -> Any:
    padded = np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded
