"""An ONNX graph as seen from the data: which values are constant, and who reads a value."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from approxmm.interop.labels import label
from approxmm.interop.onnx_tensors import Tensors
from approxmm.interop.stored import Stored

__all__ = ["Graph", "attribute"]

_DOUBLE = 11  # TensorProto.DOUBLE
_EXACT_CASTS = ((10, 1), (16, 1), (10, 11), (16, 11), (1, 11))  # 16 bits to float32 and float64, and that to float64
_DEFAULT_DOMAINS = ("", "ai.onnx")


class Graph:
    """The nodes of a graph and what flows between them.

    A value is constant if it is an initialiser, a constant, or computed from constants and shapes alone; what a
    computation yields is not evaluated, save copies, transposes and casts that keep every value.

    Attributes
    ----------
    nodes : list
        In the file's order, which is an order of evaluation.
    inputs : list of str
        Names of the inputs that are data.
    readers : dict
        For each value, the positions of the nodes that read it as data.
    """

    def __init__(self, graph: Any, tensors: Tensors) -> None:
        self.nodes = list(graph.node)
        self.tensors = tensors
        self.constants: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
        self.constants |= {tensor.values.name: None for tensor in graph.sparse_initializer}
        self.outputs = {value.name for value in graph.output}
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        self.features = {value.name: _features(value) for value in graph.input}
        self.turned: set[str] = set()
        self.made_by: dict[str, Any] = {}
        self.readers: dict[str, list[int]] = defaultdict(list)
        for position, node in enumerate(self.nodes):
            self._place(position, node)

    def _place(self, position: int, node: Any) -> None:
        """Record what a node makes of its inputs."""
        self.made_by |= dict.fromkeys(node.output, node)
        data = self.data(node)
        if data and self.op(node) != "Shape":
            for name in dict.fromkeys(data):
                self.readers[name].append(position)
            return
        source = node.input[0] if node.input else ""
        known: dict[str, Any] = dict.fromkeys(node.output)
        if self.op(node) == "Constant":
            known = {node.output[0]: _constant(node)} if node.output else {}
        elif source in self.constants and len(node.output) == 1:
            tensor = self.constants[source]
            turns = self.op(node) == "Transpose" and attribute(node, "perm", [1, 0]) == [1, 0]
            widens = tensor is not None and (tensor.data_type, attribute(node, "to", 0)) in _EXACT_CASTS
            if turns or self.op(node) == "Identity" or (self.op(node) == "Cast" and widens):
                known = {node.output[0]: tensor}
            if turns != (source in self.turned):
                self.turned.add(node.output[0])
        self.constants |= known

    def op(self, node: Any) -> str:
        """Return the operator, with its domain where that is not ONNX's own."""
        return label(node.op_type if node.domain in _DEFAULT_DOMAINS else f"{node.domain}.{node.op_type}", 80)

    def name(self, node: Any) -> str:
        """Return what the node calls itself, or the value that it makes."""
        return label(node.name or (node.output[0] if node.output else "") or node.op_type, 80)

    def data(self, node: Any) -> list[str]:
        """Return the inputs that are not constant."""
        return [name for name in node.input if name and name not in self.constants]

    def constant(self, name: str) -> Stored | None:
        """Return the tensor of a constant value; None if it would have to be computed."""
        tensor = self.constants.get(name)
        if tensor is None:
            return None
        stored = self.tensors.stored(tensor)
        if name not in self.turned:
            return stored
        if len(stored.shape) != 2:
            return None
        return Stored(stored.dtype, stored.shape[::-1], stored.raw.T if stored.raw.size else stored.raw)

    def numbers(self, name: str) -> np.ndarray | None:
        """Return the values of a float constant in float64; None if there are none."""
        stored = self.constant(name) if name else None
        return stored.values().astype(np.float64) if stored is not None and stored.real else None

    def scalar(self, name: str) -> float | None:
        """Return the value of a float constant of one element; None if it is none."""
        tensor = self.constants.get(name)
        if tensor is None or math.prod(tensor.dims) != 1:
            return None
        numbers = self.numbers(name)
        return None if numbers is None else float(numbers.reshape(-1)[0])

    def text(self, number: float) -> str:
        """Return a float32 number in the fewest digits that tell it apart; in a float64 model, exactly."""
        double = any(tensor is not None and tensor.data_type == _DOUBLE for tensor in self.constants.values())
        return repr(number) if double else repr(float(str(np.float32(number))))

    def whole_numbers(self, name: str) -> list[int] | None:
        """Return a constant of whole numbers, such as a shape; None if it is none."""
        stored = self.constant(name) if name else None
        return None if stored is None or stored.dtype != "int64" else [int(n) for n in stored.raw.reshape(-1)]


def attribute(node: Any, name: str, default: Any) -> Any:
    """Return an attribute of a node as a number, a text or a list."""
    for entry in node.attribute:
        if entry.name == name:
            if entry.type == 1:
                return float(entry.f)
            if entry.type == 2:
                return int(entry.i)
            if entry.type == 3:
                return entry.s.decode("utf-8", "replace")
            if entry.type == 4:
                return entry.t
            return list(entry.floats if entry.type == 6 else entry.ints)
    return default


def _constant(node: Any) -> Any:
    """Return the tensor of a Constant node; scalars and lists in other attributes are made one."""
    from onnx import helper

    tensor = attribute(node, "value", None)
    if tensor is not None and hasattr(tensor, "dims"):
        return tensor
    for entry in node.attribute:
        if entry.name == "value_float":
            return helper.make_tensor(node.output[0], 1, [], [entry.f])
        if entry.name == "value_floats":
            return helper.make_tensor(node.output[0], 1, [len(entry.floats)], list(entry.floats))
        if entry.name == "value_int":
            return helper.make_tensor(node.output[0], 7, [], [entry.i])
        if entry.name == "value_ints":
            return helper.make_tensor(node.output[0], 7, [len(entry.ints)], list(entry.ints))
    return None


def _features(value: Any) -> list[int | None]:
    """Return the declared sizes of an input; None where one is left open."""
    dims = value.type.tensor_type.shape.dim
    return [int(dim.dim_value) if dim.HasField("dim_value") else None for dim in dims]
