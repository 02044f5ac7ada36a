"""The vectors of a text's tokens made one of length 1, as sentence-transformers does."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Pooling = Literal["mean", "cls", "max"]


def pooled(states: Array, mask: Array, pooling: Pooling) -> Array:
    """(batch, dimensions), each of length 1, from (batch, length, dimensions) or what is pooled.

    `mask` is (batch, length), 1 for a real token. A text of no token has a vector of zeros.
    """
    vectors = states if states.ndim == 2 else _one_each(states, mask, pooling)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


def _one_each(states: Array, mask: Array, pooling: Pooling) -> Array:
    if pooling == "cls":
        return states[:, 0]
    if pooling == "max":
        highest: Array = np.where(mask[:, :, None] > 0, states, -np.inf).max(axis=1)
        return np.where(np.isfinite(highest), highest, np.float32(0))
    total = np.matmul(mask[:, None, :], states)[:, 0]
    mean: Array = total / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    return mean
