"""Which products the per-example path samples, and how the weights lie for that."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout

__all__ = ["ByNode", "ByRow", "Plan", "is_chosen", "lies_by_node", "nodes_of"]


class ByNode(NamedTuple):
    """Active nodes are known before they are computed, and hidden weights lie node by node.

    Attributes
    ----------
    layers : int
        How many of the first products are sampled: all but the last.
    reads_input : bool
        Whether the law reads the input, or nothing.
    normalised : bool
        Whether hidden outputs are divided by their root mean square.
    """

    layers: int
    reads_input: bool
    normalised: bool


class ByRow(NamedTuple):
    """All nodes of a layer are computed from chosen inputs, and weights lie input by input, as everywhere else.

    Attributes
    ----------
    layers : int
        How many of the first products are sampled; 0 for exact training.
    inner : bool
        Sampled are the inputs of a product, or its outputs once they are known.
    normalised : bool
        Whether hidden outputs are divided by their root mean square.
    """

    layers: int
    inner: bool
    normalised: bool


Plan = ByNode | ByRow


@compiled
def nodes_of(params: np.ndarray, layout: Layout, k: int) -> np.ndarray:
    """Return a view of layer k's weights that lie node by node: (m, n)."""
    n, m, start = layout.widths[k], layout.widths[k + 1], layout.weight_at[k]
    return params[start : start + n * m].reshape((m, n))


@generic
def lies_by_node(plan: Any, k: int) -> bool:  # type: ignore[empty-body]
    """Return whether layer k's weights lie node by node (compiled)."""


@lies_by_node.register(ByNode)
@compiled
def _sampled_ones(plan: ByNode, k: int) -> bool:
    return k < plan.layers


@lies_by_node.register(ByRow)
@compiled
def _none(plan: ByRow, k: int) -> bool:
    return False


@generic
def is_chosen(plan: Any, k: int) -> bool:  # type: ignore[empty-body]
    """Return whether what enters layer k is sampled (compiled)."""


@is_chosen.register(ByNode)
@compiled
def _never(plan: ByNode, k: int) -> bool:
    return False


@is_chosen.register(ByRow)
@compiled
def _on_the_inner_side(plan: ByRow, k: int) -> bool:
    return plan.inner and k < plan.layers
