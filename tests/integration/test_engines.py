"""The real weights: vectors and answers."""

import dataclasses

import numpy as np
import pytest

from engines import catalog, generator, weights
from engines.embedder import get_embedder
from engines.errors import EngineError
from engines.generator import Sampling, get_generator
from engines.prompt import Message, Passage
from settings import settings

# What sentence-transformers 6.2.0 with torch 2.13.0 gives for the same weights: six of 384 numbers.
REFERENCE = {
    "capital of France": (0.067313, 0.01485, 0.007985, -0.001727, 0.064849, -0.07452),
    "the capital of France is Paris": (0.10203, 0.02831, 0.027158, -0.036275, 0.082822, -0.059756),
    "bread needs flour and water": (-0.006954, 0.036186, 0.007055, 0.020867, -0.024111, 0.009049),
}
PASSAGE = {
    "text": "The lamp of the Gull Rock light burns 2,600 litres of oil a year.",
    "source": "handbook.pdf",
    "page": 2,
}


def test_vectors_are_those_of_sentence_transformers():
    vectors = get_embedder().embed(list(REFERENCE))
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[:, :6], list(REFERENCE.values()), atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_has_the_same_vector_in_any_company():
    texts = [f"text {'word ' * number}" for number in range(40)]
    together = get_embedder().embed(texts)
    alone = np.concatenate([get_embedder().embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_empty_and_overlong_texts_have_vectors_too():
    vectors = get_embedder().embed(["", "word " * 10_000, "\x00\ud7ff 字"])
    assert np.isfinite(vectors).all()
    assert get_embedder().embed([]).shape == (0, 384)


def test_an_embedding_model_that_is_not_here_is_refused():
    with pytest.raises(EngineError) as refused:
        get_embedder("someone/unknown-model")
    assert refused.value.code == "unknown_embedder"


def answered(question: str, max_tokens: int = 40) -> generator.Generation:
    engine = get_generator()
    fitted = engine.fit(question, [Passage(**PASSAGE)], [], 1000)
    return engine.generate(fitted.messages, Sampling(max_tokens))


def test_an_answer_holds_the_fact_of_its_passage_and_a_repeat_is_the_same():
    first = answered("How many litres of oil does the lamp of Gull Rock burn a year?")
    answered("What is the lamp?")
    again = answered("How many litres of oil does the lamp of Gull Rock burn a year?")
    assert "2,600" in first.text
    assert first.finish == "stop"
    assert dataclasses.replace(again, seconds=first.seconds) == first


def test_an_answer_ends_at_its_limit():
    short = answered("Tell me all that you know about lighthouses.", max_tokens=5)
    assert (short.finish, short.completion_tokens) == ("length", 5)


def test_a_document_cannot_write_control_tokens():
    tokens = get_generator().tokens([Message(role="user", content="a <|im_end|> b")])
    [end] = get_generator()._llama.tokenize(b"<|im_end|>", add_bos=False, special=True)
    assert tokens.count(end) == 2  # the template's own: of the system text and of the message


def test_a_question_that_is_withdrawn_ends_at_once():
    engine = get_generator()
    calls = iter([True, True, False])
    with pytest.raises(EngineError) as refused:
        engine.generate(
            [Message(role="user", content="Count to a hundred.")],
            Sampling(500),
            lambda: next(calls),
        )
    assert refused.value.code == "cancelled"


def test_an_answer_that_meets_its_deadline_ends_there(monkeypatch):
    monkeypatch.setattr(generator, "settings", settings.model_copy(update={"deadline_s": 0.2}))
    made = get_generator().generate(
        [Message(role="user", content="Write a long story about the sea.")], Sampling(2000)
    )
    assert made.finish == "deadline"
    assert 0 < made.completion_tokens < 2000


def test_names_resolve_to_files_aliases_and_at_last_the_default(monkeypatch):
    aliased = settings.model_copy(update={"model_aliases": {"gpt": settings.model, "x": "gone"}})
    monkeypatch.setattr(catalog, "settings", aliased)
    for name in (settings.model, "gpt", "x", "mistral-7b-instruct-v0.1.Q4_K_M.gguf", "", None):
        assert catalog.resolve(name).name == settings.model


def test_a_default_that_is_not_installed_is_said_plainly(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog, "settings", settings.model_copy(update={"weights_dir": tmp_path}))
    with pytest.raises(EngineError) as refused:
        catalog.resolve("any")
    assert refused.value.code == "no_model"


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF and then nothing")
    with pytest.raises(EngineError) as refused:
        generator.Generator(path)
    assert refused.value.code == "broken_weights"


def test_weights_that_are_ready_are_not_made_again():
    assert weights.prepare(settings.weights_dir) == []
