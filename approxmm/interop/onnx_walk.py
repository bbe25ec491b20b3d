"""Follow the data through an ONNX graph, and list what they meet."""

from __future__ import annotations

import math
from typing import Any

from approxmm.interop.elementwise import Region, find_region
from approxmm.interop.labels import label
from approxmm.interop.onnx_graph import Graph
from approxmm.interop.onnx_ops import HANDLED, HEADS, obstacle, part_of
from approxmm.interop.parts import Dense, Head, Inert, Obstacle, Part, Phi

__all__ = ["walk"]

_LONGEST_HEAD = 64


def walk(graph: Graph) -> tuple[list[Part], list[str]]:
    """Return everything from the input to the output, in order, and notes for the user.

    Where the data branch into paths that do not meet again elementwise, the chain ends with an obstacle, and what is
    left is listed node by node.
    """
    if len(graph.inputs) != 1:
        return [_no_single_input(graph), *_rest(graph, set())], []
    parts: list[Part] = []
    visited: set[int] = set()
    value = graph.inputs[0]
    while graph.readers[value] and visited.isdisjoint(graph.readers[value]):
        found, nodes, value = _step(graph, value, parts)
        visited |= set(nodes)
        parts += found
        if not value:
            break
    rest = _rest(graph, visited)
    if not any(isinstance(part, Obstacle) for part in parts):
        if rest:
            parts.append(_unreached(graph, rest))
        elif value and value not in graph.outputs:
            parts.append(_dead_end(graph, value))
    wrong, notes = _inputs(graph, parts)
    return [*wrong, *parts, *rest], notes


def _step(graph: Graph, value: str, parts: list[Part]) -> tuple[list[Part], tuple[int, ...], str]:
    """Return what reads `value`, the nodes that it consists of, and the value after it: none where the chain ends."""
    readers = graph.readers[value]
    node = graph.nodes[readers[0]]
    simple = len(readers) == 1 and graph.op(node) in HANDLED
    if not simple and any(isinstance(part, Dense) for part in parts):
        heads = _heads(graph, value)
        if heads:
            named = [Head(name=graph.name(graph.nodes[i]), kind=graph.op(graph.nodes[i])) for i in heads]
            return list(named), heads, ""
    region = None if simple else find_region(graph, value)
    if region is not None:
        return [_phi_of(graph, region)], region.nodes, region.end
    if len(readers) > 1:
        return [_branch(graph, value)], (), ""
    part = part_of(graph, node, value)
    if part.kind == "Reshape" and isinstance(part, Inert):
        part = _width_kept(graph, node, part, parts)
    return [part], (readers[0],), node.output[0] if node.output else ""


def _heads(graph: Graph, value: str) -> tuple[int, ...]:
    """Return all nodes after `value` if they only make classes and probabilities of it; otherwise none."""
    found: set[int] = set()
    waiting = list(graph.readers[value])
    while waiting:
        position = waiting.pop()
        if position in found:
            continue
        node = graph.nodes[position]
        if graph.op(node) not in HEADS or len(found) > _LONGEST_HEAD:
            return ()
        found.add(position)
        waiting += [reader for name in node.output for reader in graph.readers[name]]
    return tuple(sorted(found))


def _phi_of(graph: Graph, region: Region) -> Part:
    """Return a group of elementary operators as the activation that it computes."""
    first, last = graph.nodes[region.nodes[0]], graph.nodes[region.nodes[-1]]
    name = graph.name(last)
    kind = " ".join(graph.op(graph.nodes[i]) for i in region.nodes[:8])
    if region.activation is not None:
        return Phi(name=name, kind=kind, activation=region.activation)
    return Obstacle(
        name=name,
        kind=kind,
        reason=f"from {graph.name(first)} on it is {region.what}, which the package does not have",
        remedy="name an activation that takes its place by --activation (activation=… in Python)",
        stand_in=True,
    )


def _branch(graph: Graph, value: str) -> Obstacle:
    readers = [graph.op(graph.nodes[i]) for i in graph.readers[value]]
    return Obstacle(
        name=label(value, 80),
        kind="branch",
        reason=f"{len(readers)} paths leave it ({', '.join(readers[:4])}), as in a skip connection",
        remedy="only chains can be propagated, in which each layer reads the one before it",
    )


def _no_single_input(graph: Graph) -> Obstacle:
    return Obstacle(
        name="model",
        kind="inputs",
        reason=f"it has {len(graph.inputs)} inputs ({label(', '.join(graph.inputs[:4]), 80)})",
        remedy="a chain has one: export the part behind one of them",
    )


def _dead_end(graph: Graph, value: str) -> Obstacle:
    """Return that no output follows from where the data end: a subgraph may read them out of sight."""
    return Obstacle(
        name=label(value, 80),
        kind="dead end",
        reason=f"the data end here, and it is no output; those are {label(', '.join(sorted(graph.outputs)), 80)}",
        remedy="export the model without conditions and loops (If, Loop, Scan)",
    )


def _unreached(graph: Graph, rest: list[Part]) -> Obstacle:
    return Obstacle(
        name=rest[0].name,
        kind=rest[0].kind,
        reason=f"it does not follow from the input {graph.inputs[0][:40]!r}, or stands before what it reads",
        remedy="export the model again; onnx.checker says what is wrong with it",
    )


def _rest(graph: Graph, visited: set[int]) -> list[Part]:
    """Return what was not met on the way, so that nothing goes unlisted."""
    left = [node for i, node in enumerate(graph.nodes) if i not in visited and graph.data(node)]
    return [part_of(graph, node, graph.data(node)[0]) for node in left if graph.op(node) != "Shape"]


def _width_kept(graph: Graph, node: Any, part: Inert, parts: list[Part]) -> Part:
    """Refuse a reshape between layers that moves numbers from one example to another."""
    shape = graph.whole_numbers(node.input[1])
    widths = [found.weight.shape[1] for found in parts if isinstance(found, Dense)]
    if shape is None or not widths or shape[1] in (-1, 0, widths[-1]):
        return part
    return obstacle(
        graph, node, f"it brings {widths[-1]} features to {shape[1]}", "flatten to (examples, features) only"
    )


def _inputs(graph: Graph, parts: list[Part]) -> tuple[list[Part], list[str]]:
    """Hold the declared size of the input against the first layer: an obstacle, or a note, or neither."""
    before, first = [], None
    for part in parts:
        if isinstance(part, Dense):
            first = part
            break
        before.append(part)
    sizes = graph.features.get(graph.inputs[0], [])[1:]
    known = [size for size in sizes if size]
    if first is None or not sizes or len(known) != len(sizes) or any(isinstance(part, Obstacle) for part in before):
        return [], []
    n_in, flattened = first.weight.shape[0], any(part.kind in ("Flatten", "Reshape") for part in before)
    if len(sizes) > 1 and not flattened and known[-1] == n_in:
        return [], [f"the inputs are declared as {sizes} each: the network is applied to each row of {n_in} numbers"]
    if math.prod(known) != n_in:
        wrong = Obstacle(
            name=label(graph.inputs[0], 80),
            kind="input",
            reason=f"it is declared with {sizes} numbers an example, and {first.name} takes {n_in}",
            remedy="export the model again",
        )
        return [wrong], []
    return [], [f"inputs of shape {sizes} are given flat, as {n_in} numbers in C order"] if len(sizes) > 1 else []
