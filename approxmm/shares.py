"""The active share: how much of a node's sum the selected terms hold.

A product y = a W whose inputs carry the scales ξ of a selection gives u = (a ∘ ξ) W. The active share
of node j is s_j = u_j / y_j; for scales 0 and 1 the theorem's ratio of active to inactive sums is
c_j = s_j / (1 − s_j), infinite for s_j = 1 and negative outside [0, 1]. Shares stay finite where ratios do
not, and multiply over layers.

With s̄ = Σ u_j y_j / Σ y_j², the share that fits best in least squares, u = s̄ y + r with r ⊥ y, so that

    ‖u − y‖² = (1 − s̄)² ‖y‖² + Σ_j (s_j − s̄)² y_j²

exactly: the first term is what a theorem with one share for all nodes knows of, and what rescaling repairs; the second
is dispersion, which turns u away from y by an angle of tangent (Σ (s_j − s̄)² y_j² / Σ y_j²)^½ / |s̄|. For several inputs
b the second term splits once more, exactly, into (s̄_b − s̄)² ‖y_b‖² between inputs and the rest between nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["ActiveShare", "ShareTally", "ratio_of"]


def ratio_of(share: np.ndarray | float) -> np.ndarray:
    """Return c = s / (1 − s), float64 of the same shape, infinite for s = 1."""
    s = np.asarray(share, dtype=np.float64)
    with np.errstate(divide="ignore"):
        ratio: np.ndarray = np.where(s == 1.0, np.inf, s / np.where(s == 1.0, 1.0, 1.0 - s))
    return ratio


@dataclass(frozen=True, eq=False)
class ActiveShare:
    """The active share of one product, over nodes, inputs and draws.

    Attributes
    ----------
    share : float
        s̄ = Σ u y / Σ y², least squares. 1 where all sums are zero, for nothing is lost there.
    norm_share : float
        (Σ u² / Σ y²)^½: the share that gives u its norm.
    error : float
        Σ (u − y)² / Σ y², from the differences themselves.
    mean_part, input_part, node_part : float
        The three parts of `error`: (1 − s̄)², spread of the inputs' own shares, spread between the nodes of an input.
    nodes : (N,) float64 array
        The nodes' own shares s_j, increasing, of all nodes with y_j ≠ 0.
    undefined : float
        Fraction of nodes with y_j = 0.
    """

    share: float
    norm_share: float
    error: float
    mean_part: float
    input_part: float
    node_part: float
    nodes: np.ndarray
    undefined: float

    @property
    def ratio(self) -> float:
        """The theorem's ratio for `share`."""
        return float(ratio_of(self.share))

    @property
    def dispersion(self) -> float:
        """Relative standard deviation of the shares, weighted by y²: the tangent of the angle between u and y."""
        spread = float(np.sqrt(self.input_part + self.node_part))
        return spread / abs(self.share) if self.share != 0.0 else float(np.inf if spread > 0.0 else np.nan)

    @property
    def negative(self) -> float:
        """Fraction of nodes whose active sum opposes the whole."""
        return self._fraction(int(np.searchsorted(self.nodes, 0.0, side="left")))

    @property
    def above_one(self) -> float:
        """Fraction of nodes whose inactive sum opposes the whole."""
        return self._fraction(self.nodes.size - int(np.searchsorted(self.nodes, 1.0, side="right")))

    def quantiles(self, levels: Sequence[float]) -> np.ndarray:
        """Return quantiles of the nodes' own shares, NaN where no node has one."""
        return np.quantile(self.nodes, levels) if self.nodes.size else np.full(len(levels), np.nan)

    def ratio_quantiles(self, levels: Sequence[float]) -> np.ndarray:
        """Return quantiles of the nodes' own ratios (those that are infinite left out), NaN where no node has one."""
        ratios = ratio_of(self.nodes)
        ratios = ratios[np.isfinite(ratios)]
        return np.quantile(ratios, levels) if ratios.size else np.full(len(levels), np.nan)

    def histogram(self, edges: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the fraction of nodes in each of the bins, then below the first edge, then from the last edge on."""
        at = np.searchsorted(self.nodes, edges, side="left")
        counts = [*np.diff(at), at[0], self.nodes.size - at[-1]]
        return np.array(counts, dtype=np.float64) / max(self.nodes.size, 1)

    def _fraction(self, count: int) -> float:
        return count / self.nodes.size if self.nodes.size else float("nan")


class ShareTally:
    """Active and whole sums of one product, collected over blocks of inputs."""

    def __init__(self) -> None:
        # For each input: Σ (u − y) y, Σ y², Σ u², Σ (u − y)², Σ (u − s̄_b y)². Differences keep small errors exact.
        self._inputs: list[np.ndarray] = []
        self._nodes: list[np.ndarray] = []
        self._undefined = 0

    def add(self, active: np.ndarray, total: np.ndarray) -> None:
        """Add the sums over active items and over all items, two (B, m) arrays."""
        u, y = active.astype(np.float64, copy=False), total.astype(np.float64, copy=False)
        lost = u - y
        gap, square = _row_dots(lost, y), _row_dots(y, y)
        own = np.divide(gap, square, out=np.zeros_like(gap), where=square > 0.0)
        rest = lost - own[:, None] * y
        self._inputs.append(
            np.column_stack([gap, square, _row_dots(u, u), _row_dots(lost, lost), _row_dots(rest, rest)])
        )
        some = y != 0.0
        self._nodes.append(u[some] / y[some])
        self._undefined += int(y.size - np.count_nonzero(some))

    def figures(self) -> ActiveShare | None:
        """Return the shares so far, None if nothing was added.

        Where all sums are zero nothing is lost: the share is 1. Where only the active ones are not, it is NaN.
        """
        if not self._inputs:
            return None
        rows, nodes = np.concatenate(self._inputs), np.sort(np.concatenate(self._nodes))
        gap, square, active, lost, rest = rows.sum(axis=0)
        if square == 0.0:
            gap, square, active = (0.0, 1.0, 1.0) if active == 0.0 else (np.nan, np.nan, np.nan)
        some = rows[:, 1] > 0.0
        between = rows[some, 1] @ (rows[some, 0] / rows[some, 1] - gap / square) ** 2
        return ActiveShare(
            share=float(1.0 + gap / square),
            norm_share=float(np.sqrt(active / square)),
            error=float(lost / square),
            mean_part=float((gap / square) ** 2),
            input_part=float(between / square),
            node_part=float(rest / square),
            nodes=nodes,
            undefined=self._undefined / (self._undefined + nodes.size),
        )


def _row_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    dots: np.ndarray = np.einsum("ij,ij->i", a, b)
    return dots
