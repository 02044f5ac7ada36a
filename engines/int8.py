"""Any ONNX graph with its products by fixed matrices in whole numbers of 8 bits.

Weights have a scale for each column, activations one for each row, that is for each token, taken
anew each time: what a text is computed to does not depend on the texts beside it (LLM.int8(),
Dettmers et al. 2022, arXiv:2208.07339, section 2.1, "vector-wise").
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ONE, MIDDLE, TOP, LEAST, LAST = (f"int8.{name}" for name in ("one", "mid", "top", "least", "last"))
# ReduceMax takes its axes as an input from this version of ONNX's operators on.
AXES_ARE_INPUT = 18


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the graph; what it cannot do in 8 bits stays as it is."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {one.name: one for one in graph.initializer if _is_matrix(one)}
    opset = next(one.version for one in made.opset_import if one.domain in ("", "ai.onnx"))
    nodes: list[onnx.NodeProto] = []
    scaled: set[str] = set()
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            if node.input[0] not in scaled:
                scaled.add(node.input[0])
                nodes += _activations(node.input[0], opset)
            nodes += _product(node)
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    arrays = [one for one in graph.initializer if one.name in used]
    for name in sorted(weights):
        if f"{name}.int8" in used:
            arrays += _weights(weights[name])
    _replace(graph, nodes, [*arrays, *_constants()])
    return made


def _is_matrix(tensor: onnx.TensorProto) -> bool:
    return len(tensor.dims) == 2 and tensor.data_type == TensorProto.FLOAT


def _activations(x: str, opset: int) -> Iterator[onnx.NodeProto]:
    """x.int8: round(127·x / max|row|) + 128 as uint8, which CPUs multiply fastest; x.scale."""
    yield helper.make_node("Abs", [x], [f"{x}.abs"])
    if opset >= AXES_ARE_INPUT:
        yield helper.make_node("ReduceMax", [f"{x}.abs", LAST], [f"{x}.max"], keepdims=1)
    else:
        yield helper.make_node("ReduceMax", [f"{x}.abs"], [f"{x}.max"], keepdims=1, axes=[-1])
    yield helper.make_node("Div", [f"{x}.max", TOP], [f"{x}.step"])
    yield helper.make_node("Max", [f"{x}.step", LEAST], [f"{x}.scale"])
    yield helper.make_node("Div", [x, f"{x}.scale"], [f"{x}.steps"])
    yield helper.make_node("QuantizeLinear", [f"{x}.steps", ONE, MIDDLE], [f"{x}.int8"])


def _product(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    (x, weight), [y] = node.input, node.output
    whole = [f"{x}.int8", f"{weight}.int8", MIDDLE]
    yield helper.make_node("MatMulInteger", whole, [f"{y}.int32"])
    yield helper.make_node("Cast", [f"{y}.int32"], [f"{y}.float"], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [f"{y}.float", f"{x}.scale"], [f"{y}.rows"])
    yield helper.make_node("Mul", [f"{y}.rows", f"{weight}.scale"], [y])


def _weights(tensor: onnx.TensorProto) -> Iterator[onnx.TensorProto]:
    matrix = numpy_helper.to_array(tensor)
    scale = np.maximum(np.abs(matrix).max(axis=0) / 127, 1e-12).astype(np.float32)
    rounded = np.rint(matrix / scale).astype(np.int8)
    yield numpy_helper.from_array(rounded, f"{tensor.name}.int8")
    yield numpy_helper.from_array(scale, f"{tensor.name}.scale")


def _constants() -> Iterator[onnx.TensorProto]:
    yield numpy_helper.from_array(np.array(1, np.float32), ONE)
    yield numpy_helper.from_array(np.array(128, np.uint8), MIDDLE)
    yield numpy_helper.from_array(np.array(127, np.float32), TOP)
    yield numpy_helper.from_array(np.array(1e-12, np.float32), LEAST)
    yield numpy_helper.from_array(np.array([-1]), LAST)


def _replace(
    graph: onnx.GraphProto, nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto]
) -> None:
    # Old files name their weights among the inputs too, where they may be given anew.
    inputs = {one.name for one in graph.input} - {one.name for one in graph.initializer}
    for number in reversed(range(len(graph.input))):
        if graph.input[number].name not in inputs:
            del graph.input[number]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(initializers)
