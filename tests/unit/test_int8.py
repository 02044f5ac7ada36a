"""Graphs in 8 bits: near to the graphs they are made of, whatever their age and shape."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.int8 import quantized

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.standard_normal((64, 32)).astype(np.float32)


def graph(opset: int, is_input: bool = False, matrix: np.ndarray = MATRIX) -> onnx.ModelProto:
    """y = x·matrix, and its square x·matrix·(x·matrix)ᵀ, which no fixed matrix is part of."""
    nodes = [
        helper.make_node("MatMul", ["x", "matrix"], ["y"]),
        helper.make_node("Transpose", ["y"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["y", "turned"], ["square"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length", 64])]
    if is_input:
        inputs.append(helper.make_tensor_value_info("matrix", TensorProto.FLOAT, [64, 32]))
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "length", width])
        for name, width in (("y", 32), ("square", "length"))
    ]
    weights = [numpy_helper.from_array(matrix, "matrix")]
    made = helper.make_graph(nodes, "products", inputs, outputs, weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model: onnx.ModelProto, x: np.ndarray) -> Sequence[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": x})


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("opset", [11, 17, 20])
@pytest.mark.parametrize("is_input", [False, True])
def test_products_by_a_fixed_matrix_are_near_those_in_float(opset, is_input):
    x = RANDOM.standard_normal((2, 5, 64)).astype(np.float32)
    model = quantized(graph(opset, is_input))

    y, square = run(model, x)

    onnx.checker.check_model(model)
    np.testing.assert_allclose(y, x @ MATRIX, atol=0.03 * np.abs(x @ MATRIX).max())
    np.testing.assert_allclose(square, y @ y.swapaxes(1, 2), rtol=1e-4, atol=1e-3)
    assert operators(model).count("MatMulInteger") == 1
    assert operators(model).count("MatMul") == 1
    assert "matrix" not in {one.name for one in model.graph.initializer}


def test_a_row_is_computed_the_same_beside_any_other():
    x = RANDOM.standard_normal((1, 3, 64)).astype(np.float32)
    huge = np.concatenate([x, 1000 * x], axis=1)
    model = quantized(graph(20))

    np.testing.assert_array_equal(run(model, huge)[0][:, :3], run(model, x)[0])


def test_rows_and_columns_of_zeros_stay_zeros():
    matrix = MATRIX.copy()
    matrix[:, 7] = 0
    x = RANDOM.standard_normal((1, 2, 64)).astype(np.float32)
    x[0, 1] = 0

    y, _ = run(quantized(graph(20, matrix=matrix)), x)

    assert np.isfinite(y).all()
    assert not y[0, 1].any()
    assert not y[..., 7].any()


def test_the_graph_it_is_made_of_stays_as_it_was():
    model = graph(20)
    before = model.SerializeToString()

    quantized(model)

    assert model.SerializeToString() == before
