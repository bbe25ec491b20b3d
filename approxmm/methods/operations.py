"""What compiled loops ask of a method: functions dispatched on the class of its state.

A method registers `select` and `refresh`; the others have implementations that serve every state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.random import Key

__all__ = [
    "SparseVector",
    "follow",
    "follow_node",
    "follow_nodes",
    "follows",
    "needs_products",
    "observe",
    "refresh",
    "select",
    "select_sparse",
]


class SparseVector(NamedTuple):
    """A vector, and where it is not zero: what per-example training hands from layer to layer.

    Attributes
    ----------
    dense : (n,) float array
        The whole vector.
    items : (n,) int64 array
        The positions of its non-zero entries, increasing; only the first `size` mean anything.
    values : (n,) float array
        These entries, side by side.
    size : int
    """

    dense: np.ndarray
    items: np.ndarray
    values: np.ndarray
    size: int


@generic
def select(state: Any, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray) -> int:  # type: ignore[empty-body]
    """Draw the items that are computed, and their scales (compiled; dispatched on the state's class).

    Parameters
    ----------
    state : NamedTuple
        From `Method.build`.
    layer : int
        Position of the product in the list given to `build`, from 0.
    x : 1-D float array
        What the law reads (see `Claims.reads`): the input or the pre-activation of one example. A law that reads
        nothing is given an array of its side's length.
    key : Key
        What the draw is for.
    index : (size,) int64 array, written
        Active items, increasing, each once.
    scale : (size,) float array, written
        Their scales.

    Returns
    -------
    int
        Number of active items.
    """


@generic
def select_sparse(  # type: ignore[empty-body]
    state: Any, layer: int, x: SparseVector, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Do what `select` does, for an input whose non-zero entries are listed (compiled).

    The result is that of `select` for ``x.dense``, up to rounding in what is compared. A state that gains nothing by
    the list registers nothing.
    """


@select_sparse.register(object)
@compiled
def select_from_dense(state: Any, layer: int, x: SparseVector, key: Key, index: np.ndarray, scale: np.ndarray) -> int:
    """Draw for the vector as a whole."""
    return select(state, layer, x.dense, key, index, scale)


@generic
def follows(state: Any) -> bool:  # type: ignore[empty-body]
    """Return whether the state keeps up with each change of the weights by `follow` and `follow_node` (compiled).

    Then `refresh` is still called after each step, with no changed items: for what is due now and then.
    """


@follows.register(object)
@compiled
def _waits_for_refresh(state: Any) -> bool:
    return False


@generic
def needs_products(state: Any) -> bool:  # type: ignore[empty-body]
    """Return whether `follow` looks at `products` (compiled); otherwise they may be anything."""


@needs_products.register(object)
@compiled
def _looks_at_products(state: Any) -> bool:
    return True


@generic
def follow(
    state: Any,
    layer: int,
    x: SparseVector,
    nodes: np.ndarray,
    coefficients: np.ndarray,
    products: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Follow a step of plain gradient descent, ``W[:, nodes[j]] += coefficients[j] · x`` (compiled, output side).

    Parameters
    ----------
    state : NamedTuple
        From `Method.build`; its arrays are updated in place.
    layer : int
        As for `select`.
    x : SparseVector
        Of n entries.
    nodes : (c,) int64 array
        Each once.
    coefficients, products : (c,) float arrays
        Multiples of x that were added, and ⟨W_j, x⟩ before that.
    weights : (n, m) float array
        The new weights.
    """


@follow.register(object)
@compiled
def _follow_nothing(
    state: Any,
    layer: int,
    x: SparseVector,
    nodes: np.ndarray,
    coefficients: np.ndarray,
    products: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Do nothing: `follows` is false."""


@generic
def follow_node(state: Any, layer: int, node: int, items: np.ndarray, changes: np.ndarray, weights: np.ndarray) -> None:
    """Follow any other change of one node's weights, ``W[items[i], node] += changes[i]`` (compiled, output side).

    Parameters
    ----------
    state : NamedTuple
        From `Method.build`; its arrays are updated in place.
    layer : int
        As for `select`.
    node : int
    items : (c,) int64 array
        Each once.
    changes : (c,) float array
    weights : (n, m) float array
        The new weights.
    """


@follow_node.register(object)
@compiled
def _follow_no_node(
    state: Any, layer: int, node: int, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Do nothing: `follows` is false."""


@generic
def follow_nodes(
    state: Any, layer: int, nodes: np.ndarray, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Follow such changes of several nodes, ``W[items[i], nodes[j]] += changes[j, i]`` (compiled, output side).

    The same as `follow_node` for each node; a state that can do better registers it.

    Parameters
    ----------
    state : NamedTuple
        From `Method.build`; its arrays are updated in place.
    layer : int
        As for `select`.
    nodes, items : int64 arrays (c,) and (k,)
        Each once.
    changes : (c, k) float array
    weights : (n, m) float array
        The new weights.
    """


@follow_nodes.register(object)
@compiled
def _follow_one_by_one(
    state: Any, layer: int, nodes: np.ndarray, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    for j in range(nodes.size):
        follow_node(state, layer, nodes[j], items, changes[j], weights)


@generic
def refresh(state: Any, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Bring the state up to date after the items `changed` of the sampled side got new weights (compiled).

    Parameters
    ----------
    state : NamedTuple
        From `Method.build`; its arrays are updated in place.
    layer : int
        As for `select`.
    weights : (n, m) float array
        The new weights.
    changed : int64 array
        Rows (inner side) or columns (output side) that changed.
    """


@generic
def observe(state: Any, layer: int, inputs: np.ndarray, bias: np.ndarray) -> None:
    """Show the state what a product was given (compiled); `refresh` then makes use of it.

    Called by one thread at a time: in training after every step, in a simulation once, with the exact activations,
    before any draw. States that need nothing of it register nothing.

    Parameters
    ----------
    state : NamedTuple
        From `Method.build`; its arrays are updated in place.
    layer : int
        As for `select`.
    inputs : (B, n) float array
        The latest inputs of the product.
    bias : (m,) float array
        The layer's present bias.
    """


@observe.register(object)
@compiled
def observe_nothing(state: Any, layer: int, inputs: np.ndarray, bias: np.ndarray) -> None:
    """Do nothing: most laws are a function of what they read when they draw."""
