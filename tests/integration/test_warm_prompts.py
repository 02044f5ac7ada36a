"""Beginnings that were computed before: of running answers, from memory, from disk; adapters."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import gguf
import numpy as np
import pytest

from engines.errors import EngineError
from engines.generator import Generator
from engines.sampling import Sampling
from tests.integration.generating import (
    NUMBERS,
    WEIGHTS,
    another,
    chat,
    counting,
    document,
    together,
    told,
)

SHORT = Sampling(8)


def on(text: str, number: int) -> list:
    return told(text, f"What is number {number}, and where?")


def test_questions_on_one_document_that_come_together_compute_it_once(generator):
    text = document("the first house")
    made = together(partial(generator.generate, on(text, number), SHORT) for number in range(4))
    cached = sorted(one.cached_tokens for one in made)
    assert cached[0] == 0
    assert cached[1] >= len(generator.tokenize(text))


def test_a_question_shares_the_document_of_an_answer_that_is_being_written(generator):
    text = document("the second house")
    with counting(generator), ThreadPoolExecutor(1) as thread:
        first = thread.submit(generator.generate, on(text, 1), Sampling(40))
        second = generator.generate(on(text, 2), SHORT)
        cached = sorted([first.result(30).cached_tokens, second.cached_tokens])
    assert cached[1] >= len(generator.tokenize(text))


def test_a_document_stays_warm_after_its_answer(generator):
    text = document("the third house")
    cold = generator.generate(on(text, 1), SHORT)
    warm = generator.generate(on(text, 2), SHORT)
    same = generator.generate(on(text, 1), SHORT)
    assert cold.cached_tokens == 0
    assert warm.cached_tokens >= len(generator.tokenize(text))
    assert same.text == cold.text


def test_whoever_asks_for_another_tenant_shares_nothing(generator):
    text = document("the fourth house")
    generator.generate(on(text, 1), SHORT, scope="1")
    assert generator.generate(on(text, 1), SHORT, scope="2").cached_tokens == 0
    assert generator.generate(on(text, 2), SHORT, scope="1").cached_tokens > 0


def test_the_last_token_is_computed_even_if_all_was_before(generator):
    asked = on(document("the fifth house"), 1)
    generator.generate(asked, SHORT)
    again = generator.generate(asked, SHORT)
    assert again.cached_tokens == again.prompt_tokens - 1


def test_a_warm_document_survives_a_restart_and_damage_is_noticed(monkeypatch, tmp_path):
    text = document("the sixth house")
    with another(monkeypatch, prefix_dir=tmp_path) as first:
        cold = first.generate(on(text, 1), SHORT)
        first.generate(on(text, 2), SHORT)
    with another(monkeypatch, prefix_dir=tmp_path) as second:
        warm = second.generate(on(text, 1), SHORT)
    [path] = tmp_path.glob("*/*.kv")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with another(monkeypatch, prefix_dir=tmp_path) as third:
        again = third.generate(on(text, 1), SHORT)

    assert (cold.cached_tokens, again.cached_tokens) == (0, 0)
    assert warm.cached_tokens > 0.8 * warm.prompt_tokens
    assert cold.text == warm.text == again.text
    assert not path.exists()


# --- adapters -----------------------------------------------------------------------------------


def write_adapter(path: Path, seed: int = 1) -> Path:
    """A LoRA of rank 2 for the queries of the first layer, with random numbers."""
    chance = np.random.default_rng(seed)
    width = next(
        tensor.shape[0]
        for tensor in gguf.GGUFReader(WEIGHTS).tensors
        if tensor.name == "blk.0.attn_q.weight"
    )
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0)
    for name, shape in (("lora_a", (2, width)), ("lora_b", (width, 2))):
        numbers = chance.normal(0, 2.0, shape).astype(np.float32)
        writer.add_tensor(f"blk.0.attn_q.weight.{name}", numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter.gguf")


def chances(generator: Generator, adapter: Path | None) -> list[float]:
    """Log-probabilities of the same four tokens."""
    script = tuple(generator.tokenize(" 11, 12"))
    made = generator.generate(NUMBERS, Sampling(len(script), script=script), adapter=adapter)
    return [chance for _, chance in made.tokens]


def test_an_adapter_changes_what_it_is_asked_for_with_and_nothing_else(generator, adapter):
    before = chances(generator, None)
    adapted = chances(generator, adapter)
    assert chances(generator, None) == before
    assert np.abs(np.subtract(adapted, before)).max() > 0.01


def test_questions_with_and_without_an_adapter_in_flight_do_not_mix(generator, adapter):
    alone = {one: chances(generator, one) for one in (None, adapter)}
    asked = [None, adapter, None, adapter, adapter, None]
    with ThreadPoolExecutor(len(asked)) as threads:
        mixed = list(threads.map(partial(chances, generator), asked, timeout=60))
    for one, given in zip(asked, mixed, strict=True):
        np.testing.assert_allclose(given, alone[one], atol=0.1)
    assert np.abs(np.subtract(alone[None], alone[adapter])).max() > 0.3


def test_what_was_computed_with_an_adapter_is_shared_only_with_it(generator, adapter):
    text = document("the seventh house")
    generator.generate(on(text, 1), SHORT)
    assert generator.generate(on(text, 1), SHORT, adapter=adapter).cached_tokens == 0
    assert generator.generate(on(text, 2), SHORT, adapter=adapter).cached_tokens > 0


def test_another_adapter_under_the_same_name_is_another(generator, adapter):
    first = chances(generator, adapter)
    second = chances(generator, write_adapter(adapter, seed=2))
    assert np.abs(np.subtract(first, second)).max() > 0.01


def test_what_is_no_adapter_is_refused_and_ends_only_its_own_question(generator, tmp_path):
    (tmp_path / "none.gguf").write_bytes(b"GGUF and then nothing")
    for path in (tmp_path / "none.gguf", tmp_path / "gone.gguf", WEIGHTS):
        with pytest.raises(EngineError) as refused:
            generator.generate(chat("What?"), SHORT, adapter=path)
        assert refused.value.code == "broken_adapter"
        assert generator.generate(chat("What?"), SHORT).completion_tokens
