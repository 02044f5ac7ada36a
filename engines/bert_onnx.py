"""A BERT sentence encoder written as an ONNX graph, straight from its safetensors file.

Token ids go in, mean-pooled vectors of length 1 come out, as sentence-transformers computes them
for models of the form Transformer → mean Pooling → Normalize. Architecture: Devlin et al. 2019
(arXiv:1810.04805); attention is ONNX Runtime's com.microsoft.MultiHeadAttention.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

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


def _embeddings(g: Graph, epsilon: float) -> str:
    """Word + position + segment 0 → (batch, length, hidden)."""
    words = g.node("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    start, length = g.constant("start", np.array([0])), g.node("Shape", "input_ids", start=1)
    places = g.node("Slice", g.weight("embeddings.position_embeddings.weight"), start, length)
    segment = g.constant(
        "segment", g.weights["embeddings.token_type_embeddings.weight"][0].astype(np.float32)
    )
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


def _pooled(g: Graph, x: str) -> None:
    """Mean over the real tokens, then length 1; the graph's output `embedding`."""
    last, along = g.constant("last", np.array([2])), g.constant("along", np.array([1]))
    mask = g.node("Unsqueeze", g.node("Cast", "attention_mask", to=TensorProto.FLOAT), last)
    total = g.node("ReduceSum", g.node("Mul", x, mask), along, keepdims=0)
    mean = g.node("Div", total, g.node("ReduceSum", mask, along, keepdims=0))
    length = g.node("ReduceL2", mean, along, keepdims=1)
    floor = g.constant("floor", np.array(1e-12, np.float32))
    g.nodes.append(helper.make_node("Div", [mean, g.node("Max", length, floor)], ["embedding"]))


def build(model_dir: Path) -> onnx.ModelProto:
    """The encoder in `model_dir` (config.json, model.safetensors) as one ONNX model.

    Inputs `input_ids` and `attention_mask`: int64 (batch, length). Output `embedding`: float32
    (batch, hidden). Raises ValueError for an architecture that this graph does not describe.
    """
    config = json.loads((model_dir / "config.json").read_text())
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise ValueError(f"{model_dir} holds no BERT with gelu, but {config.get('model_type')}")
    g = Graph(load_file(model_dir / "model.safetensors"))
    g.nodes.append(helper.make_node("Cast", ["attention_mask"], ["mask32"], to=TensorProto.INT32))
    epsilon = config["layer_norm_eps"]
    x = _embeddings(g, epsilon)
    for index in range(config["num_hidden_layers"]):
        x = _layer(g, x, f"encoder.layer.{index}", config["num_attention_heads"], epsilon)
    _pooled(g, x)
    shape, ids = ["batch", "length"], TensorProto.INT64
    graph = helper.make_graph(
        g.nodes,
        "bert",
        [
            helper.make_tensor_value_info(name, ids, shape)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", "hidden"])],
        g.initializers,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
