"""A BERT encoder written as an ONNX graph, straight from its safetensors file.

Token ids go in, a vector for each token comes out; of a cross-encoder, which reads two texts as a
pair, the score. Architecture: Devlin et al. 2019 (arXiv:1810.04805); attention is ONNX Runtime's
com.microsoft.MultiHeadAttention.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError
from safetensors.numpy import load_file

from engines.errors import EngineError

OPSET = 20


class Graph:
    """Nodes and weights in the order they are added; names are the values' names."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.names: set[str] = set()

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds an operation and gives the name of its output."""
        output = f"v{len(self.nodes)}"
        node = helper.make_node(op, list(inputs), [output], domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds a weight once and gives its name."""
        if name not in self.names:
            self.names.add(name)
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name].astype(np.float32))

    def linear(self, x: str, name: str) -> str:
        """x·Wᵀ + b."""
        kernel = self.weights[f"{name}.weight"].astype(np.float32).T
        product = self.node("MatMul", x, self.constant(f"{name}.kernel", kernel))
        return self.node("Add", product, self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str, epsilon: float) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)


def _embeddings(g: Graph, epsilon: float, pairs: bool) -> str:
    """Word + position + segment → (batch, length, hidden); without pairs all is segment 0."""
    words = g.node("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    start, length = g.constant("start", np.array([0])), g.node("Shape", "input_ids", start=1)
    places = g.node("Slice", g.weight("embeddings.position_embeddings.weight"), start, length)
    segments = "embeddings.token_type_embeddings.weight"
    if pairs:
        segment = g.node("Gather", g.weight(segments), "token_type_ids")
    else:
        segment = g.constant("segment", g.weights[segments][0].astype(np.float32))
    total = g.node("Add", g.node("Add", words, places), segment)
    return g.norm(total, "embeddings.LayerNorm", epsilon)


def _layer(g: Graph, x: str, name: str, heads: int, epsilon: float) -> str:
    """One transformer layer, post-norm."""
    parts = [g.linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
    attended = g.node(
        "MultiHeadAttention", *parts, "", "mask32", domain="com.microsoft", num_heads=heads
    )
    mixed = g.node("Add", g.linear(attended, f"{name}.attention.output.dense"), x)
    x = g.norm(mixed, f"{name}.attention.output.LayerNorm", epsilon)
    inner = g.node("Gelu", g.linear(x, f"{name}.intermediate.dense"))
    mixed = g.node("Add", g.linear(inner, f"{name}.output.dense"), x)
    return g.norm(mixed, f"{name}.output.LayerNorm", epsilon)


def _classified(g: Graph, x: str) -> str:
    """The first token's state through pooler and classifier → (batch, labels)."""
    first = g.constant("first", np.array(0))
    pooled = g.linear(g.node("Gather", x, first, axis=1), "pooler.dense")
    return g.linear(g.node("Tanh", pooled), "classifier")


def is_described(config: dict[str, Any]) -> bool:
    """Whether the graph of this module is that of a model with this config.json."""
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
    )


def build(model_dir: Path, pairs: bool = False) -> onnx.ModelProto:
    """The encoder in `model_dir` (config.json, model.safetensors) as one ONNX model.

    Inputs `input_ids` and `attention_mask`, with `pairs` `token_type_ids` too: int64 (batch,
    length). Output float32: `last_hidden_state` (batch, length, hidden), with `pairs` `logits`
    (batch, labels). Raises EngineError `broken_weights` if a weight is missing.
    """
    config = json.loads((model_dir / "config.json").read_text())
    g = Graph(_weights(model_dir / "model.safetensors"))
    g.nodes.append(helper.make_node("Cast", ["attention_mask"], ["mask32"], to=TensorProto.INT32))
    epsilon = config["layer_norm_eps"]
    try:
        x = _embeddings(g, epsilon, pairs)
        for index in range(config["num_hidden_layers"]):
            x = _layer(g, x, f"encoder.layer.{index}", config["num_attention_heads"], epsilon)
        given = _classified(g, x) if pairs else x
    except KeyError as error:
        raise EngineError("broken_weights", f"{model_dir} holds no weight {error}") from error
    return _model(g, given, "logits" if pairs else "last_hidden_state", pairs)


def _weights(path: Path) -> dict[str, np.ndarray]:
    """By name; a model with a head on top has its encoder under `bert.`."""
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise EngineError("broken_weights", f"{path} cannot be read: {error}") from error
    return {name.removeprefix("bert."): array for name, array in weights.items()}


def _model(g: Graph, given: str, output: str, pairs: bool) -> onnx.ModelProto:
    g.nodes.append(helper.make_node("Identity", [given], [output]))
    names = ("input_ids", "attention_mask", *(["token_type_ids"] if pairs else []))
    shape = ["batch", "labels"] if pairs else ["batch", "length", "hidden"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in names
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
    graph = helper.make_graph(g.nodes, "bert", inputs, outputs, g.initializers)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
