"""What is read from a GGUF, and what no file can do to the reader."""

import os
import struct
from pathlib import Path

import pytest

from engines import gguf_file
from engines.errors import EngineError
from settings import settings
from tests.integration.gguf_files import write_adapter, write_model

# One array of 2**62 numbers, in 49 bytes: the reader believes it.
ENDLESS = b"GGUF" + struct.pack("<IQQQcIIQ", 3, 0, 1, 1, b"a", 9, 4, 2**62)


def refusal(path: Path) -> str:
    with pytest.raises(EngineError) as refused:
        gguf_file.inspect(path)
    assert refused.value.code == "bad_gguf"
    return refused.value.message


def test_a_model_says_what_it_is():
    facts = gguf_file.inspect(settings.weights_dir / settings.model)

    assert (facts.kind, facts.architecture, facts.quantization) == ("model", "llama", "Q8_0")
    assert (facts.n_ctx_train, facts.parameters) == (8192, 134_515_008)
    assert facts.has_chat_template
    assert facts.licence == "apache-2.0"
    assert facts.ends_at == (settings.weights_dir / settings.model).stat().st_size


@pytest.mark.parametrize("content", [b"", b"hello", b"GGUF and then nothing", ENDLESS[:30]])
def test_what_is_no_gguf_is_said(tmp_path: Path, content: bytes):
    path = tmp_path / "x.gguf"
    path.write_bytes(content)

    assert refusal(path).startswith("x.gguf is no GGUF, or a damaged one: ")


def test_a_truncated_file_is_said_with_the_numbers(tmp_path: Path):
    path = write_model(tmp_path / "x.gguf")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 100)

    assert f"end at byte {size:,}, the file has {size - 100:,}" in refusal(path)


def test_a_file_that_would_fill_the_memory_is_given_up(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(gguf_file, "LIMIT_BYTES", 300 << 20)
    path = tmp_path / "x.gguf"
    path.write_bytes(ENDLESS)

    assert "takes too much memory" in refusal(path)


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(gguf_file, "LIMIT_S", 1)
    path = tmp_path / "x.gguf"
    os.mkfifo(path)  # nobody will ever write into it

    assert "could not be read in 1 s" in refusal(path)


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        ({}, None),
        ({"architecture": "qwen2"}, "made for qwen2, the model is llama"),
        ({"width": 64}, "blk.0.attn_q.weight reads 64 numbers"),
    ],
)
def test_an_adapter_fits_a_model_of_its_architecture_and_shapes(tmp_path: Path, adapter, why):
    base = gguf_file.inspect(write_model(tmp_path / "base.gguf"))
    lora = gguf_file.inspect(write_adapter(tmp_path / "lora.gguf", **adapter))

    found = gguf_file.mismatch(lora, base)

    assert found is None if why is None else why in found
