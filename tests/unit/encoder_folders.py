"""Small random encoders as sentence-transformers saves them, and what they compute, in NumPy."""

import json
from math import erf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*"abcdefgh:", "how", "far", "is", "the", "river", "two", "miles", "query", "passage"]
VOCABULARY = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
HIDDEN, HEADS, LAYERS, INNER, PLACES = 16, 4, 2, 32, 24
CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
    "max_position_embeddings": PLACES,
    "layer_norm_eps": 1e-12,
}
RERANKER = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
Weights = dict[str, np.ndarray]


def random_weights(seed: int = 0) -> Weights:
    """A BERT with pooler and classifier, by the names that transformers give them."""
    random = np.random.default_rng(seed)
    weights: Weights = {}

    def add(name: str, *shape: int, around: float = 0.0) -> None:
        weights[name] = (around + 0.3 * random.standard_normal(shape)).astype(np.float32)

    def linear(name: str, inputs: int, outputs: int) -> None:
        add(f"{name}.weight", outputs, inputs)
        add(f"{name}.bias", outputs)

    def norm(name: str) -> None:
        add(f"{name}.weight", HIDDEN, around=1.0)
        add(f"{name}.bias", HIDDEN)

    for name, rows in (("word", len(VOCABULARY)), ("position", PLACES), ("token_type", 2)):
        add(f"embeddings.{name}_embeddings.weight", rows, HIDDEN)
    norm("embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{layer}.attention.{part}", HIDDEN, HIDDEN)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", HIDDEN, INNER)
        linear(f"{layer}.output.dense", INNER, HIDDEN)
        norm(f"{layer}.output.LayerNorm")
    linear("pooler.dense", HIDDEN, HIDDEN)
    linear("classifier", HIDDEN, 1)
    return weights


def write_encoder(folder: Path, weights: Weights, **config: Any) -> Path:
    """An encoder that pools by the mean, unless `write_pooling` says otherwise."""
    folder.mkdir()
    write(folder / "config.json", CONFIG | config)
    write(folder / "tokenizer_config.json", {"model_max_length": PLACES})
    save_file(weights, folder / "model.safetensors")
    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_pooling(folder: Path, **config: Any) -> None:
    """The pooling module and its configuration."""
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.{kind}"}
        for number, (path, kind) in enumerate(
            [("", "models.Transformer"), ("1_Pooling", "models.Pooling")]
        )
    ]
    write(folder / "modules.json", modules)
    (folder / "1_Pooling").mkdir(exist_ok=True)
    write(folder / "1_Pooling" / "config.json", config)


def write(path: Path, content: Any) -> None:
    """JSON."""
    path.write_text(json.dumps(content))


def tokens(text: str) -> list[int]:
    """Token ids without special ones."""
    words = text.lower().replace(":", " : ").split()
    return [VOCABULARY.get(word, VOCABULARY["[UNK]"]) for word in words]


def forward(weights: Weights, ids: list[int], types: list[int] | None = None) -> np.ndarray:
    """The last states (length, hidden) of one text, in the words of the paper and float64."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return unit * w[f"{name}.weight"] + w[f"{name}.bias"]

    def attended(x: np.ndarray, name: str) -> np.ndarray:
        parts = (linear(x, f"{name}.{part}") for part in ("query", "key", "value"))
        q, k, v = (part.reshape(len(x), HEADS, -1).swapaxes(0, 1) for part in parts)
        raised = np.exp(q @ k.swapaxes(1, 2) / sqrt(HIDDEN / HEADS))
        shares = raised / raised.sum(axis=-1, keepdims=True)
        return (shares @ v).swapaxes(0, 1).reshape(len(x), HIDDEN)

    gelu = np.vectorize(lambda one: one * (1 + erf(one / sqrt(2))) / 2)
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = x + w["embeddings.token_type_embeddings.weight"][types or [0] * len(ids)]
    x = norm(x, "embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        mixed = linear(attended(x, f"{layer}.attention.self"), f"{layer}.attention.output.dense")
        x = norm(x + mixed, f"{layer}.attention.output.LayerNorm")
        inner = gelu(linear(x, f"{layer}.intermediate.dense"))
        x = norm(x + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    return x


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
