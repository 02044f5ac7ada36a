"""Scores: numbers from numbers."""

import math

import numpy as np
import pytest

from tasks.flow import pack, unpack
from tasks.generate import budgets
from tasks.score import confidence, overall, similarities


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_similarity_is_the_cosine_and_never_negative():
    passages = np.stack([unit(1, 0), unit(1, 1), unit(-1, 0)])
    assert similarities(unit(1, 0), passages) == pytest.approx([1.0, 0.70710677, 0.0])


def test_nothing_bears_an_answer_out_without_passages():
    assert similarities(unit(1, 0), np.empty((0, 0), np.float32)) == []


def test_the_score_is_high_only_if_both_of_its_parts_are():
    assert overall(0.81, 0.49) == pytest.approx(0.63)
    assert overall(1.0, 0.0) == overall(0.0, 1.0) == 0.0
    assert overall(1.0, 1.0) == 1.0


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_vectors_survive_the_message(rows):
    vectors = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4) / 7
    unpacked = unpack(pack(vectors), rows)
    assert unpacked.shape[0] == rows
    assert unpacked.tolist() == vectors.tolist() if rows else unpacked.size == 0


def test_confidence_is_the_mean_probability_of_the_words():
    assert confidence(0.0) == 1
    assert confidence(math.log(0.25)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("n_ctx", "max_tokens", "expected"),
    [
        (2048, 512, (1536, 512)),
        (2048, 100_000, (1024, 1024)),
        (512, 512, (256, 256)),
        (1_000_000, 512, (3584, 512)),
    ],
)
def test_the_answer_gets_at_most_half_of_the_context(n_ctx, max_tokens, expected):
    assert budgets(n_ctx, max_tokens, 4096) == expected
