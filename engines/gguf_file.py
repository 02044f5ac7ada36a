"""What a GGUF says of itself, read in a process of its own.

The `gguf` package's reader loops or fills the memory on crafted files; the process has limits.
"""

import json
import math
import os
import resource
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engines.errors import EngineError

LIMIT_S = 120
LIMIT_BYTES = 3 << 30  # on top of the file itself, which is mapped
ADAPTER, MODEL = "adapter", "model"


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """`kind` is general.type; `ends_at` is where the tensors' data end, in bytes of the file.

    `shapes` are those of the tensors, llama.cpp's order: the fastest dimension first.
    """

    kind: str
    architecture: str
    quantization: str
    n_ctx_train: int
    parameters: int
    has_chat_template: bool
    licence: str | None
    parts: int
    ends_at: int
    shapes: dict[str, list[int]]


def inspect(path: Path) -> GgufFacts:
    """Reads the header. Raises EngineError `bad_gguf` for what is no whole GGUF."""
    size = path.stat().st_size
    facts = GgufFacts(**json.loads(_read_apart(path)))
    if facts.ends_at > size:
        raise EngineError(
            "bad_gguf",
            f"{path.name} is truncated: its tensors end at byte {facts.ends_at:,},"
            f" the file has {size:,}: download it again",
        )
    if facts.parts > 1:
        raise EngineError(
            "bad_gguf",
            f"{path.name} is one of {facts.parts} parts: join them with `llama-gguf-split --merge`",
        )
    return facts


def _read_apart(path: Path) -> bytes:
    limits = (str(LIMIT_S), str(path.stat().st_size + LIMIT_BYTES))
    command = [sys.executable, "-m", "engines.gguf_file", str(path.resolve()), *limits]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise EngineError("bad_gguf", f"{path.name} could not be read in {LIMIT_S} s") from error
    if ended.returncode:
        # A process that met its limit may have had no last word.
        why = ended.stdout.decode(errors="replace").strip() or "its reader gives up"
        raise EngineError("bad_gguf", f"{path.name} is no GGUF, or a damaged one: {why}")
    return ended.stdout


def mismatch(adapter: GgufFacts, base: GgufFacts) -> str | None:
    """Why the adapter cannot be applied to the model; None if it can."""
    if adapter.architecture != base.architecture:
        return f"it is made for {adapter.architecture}, the model is {base.architecture}"
    for name, [width, _] in _loras(adapter, "lora_a"):
        if base.shapes.get(name, [0])[0] != width:
            return f"{name} reads {width} numbers, not those of this model"
    for name, [_, height] in _loras(adapter, "lora_b"):
        if base.shapes.get(name, [0])[-1] != height:
            return f"{name} writes {height} numbers, not those of this model"
    return None


def _loras(adapter: GgufFacts, side: str) -> list[tuple[str, list[int]]]:
    """The tensors that are adapted, with the shapes of one half of each."""
    ending = f".{side}"
    return [
        (name.removesuffix(ending), shape)
        for name, shape in adapter.shapes.items()
        # Of an embedding the halves are the other way round.
        if name.endswith(ending) and len(shape) == 2 and not name.startswith("token_embd")
    ]


def _read(path: str) -> GgufFacts:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader

    class HeaderReader(GGUFReader):
        """Leaves the tensors' data alone: where they end beyond the file, that is to be told."""

        def _build_tensors(self, start_offs: int, fields: Any) -> None:
            self.shapes: dict[str, list[int]] = {}
            self.kinds: Counter[str] = Counter()
            self.ends_at = start_offs
            for field in fields:
                _, name, _, dims, number, offset = field.parts
                kind, shape = GGMLQuantizationType(number[0]), [int(one) for one in dims]
                block, width = GGML_QUANT_SIZES[kind]
                n_bytes = math.prod(shape) * width // block
                self.ends_at = max(self.ends_at, start_offs + int(offset[0]) + n_bytes)
                self.kinds[kind.name] += n_bytes
                self.shapes[bytes(name).decode()] = shape

    return _facts(HeaderReader(path))


def _facts(reader: Any) -> GgufFacts:
    def said(key: str, otherwise: Any) -> Any:
        field = reader.fields.get(key)
        return otherwise if field is None else field.contents()

    if reader.byte_order != "I" or not reader.shapes:
        raise ValueError("no tensors in the byte order of this machine")
    architecture = said("general.architecture", "")
    return GgufFacts(
        kind=said("general.type", MODEL),
        architecture=architecture,
        quantization=_quantization(said("general.file_type", None), reader.kinds),
        n_ctx_train=said(f"{architecture}.context_length", 0),
        parameters=sum(map(math.prod, reader.shapes.values())),
        has_chat_template="tokenizer.chat_template" in reader.fields,
        licence=said("general.license", None),
        parts=said("split.count", 1),
        ends_at=reader.ends_at,
        shapes=reader.shapes,
    )


def _quantization(file_type: int | None, kinds: Counter[str]) -> str:
    """The file's own word for its mixture, else what most of its bytes are."""
    from gguf import LlamaFileType

    known = {one.value: one.name.removeprefix("MOSTLY_") for one in LlamaFileType}
    return known.get(file_type) or kinds.most_common(1)[0][0]  # type: ignore[arg-type]


def _main(path: str, seconds: str, most_bytes: str) -> int:
    """Prints the facts as JSON, or the reason why there are none; gives the exit code."""
    import gguf  # noqa: F401 - before the limits: its libraries reserve address space freely

    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_AS, (int(most_bytes), int(most_bytes)))
    try:
        print(json.dumps(asdict(_read(path))))
    except (ValueError, KeyError, IndexError, OverflowError, TypeError) as error:
        print(error)
    except MemoryError:
        # No orderly end: there is no memory for one.
        os.write(1, b"reading it takes too much memory")
        os._exit(1)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
