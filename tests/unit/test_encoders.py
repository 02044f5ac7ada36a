"""Encoders from a folder to their vectors and scores, beside an independent computation."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from engines import bert_onnx
from engines.embedder import Embedder
from engines.encoder_facts import find, read_facts, write_facts
from engines.encoder_install import install, installed, is_ready, measure_again
from engines.errors import EngineError
from engines.precision import better
from engines.reranker import Reranker
from tests.unit.encoder_folders import (
    CONFIG,
    RERANKER,
    VOCABULARY,
    forward,
    random_weights,
    tokens,
    unit,
    write,
    write_encoder,
    write_pooling,
)

TEXTS = ["how far is the river", "two miles", "a b c d e f g h", "unheard of"]
WEIGHTS = random_weights()
CLS, SEP = VOCABULARY["[CLS]"], VOCABULARY["[SEP]"]
POOL = {
    "mean": lambda states: states.mean(axis=0),
    "cls": lambda states: states[0],
    "max": lambda states: states.max(axis=0),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small BERT as sentence-transformers saves it."""
    return write_encoder(tmp_path / "source", WEIGHTS)


def embedder(folder: Path, **prompts: str) -> Embedder:
    """Installed beside the folder, in float32."""
    facts = install(folder, folder.parent / "installed", "someone/small", **prompts)
    return Embedder(folder.parent / "installed", facts, "float32")


def expected(text: str, pooling: str = "mean") -> np.ndarray:
    return unit(POOL[pooling](forward(WEIGHTS, [CLS, *tokens(text), SEP])))


@pytest.mark.parametrize("pooling", POOL)
def test_vectors_are_those_of_the_paper_s_formulas(folder, pooling):
    write_pooling(folder, pooling_mode=pooling)

    vectors = embedder(folder).embed(TEXTS)

    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [expected(text, pooling) for text in TEXTS], atol=1e-5)


def test_the_pooling_is_read_as_older_versions_wrote_it(folder):
    flags = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    write_pooling(folder, word_embedding_dimension=16, **flags)

    [vector] = embedder(folder).embed(["two miles"])

    np.testing.assert_allclose(vector, expected("two miles", "cls"), atol=1e-5)


def test_questions_and_documents_have_the_prompts_of_the_model(folder):
    prompts = {"query": "query: ", "passage": "passage: "}
    write(folder / "config_sentence_transformers.json", {"prompts": prompts})
    made = embedder(folder)

    [question] = made.embed(["the river"], "query")
    [document] = made.embed(["the river"])

    np.testing.assert_allclose(question, expected("query: the river"), atol=1e-5)
    np.testing.assert_allclose(document, expected("passage: the river"), atol=1e-5)
    assert made.window == 24 - 2 - 2


def test_prompts_that_the_operator_gives_come_first(folder):
    write(folder / "config_sentence_transformers.json", {"prompts": {"query": "query: "}})

    [question] = embedder(folder, query_prompt="how far is ").embed(["the river"], "query")

    np.testing.assert_allclose(question, expected("how far is the river"), atol=1e-5)


def test_text_beyond_the_window_is_cut_and_counted_all_the_same(folder):
    made = embedder(folder)

    [vector] = made.embed(["a " * 100])

    np.testing.assert_allclose(vector, expected("a " * made.window), atol=1e-5)
    assert made.window == 22
    assert made.lengths(["a " * 100, "two miles"]) == [100, 2]
    assert made.count(["a " * 100, "two miles"]) == 24 + 4


def test_another_architecture_runs_by_the_graph_that_its_folder_carries(folder):
    (folder / "onnx").mkdir()
    onnx.save(bert_onnx.build(folder), folder / "onnx" / "model.onnx")
    (folder / "model.safetensors").unlink()
    write(folder / "config.json", CONFIG | {"model_type": "roberta"})

    vectors = embedder(folder).embed(TEXTS)

    np.testing.assert_allclose(vectors, [expected(text) for text in TEXTS], atol=1e-5)


def test_a_graph_that_pools_by_itself_is_taken_at_its_word(folder):
    (folder / "onnx").mkdir()
    model = bert_onnx.build(folder)
    first = onnx.numpy_helper.from_array(np.array(0), "first_token")
    model.graph.initializer.append(first)
    made = ["sentence_embedding"]
    pooling = onnx.helper.make_node("Gather", ["last_hidden_state", "first_token"], made, axis=1)
    model.graph.node.append(pooling)
    shape = ["batch", "hidden"]
    model.graph.output.append(onnx.helper.make_tensor_value_info(made[0], 1, shape))
    onnx.save(model, folder / "onnx" / "model.onnx")
    write(folder / "config.json", CONFIG | {"model_type": "mpnet"})

    vectors = embedder(folder).embed(TEXTS)

    np.testing.assert_allclose(vectors, [expected(text, "cls") for text in TEXTS], atol=1e-5)


def test_an_installed_encoder_is_measured_in_both_precisions(folder, tmp_path):
    target = tmp_path / "installed"
    facts = install(folder, target, "someone/small")

    assert facts == read_facts(target)
    assert (facts.dimensions, set(facts.rates)) == (16, {"float32", "int8"})
    assert facts.cosine > 0.99
    assert list(installed(tmp_path)) == [facts]
    assert measure_again(target).cosine == facts.cosine
    in_8_bits = Embedder(target, facts, "int8").embed(TEXTS)
    np.testing.assert_allclose(in_8_bits, [expected(text) for text in TEXTS], atol=0.1)


@pytest.mark.parametrize(
    ("rates", "cosine", "chosen"),
    [
        ({"float32": 10.0, "int8": 20.0}, 0.995, "int8"),
        ({"float32": 10.0, "int8": 10.5}, 0.995, "float32"),
        ({"float32": 10.0, "int8": 20.0}, 0.98, "float32"),
    ],
)
def test_eight_bits_are_used_where_they_are_faster_and_near(rates, cosine, chosen):
    assert better(rates, cosine) == chosen


def test_an_encoder_of_an_older_redten_is_replaced_and_a_present_one_is_not(folder, tmp_path):
    target = tmp_path / "installed"
    target.mkdir()
    write(target / "encoder.json", {"max_seq_length": 24, "dimensions": 16})
    assert not is_ready(target)

    install(folder, target, "someone/small")
    install(folder, target, "someone/other")

    assert read_facts(target).name == "someone/small"


def test_an_encoder_is_found_by_its_name_and_by_no_other_s(folder, tmp_path):
    install(folder, tmp_path / "small", "someone/small")

    assert find(tmp_path, "small", "embedder") == find(tmp_path, "someone/small", "embedder")
    others = ("else/small", "embedder"), ("small", "reranker"), ("gone" * 64, "embedder")
    for name, kind in others:
        with pytest.raises(EngineError) as refused:
            find(tmp_path, name, kind)
        assert refused.value.code == "unknown_embedder"


def spoil_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def dense_on_top(folder: Path) -> None:
    write(folder / "modules.json", [{"path": "2_Dense", "type": "sentence_transformers.Dense"}])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "export one"),
        (lambda folder: (folder / "tokenizer_config.json").unlink(), None),
        (spoil_config, "is no JSON"),
        (dense_on_top, "a module Dense"),
        (lambda folder: write_pooling(folder, pooling_mode="lasttoken"), "pools by lasttoken"),
        (lambda folder: write_pooling(folder, pooling_mode=["cls", "max"]), "cls and max"),
        (lambda folder: write_pooling(folder, include_prompt=False), "prompt out"),
        (
            lambda folder: write(folder / "sentence_bert_config.json", {"do_lower_case": True}),
            "low",
        ),
        (
            lambda folder: write(folder / "config.json", CONFIG | {"model_type": "t5"}),
            "is a t5 without onnx/model.onnx",
        ),
        (
            lambda folder: write(
                folder / "config.json", CONFIG | RERANKER | {"id2label": {"0": "no", "1": "yes"}}
            ),
            "several labels",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_do(folder, tmp_path, spoil, told):
    spoil(folder)
    if told is None:
        assert install(folder, tmp_path / "installed", "small").max_seq_length == 24
        return

    with pytest.raises(EngineError, match=told) as refused:
        install(folder, tmp_path / "installed", "small")

    assert refused.value.code == "unreadable_encoder"
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("content", [b"", b"\xff" * 64])
def test_broken_weights_are_refused(folder, tmp_path, content):
    (folder / "model.safetensors").write_bytes(content)

    with pytest.raises(EngineError) as refused:
        install(folder, tmp_path / "installed", "small")

    assert refused.value.code == "broken_weights"
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_missing_weight_and_a_graph_that_is_none_are_refused(tmp_path):
    partial = {name: array for name, array in WEIGHTS.items() if "layer.1" not in name}
    no_graph = write_encoder(tmp_path / "no-graph", WEIGHTS, model_type="roberta")
    (no_graph / "onnx").mkdir()
    (no_graph / "onnx" / "model.onnx").write_bytes(b"no graph at all")

    for folder in (write_encoder(tmp_path / "partial", partial), no_graph):
        with pytest.raises(EngineError) as refused:
            install(folder, tmp_path / "installed", "small")
        assert refused.value.code == "broken_weights"


@pytest.fixture
def reranker(tmp_path: Path) -> Reranker:
    """A small cross-encoder, its weights named as transformers name them under a head."""
    named = {
        name if name.startswith("classifier") else f"bert.{name}": array
        for name, array in WEIGHTS.items()
    }
    folder = write_encoder(tmp_path / "source", named, **RERANKER)
    facts = install(folder, tmp_path / "installed", "someone/judge")
    assert facts.kind == "reranker"
    return Reranker(tmp_path / "installed", facts)


def relevance(question: str, text: str) -> float:
    """The logistic function of classifier(tanh(pooler(first state))), of the pair."""
    first, second = [CLS, *tokens(question), SEP], [*tokens(text), SEP]
    types = [0] * len(first) + [1] * len(second)
    [state, *_] = forward(WEIGHTS, first + second, types)
    pooled = np.tanh(WEIGHTS["pooler.dense.weight"] @ state + WEIGHTS["pooler.dense.bias"])
    [score] = WEIGHTS["classifier.weight"] @ pooled + WEIGHTS["classifier.bias"]
    return 1 / (1 + np.exp(-score))


def test_pairs_are_scored_as_the_formulas_say(reranker):
    question, texts = "how far is the river", ["two miles", "a b c d e f", "", "the river is far"]

    scores = reranker.score(question, texts, 60.0)

    np.testing.assert_allclose(scores, [relevance(question, text) for text in texts], atol=1e-5)
    assert len({round(score, 4) for score in scores}) == 4


def test_a_budget_that_runs_out_leaves_the_last_texts_without_a_score(reranker):
    texts = ["a b c d e f g h"] * 200

    some = reranker.score("how far", texts, 0.0)

    assert 0 < len(some) < 200
    assert len(reranker.score("how far", texts, 60.0)) == 200
    assert reranker.score("how far", [], 60.0) == []


def test_facts_are_replaced_whole(folder, tmp_path):
    facts = install(folder, tmp_path / "installed", "small")

    write_facts(tmp_path / "installed", facts)

    assert {path.name for path in (tmp_path / "installed").iterdir()} == {
        "encoder.json",
        "tokenizer.json",
        "model.onnx",
        "int8.onnx",
    }
