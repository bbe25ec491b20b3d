"""What each operator of ONNX is to a chain of dense layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from approxmm.interop.labels import label
from approxmm.interop.onnx_graph import Graph, attribute
from approxmm.interop.parts import Affine, Head, Inert, Obstacle, Part, Phi, dense
from approxmm.interop.stored import Stored

__all__ = ["HANDLED", "HEADS", "obstacle", "part_of"]

_EXPORT = "export the model again in evaluation mode, with its weights as plain constants"
_ONLY_DENSE = "only chains of dense layers can be propagated; take out the part of the model that is one"
# What may follow the last layer, and is left off there: classes and probabilities made of its result.
# fmt: off
HEADS = frozenset((
    "Add", "ArgMax", "ArgMin", "Cast", "Clip", "Concat", "ConstantOfShape", "Div", "Equal", "Exp", "Flatten",
    "Gather", "Greater", "Identity", "Less", "Log", "LogSoftmax", "Mul", "Not", "ReduceMax", "ReduceSum", "Relu",
    "Reshape", "Shape", "Sigmoid", "Softmax", "Squeeze", "Sub", "Sum", "TopK", "Unsqueeze", "Where",
    *(f"ai.onnx.ml.{name}" for name in ("ArrayFeatureExtractor", "Binarizer", "LabelEncoder", "Normalizer", "ZipMap")),
))
# fmt: on
_Handler = Callable[[Graph, Any, str], Part]


def part_of(graph: Graph, node: Any, value: str) -> Part:
    """Return what `node` does to the data `value`; an `Obstacle` with the reason where it is nothing known."""
    op = graph.op(node)
    others = [name for name in graph.data(node) if name != value]
    if others:
        return obstacle(
            graph, node, f"it combines two paths of data ({label(value, 40)}, {label(others[0], 40)})", _ONLY_DENSE
        )
    handler = _HANDLERS.get(op)
    if handler is not None:
        return handler(graph, node, value)
    reason, remedy = _REASONS.get(op, ("it is no operator of a chain of dense layers", _ONLY_DENSE))
    return obstacle(graph, node, reason, remedy, stand_in=op in _ACTIVATIONS)


def obstacle(graph: Graph, node: Any, reason: str, remedy: str = _EXPORT, stand_in: bool = False) -> Obstacle:
    """Return a node as something that cannot be propagated, with the number of its parameters."""
    tensors = [graph.constants[name] for name in node.input if graph.constants.get(name) is not None]
    shapes = [tuple(int(n) for n in tensor.dims) for tensor in tensors]
    sizes = [int(np.prod(shape, dtype=object)) for shape in shapes]
    return Obstacle(
        name=graph.name(node),
        kind=graph.op(node),
        shape=max(shapes, key=len, default=()),
        parameters=sum(sizes),
        reason=reason,
        remedy=remedy,
        stand_in=stand_in,
    )


def _gemm(graph: Graph, node: Any, value: str) -> Part:
    if list(node.input[:1]) != [value] or attribute(node, "transA", 0):
        return obstacle(graph, node, "the data are its second factor, or transposed", "export layers as x·W + b")
    weight = graph.constant(node.input[1]) if len(node.input) > 1 else None
    if weight is None or len(weight.shape) != 2:
        return obstacle(graph, node, "its weight is not a constant matrix" + _quantised(graph, node))
    transposed = bool(attribute(node, "transB", 0))
    alpha, beta = float(attribute(node, "alpha", 1.0)), float(attribute(node, "beta", 1.0))
    width = weight.shape[0 if transposed else 1]
    bias: Stored | None = None
    if len(node.input) > 2 and node.input[2]:
        bias = graph.constant(node.input[2])
        if bias is None or bias.size not in (1, width) or (bias.size == width and bias.shape[-1:] != (width,)):
            return obstacle(graph, node, "its bias is not a constant of one value a node")
        bias = Stored(bias.dtype, (width,), _scaled(bias, beta, width)) if bias.real else bias
    if alpha != 1.0 and weight.real:
        weight = Stored(weight.dtype, weight.shape, _scaled(weight, alpha))
    return dense(graph.name(node), weight, bias, kind="Gemm", transposed=transposed)


def _scaled(array: Stored, factor: float, width: int | None = None) -> np.ndarray:
    values = array.values()
    scaled = values if factor == 1.0 else (values.astype(np.float64) * factor).astype(values.dtype)
    return scaled if width is None else np.broadcast_to(scaled.reshape(-1), width)


def _matmul(graph: Graph, node: Any, value: str) -> Part:
    if len(node.input) != 2 or node.input[0] != value:
        return obstacle(graph, node, "the data are its second factor", "export layers as x·W")
    weight = graph.constant(node.input[1])
    if weight is None or len(weight.shape) != 2:
        return obstacle(graph, node, "its weight is not a constant matrix" + _quantised(graph, node))
    return dense(graph.name(node), weight, kind="MatMul")


def _quantised(graph: Graph, node: Any) -> str:
    makers = [graph.made_by[name] for name in node.input if name in graph.made_by]
    quantised = [graph.op(maker) for maker in makers if "quantize" in graph.op(maker).lower()]
    return f": it comes out of {quantised[0]}, so the model is quantised" if quantised else ""


def _affine(op: str) -> _Handler:
    """Return the handler of an arithmetic operator with a constant."""

    def handle(graph: Graph, node: Any, value: str) -> Part:
        first = node.input[0] == value
        if len(node.input) != 2:
            return obstacle(graph, node, "it has not two inputs")
        constant = graph.numbers(node.input[1 if first else 0])
        if constant is None or (constant.ndim and constant.size != constant.shape[-1]):
            return obstacle(graph, node, "its other input is not a constant of one value, or one a feature")
        c, one, zero = constant.reshape(-1), np.ones(1), np.zeros(1)
        if op == "Div" and (not first or not c.all()):
            return obstacle(graph, node, "it divides by the data, or by zero")
        scale, shift = {
            "Add": (one, c),
            "Sub": (one, -c) if first else (-one, c),
            "Mul": (c, zero),
            "Div": (one / c if op == "Div" else one, zero),
        }[op]
        return Affine(name=graph.name(node), kind=op, parameters=c.size, scale=scale, shift=shift)

    return handle


def _batch_norm(graph: Graph, node: Any, value: str) -> Part:
    arrays = [graph.numbers(name) for name in node.input[1:5]]
    if len(arrays) != 4 or any(array is None for array in arrays) or attribute(node, "training_mode", 0):
        return obstacle(graph, node, "it depends on the batch, or its statistics are not constant")
    gain, shift, mean, variance = (np.asarray(array).reshape(-1) for array in arrays)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = gain / np.sqrt(variance + float(attribute(node, "epsilon", 1e-5)))
    if len({array.size for array in (gain, shift, mean, variance)}) != 1 or not np.isfinite(scale).all():
        return obstacle(graph, node, "its four statistics differ in size, or a variance is negative")
    return Affine(
        name=graph.name(node),
        kind="BatchNormalization",
        parameters=4 * mean.size,
        scale=scale,
        shift=shift - mean * scale,
    )


def _scaler(graph: Graph, node: Any, value: str) -> Part:
    offset, scale = (np.asarray(attribute(node, name, [0.0]), dtype=np.float64) for name in ("offset", "scale"))
    return Affine(
        name=graph.name(node), kind="Scaler", parameters=offset.size + scale.size, scale=scale, shift=-offset * scale
    )


def _phi(activation: str) -> _Handler:
    return lambda graph, node, value: Phi(name=graph.name(node), kind=graph.op(node), activation=activation)


def _leaky(graph: Graph, node: Any, value: str) -> Part:
    slope = float(attribute(node, "alpha", 0.01))
    if not np.isfinite(slope):
        return obstacle(graph, node, f"its slope is {slope}")
    return Phi(name=graph.name(node), kind="LeakyRelu", activation=f"leaky_relu({graph.text(slope)})")


def _prelu(graph: Graph, node: Any, value: str) -> Part:
    slopes = graph.numbers(node.input[1]) if len(node.input) == 2 and node.input[0] == value else None
    if slopes is None or not slopes.size or not np.isfinite(slopes).all() or np.ptp(slopes) != 0:
        return obstacle(graph, node, "its slopes differ from node to node", "name one by activation=…", stand_in=True)
    return Phi(
        name=graph.name(node), kind="PRelu", activation=f"leaky_relu({graph.text(float(slopes.reshape(-1)[0]))})"
    )


def _gelu(graph: Graph, node: Any, value: str) -> Part:
    if attribute(node, "approximate", "none") == "none":
        return Phi(name=graph.name(node), kind="Gelu", activation="gelu")
    reason, remedy = "it is GELU by tanh, up to 5e-4 away from the exact one", "take that by activation='gelu'"
    return obstacle(graph, node, reason, remedy, stand_in=True)


def _inert(graph: Graph, node: Any, value: str) -> Part:
    return Inert(name=graph.name(node), kind=graph.op(node))


def _dropout(graph: Graph, node: Any, value: str) -> Part:
    mode = graph.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    if len(node.input) > 2 and node.input[2] and (mode is None or mode.raw.any()):
        return obstacle(graph, node, "it is in training mode, and drops values at random")
    return _inert(graph, node, value)


def _cast(graph: Graph, node: Any, value: str) -> Part:
    if attribute(node, "to", 1) not in (1, 10, 11, 16):
        return obstacle(graph, node, "it rounds the data to whole numbers")
    return _inert(graph, node, value)


def _flatten(graph: Graph, node: Any, value: str) -> Part:
    if attribute(node, "axis", 1) != 1:
        return obstacle(graph, node, "it mixes examples or keeps an axis", "flatten from axis 1 on")
    return _inert(graph, node, value)


def _reshape(graph: Graph, node: Any, value: str) -> Part:
    """Take what keeps examples apart: to (batch, features), either of them left open, or by a computed shape."""
    shape = graph.whole_numbers(node.input[1]) if len(node.input) > 1 and node.input[0] == value else None
    if shape is not None and (len(shape) != 2 or (shape[0] not in (-1, 0, 1) and shape[1] != -1)):
        return obstacle(
            graph, node, f"it brings the data to the shape {shape}", "flatten inputs to (examples, features)"
        )
    return _inert(graph, node, value)


def _head(graph: Graph, node: Any, value: str) -> Part:
    return Head(name=graph.name(node), kind=graph.op(node))


_HANDLERS: dict[str, _Handler] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    **{op: _affine(op) for op in ("Add", "Sub", "Mul", "Div")},
    "BatchNormalization": _batch_norm,
    "ai.onnx.ml.Scaler": _scaler,
    "Relu": _phi("relu"),
    "Tanh": _phi("tanh"),
    "Sigmoid": _phi("sigmoid"),
    "Erf": _phi("erf"),
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "Gelu": _gelu,
    "Identity": _inert,
    "Dropout": _dropout,
    "Cast": _cast,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Softmax": _head,
    "LogSoftmax": _head,
}
HANDLED = frozenset(_HANDLERS)
_SHARED = "its weights are shared over positions, and its product is not a dense matrix product"
_STATISTIC = "it divides by a statistic of each input, which no layer can absorb"
_CODES = "the model is quantised: products of whole numbers round in a way of their own"
_FLOAT = "export the model in float32, before it is quantised"
_NO_ACTIVATION = "the package has no such activation"
_NAME_ONE = "name one that takes its place by --activation (activation=… in Python)"
_ACTIVATIONS = frozenset(
    {"Elu", "Selu", "Celu", "Softplus", "Softsign", "HardSigmoid", "HardSwish", "Swish", "Mish", "ThresholdedRelu"}
)
_REASONS: dict[str, tuple[str, str]] = {
    op: why
    for why, ops in {
        (_NO_ACTIVATION, _NAME_ONE): _ACTIVATIONS,
        (_SHARED, _ONLY_DENSE): ("Conv", "ConvTranspose"),
        ("it pools over positions", _ONLY_DENSE): ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
        (_STATISTIC, _ONLY_DENSE): ("LayerNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
        ("its output is fed back", _ONLY_DENSE): ("LSTM", "GRU", "RNN", "Loop", "Scan"),
        ("it multiplies activations with activations", _ONLY_DENSE): ("Attention",),
        (_CODES, _FLOAT): (
            "QuantizeLinear",
            "DequantizeLinear",
            "DynamicQuantizeLinear",
            "QLinearMatMul",
            "MatMulInteger",
        ),
        ("it exchanges the axes of the data", "export the model for inputs (examples, features)"): ("Transpose",),
    }.items()
    for op in ops
}
