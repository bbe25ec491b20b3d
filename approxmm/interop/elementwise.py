"""Recognise an activation that an exporter wrote out in elementary operators, by what it computes.

GELU, for one, is exported as ``0.5 x (1 + erf(x / √2))`` in several arrangements. The nodes between a value and the
point where all paths from it meet again are evaluated on a grid, and the result is compared with the package's own
activations.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from approxmm.activations import ACTIVATIONS, get_activation, value
from approxmm.interop.onnx_graph import Graph, attribute

__all__ = ["Region", "find_region"]

_GRID = np.concatenate([np.linspace(-12.0, 12.0, 481), [-30.0, 30.0]])
# Exporters write √½ and their like in single precision; the closest of other functions, GELU by tanh, differs by 5e-4.
_TOLERANCE = 1e-6
_LARGEST = 32


def _erf(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return np.asarray(erf(x))


def _clip(node: Any, x: np.ndarray, *bounds: np.ndarray) -> np.ndarray:
    low = bounds[0] if len(bounds) > 0 else attribute(node, "min", -np.inf)
    high = bounds[1] if len(bounds) > 1 else attribute(node, "max", np.inf)
    return np.asarray(np.minimum(np.maximum(x, low), high))


_ELEMENTWISE: dict[str, Callable[..., np.ndarray]] = {
    "Abs": lambda node, x: np.abs(x),
    "Add": lambda node, x, y: x + y,
    "Cast": lambda node, x: x,
    "Clip": _clip,
    "Div": lambda node, x, y: x / y,
    "Erf": lambda node, x: _erf(x),
    "Exp": lambda node, x: np.exp(x),
    "Identity": lambda node, x: x,
    "LeakyRelu": lambda node, x: np.where(x > 0, x, attribute(node, "alpha", 0.01) * x),
    "Max": lambda node, *x: np.maximum.reduce(np.broadcast_arrays(*x)),
    "Min": lambda node, *x: np.minimum.reduce(np.broadcast_arrays(*x)),
    "Mul": lambda node, x, y: x * y,
    "Neg": lambda node, x: -x,
    "Pow": lambda node, x, y: x**y,
    "Reciprocal": lambda node, x: 1.0 / x,
    "Relu": lambda node, x: np.maximum(x, 0.0),
    "Sigmoid": lambda node, x: 0.5 * (1.0 + np.tanh(0.5 * x)),
    "Sqrt": lambda node, x: np.sqrt(x),
    "Sub": lambda node, x, y: x - y,
    "Tanh": lambda node, x: np.tanh(x),
}
_KNOWN_OTHERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "GELU by tanh, up to 5e-4 away from the exact one": lambda x: (
        0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    ),
    "SiLU, x·sigmoid(x)": lambda x: 0.5 * x * (1.0 + np.tanh(0.5 * x)),
    "ReLU6": lambda x: np.clip(x, 0.0, 6.0),
}


class Region(NamedTuple):
    """Nodes that together map one value elementwise to another.

    `activation` is the name of what they compute, None if the package has no such activation; `what` describes it then.
    """

    nodes: tuple[int, ...]
    end: str
    activation: str | None
    what: str


def find_region(graph: Graph, start: str) -> Region | None:
    """Return the nodes after `start` that compute an activation of the package, or else the fewest that meet again.

    Returns
    -------
    Region or None
        None if the paths from `start` do not meet by elementwise operators with scalar constants.
    """
    values = {start: _GRID}
    queue = list(graph.readers[start])
    heapq.heapify(queue)
    absorbed: list[int] = []
    unnamed: Region | None = None
    while queue and len(absorbed) < _LARGEST:
        position = heapq.heappop(queue)
        if position in absorbed:
            continue
        node = graph.nodes[position]
        result = _evaluated(graph, node, values)
        if result is None:
            break
        absorbed.append(position)
        end = node.output[0]
        values[end] = result
        for reader in graph.readers[end]:
            heapq.heappush(queue, reader)
        if _meets(graph, values, absorbed, end):
            name, what = _described(graph, result, [graph.op(graph.nodes[i]) for i in absorbed])
            region = Region(tuple(absorbed), end, name, what)
            if name is not None:
                return region
            unnamed = unnamed or region
    return unnamed


def _evaluated(graph: Graph, node: Any, values: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return what a node computes on the grid; None if it is not elementwise, or reads anything else."""
    function = _ELEMENTWISE.get(graph.op(node))
    if function is None or len(node.output) != 1 or node.output[0] in values:
        return None
    arguments = []
    for name in node.input:
        argument = values.get(name, graph.scalar(name))
        if argument is None:
            return None
        arguments.append(argument)
    try:
        with np.errstate(all="ignore"):
            result = np.broadcast_to(np.asarray(function(node, *arguments), dtype=np.float64), _GRID.shape)
    except TypeError:  # an operator with more or fewer inputs than it has
        return None
    return result


def _meets(graph: Graph, values: dict[str, np.ndarray], absorbed: list[int], end: str) -> bool:
    """Return whether nothing outside reads a value before `end`."""
    inside = set(absorbed)
    return all(name not in graph.outputs and inside.issuperset(graph.readers[name]) for name in values if name != end)


def _described(graph: Graph, result: np.ndarray, operators: list[str]) -> tuple[str | None, str]:
    """Return the name of the activation with these values on the grid, or None and what is known of it."""
    slope = float(np.interp(-1.0, _GRID, -result))
    for name in (*ACTIVATIONS, f"leaky_relu({graph.text(slope) if np.isfinite(slope) else 0})"):
        if _agree(result, _on_grid(name)):
            return name, name
    for what, function in _KNOWN_OTHERS.items():
        if _agree(result, function(_GRID)):
            return None, what
    return None, f"a function made of {', '.join(operators[:8])}"


@cache
def _on_grid(name: str) -> np.ndarray:
    phi = get_activation(name)
    scalar = value.implementation(type(phi)).py_func  # type: ignore[attr-defined]
    return np.array([scalar(phi, float(x)) for x in _GRID])


def _agree(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(np.all(np.abs(first - second) <= _TOLERANCE * (1.0 + np.abs(_GRID))))
