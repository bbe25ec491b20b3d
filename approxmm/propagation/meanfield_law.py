"""A sampling law in a wide random layer: its scales' first two moments over a population of nodes.

The nodes of a wide layer are independent draws from a Gaussian, so a law of whatever kind is evaluated on one
deterministic sample of them, stratified: node i stands for the i-th of n equal shares of the normal distribution,
with the sign and root mean square of that share (squares then average to 1 exactly, absolute values to O(1/n²)). What
the law is given beside them are weights of the norms and angles that it would meet:

* inner side: rows of norm 1 (true norms differ by O(1/√m) at random, which changes moments by O(1/m));
* output side, law of the input: the input and column j span a plane, in which w_j = (û_j, r_j)·σ/√n with r_j² a
  stratified sample of χ² with n − 1 degrees of freedom. A law that changes when the plane is turned reads more than
  norms and angles (pooled hashing does), and has no mean field.

Off-diagonal covariances of the scales do not enter: rows of W are independent and centred, so E‖Σ ξ_i â_i W_i‖² = Σ E
ξ_i² â_i² E‖W_i‖² for scales that do not depend on W. Terms of order 1/n in the *variances*, such as the −1 of (n −
1)/c, do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2

from approxmm.activations import Activation, apply, apply_slope
from approxmm.errors import NotAvailableError
from approxmm.methods.contract import Method

__all__ = ["LOG_RANGE", "LawTable", "Nodes", "Population", "diverges", "log", "population", "standard_nodes"]

LOG_RANGE = 300.0  # of log variances; beyond, laws and activations are taken as at the bound
_SAME, _AHEAD, _KEPT = 1e-11, 8.0, 8
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def log(number: float) -> float:
    """Return the natural logarithm, of 0 too."""
    return math.log(number) if number > 0.0 else -math.inf


@lru_cache(maxsize=16)
def standard_nodes(size: int) -> np.ndarray:
    """Return the stratified sample of the standard normal distribution, increasing, float64 (size,)."""
    edges = ndtri(np.arange(size + 1) / size)
    finite = np.where(np.isfinite(edges), edges, 0.0)
    moment = -finite * np.exp(-0.5 * finite**2) / math.sqrt(2.0 * math.pi)  # ∫ u² = Φ(u) − u φ(u)
    mean_square = np.maximum(1.0 + size * np.diff(moment), 0.0)
    nodes: np.ndarray = np.where(np.arange(size) < size // 2, -1.0, 1.0) * np.sqrt(mean_square)
    nodes.flags.writeable = False
    return nodes


def _scattered(size: int, step: float) -> np.ndarray:
    """Return (size,) numbers in (0, 1), each stratum met once, in an order unrelated to the index."""
    order = np.argsort(np.mod(np.arange(size) * step, 1.0), kind="stable")
    ranks = np.empty(size)
    ranks[order] = np.arange(size)
    return (ranks + 0.5) / size


@dataclass(frozen=True)
class Nodes:
    """The nodes that a law acts on.

    Attributes
    ----------
    phi : Activation
    size, fan_in : int
        Nodes, and inputs of each of them.
    bias_variance : float
        σ_b² of the nodes; 0 unless the law reads the layer's input, which knows nothing of biases.
    """

    phi: Activation
    size: int
    fan_in: int
    bias_variance: float = 0.0


@dataclass(frozen=True, eq=False)
class Population:
    """Moments of the scales over the nodes of a layer.

    Attributes
    ----------
    weight_part, bias_part : (n,) float64
        ẑ_i = √(q̂ − σ_b²) · weight_part + σ_b · bias_part; a bias part of one zero: ẑ_i = √q̂ · weight_part.
    mean, second : (n,) float64
        E ξ_i, E ξ_i².
    """

    weight_part: np.ndarray
    bias_part: np.ndarray
    mean: np.ndarray
    second: np.ndarray

    def split(self, bias_variance: float) -> float:
        """Return the variance of the bias part: 0 where the population does not tell biases from weights."""
        return bias_variance if self.bias_part.size > 1 else 0.0

    def same(self, other: Population) -> bool:
        """Return whether the moments are equal to 1e-11."""
        return bool(
            np.allclose(self.mean, other.mean, rtol=_SAME, atol=0.0)
            and np.allclose(self.second, other.second, rtol=_SAME, atol=0.0)
        )

    def times(self, other: Population) -> Population:
        """Return the moments of the product of independent scales on the same nodes."""
        return Population(self.weight_part, self.bias_part, self.mean * other.mean, self.second * other.second)


def population(law: Method, nodes: Nodes, log_variance: float, mask: Population | None = None) -> Population:
    """Return the law's moments over `nodes` whose pre-activations have the variance exp(`log_variance`).

    Parameters
    ----------
    law : Method
    nodes : Nodes
    log_variance : float
        log q̂, within ± LOG_RANGE.
    mask : Population, optional
        Scales that the nodes' outputs have already, before the inner-side `law` reads them.

    Raises
    ------
    NotAvailableError
        If the law has no closed form, reads more than norms and angles, or reads randomly masked values.
    """
    own = standard_nodes(nodes.size)
    variance = math.exp(log_variance)
    if law.claims.side == "output" and law.claims.reads == "input":
        return _angular(law, nodes, own, variance)
    z = math.sqrt(variance) * own
    if law.claims.reads == "nothing":
        read = np.ones(nodes.size)
    elif law.claims.side == "output":
        read = z
    else:
        read = apply(nodes.phi, z) * _deterministic(law, mask)
    shape = (nodes.size, 1) if law.claims.side == "inner" else (1, nodes.size)
    # Activations that all but vanish (GELU's left tail) have scales beyond the range, and squares of 0 beside them.
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = law.marginal_moments(read, np.ones(shape))
        second = np.asarray(spread + mean**2)
    return Population(own, np.zeros(1), np.asarray(mean), np.where(np.isnan(second), 0.0, second))


def _deterministic(law: Method, mask: Population | None) -> np.ndarray | float:
    """Return the factor of the values that an inner-side law reads."""
    if mask is None:
        return 1.0
    if not np.array_equal(mask.second, mask.mean**2):
        raise NotAvailableError(
            f"method={law.name!r} reads activations that a random mask on the layer before has thinned: no mean field; "
            "use the simulation (--engine simulate), or probabilities that are blind to the data"
        )
    return mask.mean


def _angular(law: Method, nodes: Nodes, own: np.ndarray, variance: float) -> Population:
    """Return the moments of a law of the input's angles with the columns, by a picture of each in the plane."""
    size, fan_in = nodes.size, nodes.fan_in
    aside = np.sqrt(chi2.ppf(_scattered(size, _GOLDEN), fan_in - 1)) if fan_in > 1 else np.zeros(size)
    bias = np.zeros(1) if nodes.bias_variance == 0.0 else ndtri(_scattered(size, math.sqrt(2.0) - 1.0))
    # The input has the norm √n, each column about √((q̂ − σ_b²)/n).
    columns = math.sqrt(max(variance - nodes.bias_variance, 0.0) / fan_in) * np.vstack([own, aside])
    x, turned = np.array([math.sqrt(fan_in), 0.0]), []
    for angle in (0.0, 1.0):
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        turned.append(law.marginal_moments(x @ turn, turn.T @ columns))
    (mean, spread), (other_mean, other_spread) = turned
    if not (np.allclose(mean, other_mean, rtol=1e-6) and np.allclose(spread, other_spread, rtol=1e-6)):
        raise NotAvailableError(
            f"method={law.name!r} reads more than norms and angles of weights with these settings (pooled hashing "
            "does), so it has no mean field; use the simulation (--engine simulate)"
        )
    return Population(own, bias, mean, spread + mean**2)


class LawTable:
    """The moments of one law on one kind of nodes, as a function of the scale; evaluated where it must be.

    Two scales with the same moments (to 1e-11) are taken to have the same in between: laws are free of scale, or have
    a threshold that scale moves in one direction. That makes thousands of layers of growing norm cheap.
    """

    def __init__(self, evaluate: Callable[[float], Population]) -> None:
        self._evaluate = evaluate
        self._spans: list[tuple[float, float, Population]] = []

    def at(self, log_variance: float) -> Population:
        """Return the moments at this log q̂ (at the nearer bound, if it is out of range)."""
        x = max(-LOG_RANGE, min(LOG_RANGE, log_variance))
        for low, high, known in reversed(self._spans):
            if low <= x <= high:
                return known
        found = self._evaluate(x)
        if self._spans and found.same(self._spans[-1][2]):
            low, high, known = self._spans.pop()
            self._spans.append(self._extended(min(low, x), max(high, x), known, upwards=x > high))
            return known
        self._spans = [*self._spans[1 - _KEPT :], (x, x, found)]
        return found

    def _extended(
        self, low: float, high: float, known: Population, *, upwards: bool
    ) -> tuple[float, float, Population]:
        """Look ahead by a multiple of what is known already."""
        reach = _AHEAD * (high - low)
        ahead = min(LOG_RANGE, high + reach) if upwards else max(-LOG_RANGE, low - reach)
        if self._evaluate(ahead).same(known):
            low, high = min(low, ahead), max(high, ahead)
        return low, high, known


def diverges(law: Method, nodes: Nodes, log_variance: float) -> bool:
    """Return whether E ξ² φ′(ẑ)² is infinite, because scales grow like 1/|ẑ| (or faster) where ẑ → 0.

    Norm-optimal probabilities do that: a node with a small activation is hardly ever drawn and then weighted
    enormously, which costs the forward product nothing (ξ â stays bounded) but the gradient, which carries the same
    scale without the small factor. Found by moving the node nearest to 0 a thousand times nearer.
    """
    if law.claims.side != "inner" or law.claims.reads != "input":
        return False
    z = math.exp(0.5 * log_variance) * standard_nodes(nodes.size)
    slope = np.abs(apply_slope(nodes.phi, z))
    nearest = int(np.argmin(np.where((slope > 0.0) & (z != 0.0), np.abs(z), np.inf)))
    seconds = []
    for factor in (1.0, 1e-3):
        moved = z.copy()
        moved[nearest] *= factor
        mean, spread = law.marginal_moments(apply(nodes.phi, moved), np.ones((nodes.size, 1)))
        seconds.append(float(spread[nearest] + mean[nearest] ** 2))
    return bool(seconds[1] > 500.0 * seconds[0] > 0.0)
