"""An ONNX model in a file."""

from __future__ import annotations

from typing import Any

from approxmm.data.files import open_binary
from approxmm.errors import ApproxmmError, DataError
from approxmm.interop.labels import label
from approxmm.interop.onnx_graph import Graph
from approxmm.interop.onnx_tensors import Tensors
from approxmm.interop.onnx_walk import walk
from approxmm.interop.reading import Reading, Source, optional_package
from approxmm.interop.wire import structure_bytes

__all__ = ["read"]

_MOST_STRUCTURE = 4 * 2**20
_MOST_NODES = 5_000


def read(source: Source) -> Reading:
    """Return the chain of layers of an ONNX model. Nothing is run: operators are read, not executed.

    Raises
    ------
    NotAvailableError
        If the package onnx is not installed.
    DataError
        If the file is no ONNX model, damaged, or makes claims that it does not keep.
    """
    model = _parsed(source)
    if not 0 < len(model.graph.node) <= _MOST_NODES:
        raise DataError(
            f"{source.name} is an ONNX model of {len(model.graph.node)} nodes; a chain has 1 to {_MOST_NODES}: "
            "export it again"
        )
    try:
        graph = Graph(model.graph, Tensors(source.path.parent, source.name, source.max_bytes))
        parts, notes = walk(graph)
    except ApproxmmError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Any field of a message may be missing or of another kind than the operator demands.
        raise DataError(
            f"{source.name} is not a sound ONNX model ({type(error).__name__}: {' '.join(str(error).split())[:160]}); "
            "onnx.checker says what is wrong with it"
        ) from error
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    by = label(f"{model.producer_name} {model.producer_version}".strip(), 60)
    return Reading(parts, f"ONNX model, operator set {opset}" + (f", by {by}" if by else ""), notes)


def _parsed(source: Source) -> Any:
    onnx = optional_package("onnx", source)
    with open_binary(source.path, "an .onnx file") as file:
        content = file.read()
    try:
        if structure_bytes(content, _MOST_STRUCTURE) > _MOST_STRUCTURE:
            raise ValueError(f"beside the numbers of its tensors it has more than {_MOST_STRUCTURE} bytes")
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own exceptions differ between its implementations
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{source.name} is not a readable ONNX model ({reason}); export it again") from error
