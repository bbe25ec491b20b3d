"""Correlation trees: which neurons fire, found without looking at all of them.

A neuron r fires on data point i if ⟨w_r, x_i⟩ > b. The data form keeps for each
point a max-tree over the m neurons' inner products, the weight form for each
neuron a max-tree over the n points. A query lists what exceeds b in
O(k log m) (data form) or O(k log n) (weight form) for k hits; detection is exact
with regard to the stored inner products, so it adds no error at any depth.

Source: Alman, Liang, Song, Zhang & Zhuo 2023 (arXiv 2211.14227). The update
through the Gram matrix goes beyond it. Points and weights stand in rows.

Not claimed: exactness with regard to inner products recomputed in another order;
those differ by rounding, and so may neurons that sit on the threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled
from approxmm.errors import InputError
from approxmm.trees.maxtree import MaxTrees, build_trees, leaves_above, rebuild_tree, set_leaf

__all__ = [
    "build_data_trees",
    "build_weight_trees",
    "detect",
    "firing_threshold",
    "gram_change",
    "products_change",
    "update_data_trees",
    "update_weight_trees",
]

_Floats = npt.NDArray[np.floating[Any]]


def build_data_trees(points: npt.ArrayLike, weights: npt.ArrayLike) -> MaxTrees:
    """Build one tree over the neurons for each data point.

    Parameters
    ----------
    points : float array (n, d)
    weights : float array (m, d)
        One neuron per row (a network's n_in × n_out weights: pass `W.T`).

    Returns
    -------
    MaxTrees
        n trees of m leaves: `nodes[i, r]` is ⟨w_r, x_i⟩. Fewer than n·(2m + log2 m + 1) numbers.
        Cost nmd multiplications in one product, and nm comparisons.

    Raises
    ------
    InputError
        For arrays that are not finite matrices of equal row length.
    """
    rows, neurons = _check_pair(points, weights)
    return build_trees(rows @ neurons.T)


def build_weight_trees(points: npt.ArrayLike, weights: npt.ArrayLike) -> MaxTrees:
    """Build one tree over the data points for each neuron.

    The parameters and errors are those of `build_data_trees`; the result has m trees of n leaves,
    `nodes[r, i]` is ⟨w_r, x_i⟩.
    """
    rows, neurons = _check_pair(points, weights)
    return build_trees(neurons @ rows.T)


def detect(trees: MaxTrees, which: int, threshold: float) -> npt.NDArray[np.int64]:
    """List what fires: neurons on point `which` (data form), or points of neuron `which` (weight form).

    The plain use of `leaves_above`, which hot loops call themselves.

    Returns
    -------
    int64 array (k,)
        Ascending; exactly the leaves > threshold.
    """
    if not 0 <= which < trees.nodes.shape[0]:
        raise InputError(f"which = {which}: must lie in [0, {trees.nodes.shape[0]}); there is one tree per row")
    out = np.empty(int(trees.starts[1]), np.int32)
    count, _ = leaves_above(trees, which, float(threshold), out)
    return out[:count].astype(np.int64)


def products_change(points: npt.ArrayLike, weight: npt.ArrayLike) -> _Floats:
    """Return a changed neuron's inner products ⟨w, x_i⟩ with all points, (n,), recomputed: nd multiplications."""
    rows, neurons = _check_pair(points, np.asarray(weight)[None])
    products: _Floats = rows @ neurons[0]
    return products


@compiled
def gram_change(gram: _Floats, indices: npt.NDArray[np.integer[Any]], coefficients: _Floats, products: _Floats) -> None:
    """Follow the step w ← w + Σ_t c_t x_{indices[t]} in a neuron's inner products, in place.

    Parameters
    ----------
    gram : float array (n, n)
        ⟨x_i, x_j⟩, symmetric; computed once, since the data do not change.
    indices : int array (c,)
        The points on which the neuron fired.
    coefficients : float array (c,)
    products : float array (n,)
        ⟨w, x_i⟩ before the step; after it on return. c·n multiplications, independent of d.
    """
    for t in range(indices.shape[0]):
        row = gram[indices[t]]
        for i in range(products.shape[0]):
            products[i] += coefficients[t] * row[i]


@compiled
def update_data_trees(trees: MaxTrees, neuron: int, products: _Floats) -> None:
    """Put a neuron's new inner products (n,) into leaf `neuron` of the n data trees. Cost O(n log m)."""
    for i in range(products.shape[0]):
        set_leaf(trees, i, neuron, products[i])


@compiled
def update_weight_trees(trees: MaxTrees, neuron: int, products: _Floats) -> None:
    """Put a neuron's new inner products (n,) into weight tree `neuron`. Cost O(n): the tree is rebuilt."""
    trees.nodes[neuron, : products.shape[0]] = products
    rebuild_tree(trees, neuron)


def firing_threshold(neurons: int, exponent: float = 0.2) -> float:
    """Return the shift b with P(N(0, 1) > b) ≤ neurons^(−exponent), b = √(2·exponent·ln m).

    The source takes exponent 1/5, b = √(0.4 ln m): at most m^(4/5) of m neurons fire in expectation, for
    standard normal weights and unit points.

    Raises
    ------
    InputError
        For fewer than 1 neuron or a negative exponent.
    """
    if neurons < 1 or not exponent >= 0.0:
        raise InputError(f"neurons = {neurons}, exponent = {exponent}: must be at least 1 and 0; raise them")
    return float(np.sqrt(2.0 * exponent * np.log(neurons)))


def _check_pair(points: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[_Floats, _Floats]:
    rows, neurons = np.asarray(points), np.asarray(weights)
    for name, array in (("points", rows), ("weights", neurons)):
        if array.ndim != 2 or array.dtype not in (np.float32, np.float64):
            raise InputError(
                f"{name} has shape {array.shape} and dtype {array.dtype}: must be a float32 or float64 matrix; "
                "pass one row per point or neuron"
            )
        if not np.isfinite(array).all():
            raise InputError(f"{name} contains nan or infinity: must be finite; replace or remove such rows")
    if rows.shape[1] != neurons.shape[1]:
        raise InputError(
            f"weights has {neurons.shape[1]} columns: must have the points' {rows.shape[1]}; pass neurons as rows (W.T)"
        )
    return rows, neurons
