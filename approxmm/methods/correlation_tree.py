"""Exact detection of the nodes above a threshold by a max-tree (Alman et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.errors import InputError
from approxmm.methods._packed import Packed, pack, vector_of
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Claims, Cost, ImportanceLaw, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key
from approxmm.trees import MaxTrees, allocate_trees, firing_threshold, leaves_above, rebuild_tree

__all__ = ["CorrelationTree"]


class CorrelationTreeState(NamedTuple):
    """Threshold of each layer, float64 (L,), and where the levels of each layer's tree begin."""

    threshold: np.ndarray
    levels: Packed


@dataclass(frozen=True)
class CorrelationTree(ImportanceLaw):
    """The nodes with z > b are kept with scale 1, all others are 0. Deterministic; no error if nothing below b counts.

    With the activation max(z − b, 0), or with ReLU and ``threshold=0``, no node that contributes is lost: the error
    is zero at any depth. Otherwise nodes with z ≤ b are lost, which is biased. The budget is ignored (and is 1.0).

    Not claimed: any saving here. For an input that nobody has seen before, the tree's leaves are the inner products
    with all nodes, which are computed in full. The trees pay where the data are fixed: `approxmm.trees` keeps one for
    each data point, finds its k firing nodes in O(k log m), and follows a changed node by its inner products alone.

    Parameters
    ----------
    threshold : float, optional
        b; by default √(0.4 ln m) for m nodes, above which at most m^(4/5) standard normal pre-activations lie on
        average.
    """

    name: ClassVar[str] = "correlation_tree"
    title: ClassVar[str] = "nodes above a threshold (correlation tree)"
    threshold: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", Budget(1.0))
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(f"threshold={self.threshold} must be finite; leave it out for the square root of 0.4 ln m")

    @property
    def claims(self) -> Claims:
        """Biased in general, deterministic given the pre-activations."""
        return Claims(
            side="output",
            unbiased=False,
            reads="pre_activation",
            exact_at_full_budget=False,
            deterministic=True,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="ignored: all nodes above the threshold are active",
            citation="Alman, Liang, Song, Zhang, Zhuo, NeurIPS (2023), arXiv:2211.14227",
        )

    def firing_threshold(self, nodes: int) -> float:
        """Return b for a layer of this many nodes."""
        return firing_threshold(nodes) if self.threshold is None else float(self.threshold)

    def build(self, weights: Sequence[np.ndarray]) -> CorrelationTreeState:
        """Return each layer's threshold and the shape of its tree."""
        sizes = [W.shape[1] for W in weights]
        levels = pack([[allocate_trees(0, m).starts for m in sizes]], np.int64)
        return CorrelationTreeState(np.array([self.firing_threshold(m) for m in sizes]), levels)

    def importance(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the pre-activation, (m,)."""
        return x

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean: the indicator of what lies above the threshold; covariance 0."""
        zero = importance * 0
        mean = zero + (importance > self.firing_threshold(len(importance)))
        return ScaleMoments(mean=mean, diagonal=zero, common=0, support=mean)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield the single outcome."""
        threshold = self.firing_threshold(len(importance))
        yield Fraction(1), tuple(Fraction(int(z > threshold)) for z in importance)

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the full product: the leaves of a new input's tree are all its inner products."""
        return Cost(product=float(batch * n * m))


@select.register(CorrelationTreeState)
@compiled
def select_correlation_tree(
    state: CorrelationTreeState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Build the tree over the pre-activations and list what lies above the threshold."""
    starts = vector_of(state.levels.flat, state.levels.layout[layer, 0])
    trees = MaxTrees(np.empty((1, starts[-1]), x.dtype), starts)
    for j in range(x.size):
        trees.nodes[0, j] = np.inf if math.isnan(x[j]) else x[j]  # NaN must reach the result, so it fires
    rebuild_tree(trees, 0)
    found = np.empty(x.size, np.int32)
    count, _ = leaves_above(trees, 0, state.threshold[layer], found)
    for i in range(count):
        index[i] = found[i]
        scale[i] = 1.0
    return count


@refresh.register(CorrelationTreeState)
@compiled
def refresh_correlation_tree(state: CorrelationTreeState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Do nothing: trees are built over what is computed anyway."""
