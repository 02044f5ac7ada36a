"""The real weights: vectors, and what cannot be loaded."""

import numpy as np
import pytest

from engines import weights
from engines.embedder import Embedder, get_embedder, get_tokenizer
from engines.encoder_facts import Precision, find
from engines.errors import EngineError
from engines.generator import Generator
from settings import settings

# What sentence-transformers 6.2.0 with torch 2.13.0 gives for the same weights: six of 384 numbers.
REFERENCE = {
    "capital of France": (0.067313, 0.01485, 0.007985, -0.001727, 0.064849, -0.07452),
    "the capital of France is Paris": (0.10203, 0.02831, 0.027158, -0.036275, 0.082822, -0.059756),
    "bread needs flour and water": (-0.006954, 0.036186, 0.007055, 0.020867, -0.024111, 0.009049),
}


def embedder(precision: Precision) -> Embedder:
    folder, facts = find(settings.weights_dir, settings.embed_model, "embedder")
    return Embedder(folder, facts, precision)


def test_vectors_are_those_of_sentence_transformers():
    vectors = embedder("float32").embed(list(REFERENCE))
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[:, :6], list(REFERENCE.values()), atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_vectors_in_eight_bits_are_near_to_those():
    exact, near = (embedder(one).embed(list(REFERENCE)) for one in ("float32", "int8"))
    assert np.sum(exact * near, axis=1).min() > 0.99
    np.testing.assert_allclose(np.linalg.norm(near, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_text_has_the_same_vector_in_any_company(precision):
    made = embedder(precision)
    texts = [f"text {'word ' * number}" for number in range(40)]
    together = made.embed(texts)
    alone = np.concatenate([made.embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_tokens_are_known_without_the_weights():
    text = "Skerryvore’s lamp: 1,577 µm — 字"
    tokenizer = get_tokenizer()
    offsets = tokenizer.offsets(text)
    assert [text[start:end] for start, end in offsets[-3:]] == ["m", "—", "字"]
    assert [len(offsets)] == tokenizer.lengths([text]) == get_embedder().lengths([text])
    assert get_embedder().count([text]) == len(offsets) + 2
    assert tokenizer.lengths(["word " * 1000]) == [1000]
    assert get_embedder().window == 254


def test_empty_and_overlong_texts_have_vectors_too():
    vectors = get_embedder().embed(["", "word " * 10_000, "\x00\ud7ff 字"])
    assert np.isfinite(vectors).all()
    assert get_embedder().embed([]).shape == (0, 384)


def test_an_embedding_model_that_is_not_here_is_refused():
    with pytest.raises(EngineError) as refused:
        get_embedder("someone/unknown-model")
    assert refused.value.code == "unknown_embedder"


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF and then nothing")
    with pytest.raises(EngineError) as refused:
        Generator(path)
    assert refused.value.code == "broken_weights"


def test_weights_that_are_ready_are_not_made_again():
    assert weights.prepare(settings.weights_dir) == []
