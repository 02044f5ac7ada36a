"""Small GGUFs, as the real ones are built: a model that no one could run, an adapter for it."""

from pathlib import Path

import gguf
import numpy as np

WIDTH = 32


def write_model(path: Path, architecture: str = "llama", rows: int = 4) -> Path:
    """One tensor of `rows` times 32 numbers, and what a model says of itself."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("model")
    writer.add_context_length(256)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_license("apache-2.0")
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("blk.0.attn_q.weight", np.ones((rows, WIDTH), np.float32))
    return _written(writer, path)


def write_adapter(path: Path, architecture: str = "llama", width: int = WIDTH) -> Path:
    """A LoRA of rank 2 for the model's one tensor."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((2, width), np.float32))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", np.ones((4, 2), np.float32))
    return _written(writer, path)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
