"""One layer of a wide random network in mean field: maps of norms and of the correlation, in logarithms.

A vector y and its sampled twin ŷ are described by three numbers a unit: E y², E ŷ² and their cosine. A `Site` takes
those of the pre-activations (z, ẑ) through the activation, the mask of the layer's own method (output side) and the
scales of the next product's method (inner side):

    E ŷ² ← E[m₂(ẑ) φ(ẑ)²],   E y ŷ ← E[m₁(ẑ) φ(ẑ) φ(z)],   m₁ = E ξ, m₂ = E ξ² given ẑ;

the product multiplies by σ_w² and adds σ_b². Gradients pass the same site backwards with φ′ in the place of φ.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from approxmm.activations import Activation, apply, apply_slope
from approxmm.methods.contract import Method
from approxmm.propagation.kernels import (
    conditional_mean,
    conditional_slope,
    cross_moment,
    second_moment,
    slope_moment,
)
from approxmm.propagation.meanfield_law import LOG_RANGE, LawTable, Nodes, Population, diverges, log, population

__all__ = ["Pair", "Passed", "Site", "State", "input_pair", "product"]


class State(NamedTuple):
    """Pre-activations of a layer: log q, log q̂ and their correlation ρ."""

    log_q: float
    log_q_hat: float
    rho: float


class Pair(NamedTuple):
    """A vector and its sampled twin: logarithms of E y² and E ŷ² a unit, and their cosine."""

    log_exact: float
    log_estimate: float
    cosine: float

    def times(self, other: Pair) -> Pair:
        """Return the pair of the products of independent factors."""
        return Pair(
            self.log_exact + other.log_exact, self.log_estimate + other.log_estimate, self.cosine * other.cosine
        )

    @property
    def log_error(self) -> float:
        """Logarithm of E(ŷ − y)² a unit."""
        half = 0.5 * (self.log_estimate - self.log_exact)
        if not math.isfinite(half) or abs(half) > LOG_RANGE:
            return max(self.log_exact, self.log_estimate)
        return self.log_exact + log(math.expm1(half) ** 2 + 2.0 * math.exp(half) * max(0.0, 1.0 - self.cosine))


class Passed(NamedTuple):
    """What a site makes of a state.

    Attributes
    ----------
    output : Pair
        After activation and mask.
    scaled : Pair
        After the next product's scales too.
    slopes : Pair
        The factor of gradients on their way back: φ′, mask and scales.
    entering : Pair
        What enters the next product's weight gradient: as `scaled`, also where the forward pass is exact.
    """

    output: Pair
    scaled: Pair
    slopes: Pair
    entering: Pair


def product(pair: Pair, weight_variance: float, bias_variance: float) -> State:
    """Return the state of z = a W + b for inputs described by `pair`, with σ_w² and σ_b²."""
    log_w, log_b = log(weight_variance), log(bias_variance)
    log_q = float(np.logaddexp(log_w + pair.log_exact, log_b))
    log_q_hat = float(np.logaddexp(log_w + pair.log_estimate, log_b))
    if pair.cosine == 1.0 and log_q == log_q_hat:
        return State(log_q, log_q_hat, 1.0)
    middle = 0.5 * (log_q + log_q_hat)
    if math.isinf(middle):
        return State(log_q, log_q_hat, 0.0)
    rho = pair.cosine * math.exp(log_w + 0.5 * (pair.log_exact + pair.log_estimate) - middle) + math.exp(log_b - middle)
    return State(log_q, log_q_hat, max(-1.0, min(1.0, rho)))


def input_pair(x: np.ndarray, law: Method | None) -> Pair:
    """Return the pair of one input (n,), given, after the scales of the first product's inner-side law."""
    peak = float(np.abs(x).max())
    unit = x / peak if peak > 0.0 else x
    norm = float(unit @ unit) / x.size
    log_norm = log(norm) + 2.0 * log(peak)
    unit = unit / math.sqrt(norm) if norm > 0.0 else unit
    base = Pair(log_norm, log_norm, 1.0)
    if law is None or log_norm == -math.inf:
        return base
    mean, variance = law.marginal_moments(x, np.ones((x.size, 1)))
    moments = Population(np.zeros(1), np.zeros(1), np.asarray(mean), np.asarray(variance + mean**2))
    scaled = _weighted(Pair(0.0, 0.0, 1.0), moments, unit, unit)
    return scaled.times(base)


@lru_cache(maxsize=64, typed=True)
def _edge(phi: Activation, log_q: float) -> tuple[float, float]:
    """Return log E φ² at a bound of the range, and the power of q that it follows there."""
    inside = log_q - math.copysign(1.0, log_q)
    value, before = (math.log(second_moment(phi, math.exp(at))) for at in (log_q, inside))
    return value, round(2.0 * (value - before) / (log_q - inside)) / 2.0


def _log_second(phi: Activation, log_q: float) -> float:
    """Return log E φ(z)² for z of variance exp(log_q), by a power law where that is out of range."""
    if abs(log_q) <= LOG_RANGE:
        return log(second_moment(phi, math.exp(log_q)))
    bound = math.copysign(LOG_RANGE, log_q)
    value, power = _edge(phi, bound)
    return value if power == 0.0 else value + power * (log_q - bound)


class _Scales(NamedTuple):
    """The state's variances and deviations, within range."""

    q: float
    q_hat: float
    rho: float

    @classmethod
    def of(cls, state: State) -> _Scales:
        q, q_hat = (math.exp(max(-LOG_RANGE, min(LOG_RANGE, log))) for log in state[:2])
        return cls(q, q_hat, state.rho)

    def sampled(self, moments: Population, bias_variance: float) -> np.ndarray:
        """Return ẑ of the nodes of a population."""
        shared = min(moments.split(bias_variance) / self.q_hat, 1.0)
        own = math.sqrt(self.q_hat * (1.0 - shared)) * moments.weight_part
        return np.asarray(own + math.sqrt(self.q_hat * shared) * moments.bias_part)

    def exact_given(self, moments: Population, bias_variance: float) -> tuple[np.ndarray, float]:
        """Return mean and standard deviation of z given what the population knows of each node."""
        f, f_hat = (min(moments.split(bias_variance) / q, 1.0) for q in (self.q, self.q_hat))
        own = math.sqrt((1.0 - f) * (1.0 - f_hat))
        rho = max(-1.0, min(1.0, (self.rho - math.sqrt(f * f_hat)) / own)) if own > 0.0 else 0.0
        root = math.sqrt(self.q * (1.0 - f))
        mean = root * rho * moments.weight_part + math.sqrt(self.q * f) * moments.bias_part
        return np.asarray(mean), root * math.sqrt((1.0 - rho) * (1.0 + rho))


def _weighted(base: Pair, moments: Population | None, values: np.ndarray, expected: np.ndarray) -> Pair:
    """Return the pair (within range) after scales: `values` of ŷ on the population, `expected` those of y beside them.

    The sample only weighs: with all scales 1 the pair comes back as it was.
    """
    if moments is None or base.log_estimate == -math.inf:
        return base
    squares = values * values
    total = float(squares.sum())
    with np.errstate(over="ignore"):  # a law may weight what it hardly ever draws without bound
        growth = float(moments.second @ squares) / total if total > 0.0 else float(moments.second.mean())
    if growth <= 0.0 or math.isinf(growth):
        return Pair(base.log_exact, log(growth), 0.0)
    cosine = base.cosine
    if ((moments.mean - 1.0) * values).any() and total > 0.0 and base.log_exact > -math.inf:
        # Only what varies about the mean scale is left to the sample.
        centre = float(moments.mean @ squares) / total
        norms = math.exp(0.5 * base.log_exact) * math.sqrt(total / values.size)
        cosine = centre * cosine + float(((moments.mean - centre) * values * expected).mean()) / norms
    return Pair(base.log_exact, base.log_estimate + math.log(growth), max(-1.0, min(1.0, cosine / math.sqrt(growth))))


class Site:
    """The nodes of one layer, as z comes in and as the next product's inputs go out.

    Parameters
    ----------
    phi : Activation
    size, fan_in, bias_variance
        Of the layer.
    mask : Method or None
        The layer's own method, if it acts on the output side.
    scale : Method or None
        The next product's method, if it acts on the inner side.
    exact_forward : bool
        Scales act on gradients only.
    """

    def __init__(
        self,
        phi: Activation,
        size: int,
        fan_in: int,
        bias_variance: float,
        mask: Method | None,
        scale: Method | None,
        *,
        exact_forward: bool = False,
    ) -> None:
        self.phi, self.size, self.bias_variance, self.exact_forward = phi, size, bias_variance, exact_forward
        self._scale, self._nodes = scale, Nodes(phi, size, fan_in)
        self._mask_table = self._scale_table = None
        if mask is not None:
            nodes = Nodes(phi, size, fan_in, bias_variance if mask.claims.reads == "input" else 0.0)
            self._mask_table = LawTable(partial(population, mask, nodes))
        if scale is not None:
            self._scale_table = LawTable(lambda log: population(scale, self._nodes, log, self._mask(log)))
        self._diverges: bool | None = None

    def _mask(self, log_variance: float) -> Population | None:
        return None if self._mask_table is None else self._mask_table.at(log_variance)

    def laws(self, state: State) -> tuple[Population | None, Population | None]:
        """Return the moments of the mask, and of mask and scales together, at a state."""
        mask = self._mask(state.log_q_hat)
        if self._scale_table is None:
            return mask, mask
        scale = self._scale_table.at(state.log_q_hat)
        return mask, scale if mask is None else mask.times(scale)

    def unbiased(self, state: State) -> bool:
        """Return whether E ξ = 1 wherever a node has something to give."""
        both = self.laws(state)[1]
        if both is None:
            return True
        values = self.node_values(state, both)[0]
        return not ((both.mean != 1.0) & (values != 0.0)).any()

    def slope_kernel(self, state: State) -> float:
        """Return E φ′(z) φ′(ẑ), the derivative of E φ(z) φ(ẑ) by κ, without scales."""
        return slope_moment(self.phi, *_Scales.of(state))

    def node_values(self, state: State, moments: Population) -> tuple[np.ndarray, np.ndarray, float]:
        """Return φ(ẑ) on a population, and mean (n,) and standard deviation of z given each node's ẑ."""
        at = _Scales.of(state)
        expected, spread = at.exact_given(moments, self.bias_variance)
        return apply(self.phi, at.sampled(moments, self.bias_variance)), expected, spread

    def pass_on(self, state: State, *, gradients: bool) -> Passed:
        """Return output, scaled output, and (if asked for, else exact ones) slopes."""
        mask, both = self.laws(state)
        at = _Scales.of(state)
        base, shift = self._activated(state, at)
        output = self._outputs(base, mask, at)
        entering = (output if both is mask else self._outputs(base, both, at)).times(shift)
        slopes = self._slopes(state, both, at) if gradients else Pair(0.0, 0.0, 1.0)
        if self.exact_forward:
            return Passed(base.times(shift), base.times(shift), slopes, entering)
        return Passed(output.times(shift), entering, slopes, entering)

    def _activated(self, state: State, at: _Scales) -> tuple[Pair, Pair]:
        """Return the pair of φ within range, and the factor (in logarithms) of what lies beyond."""
        logs = [log(second_moment(self.phi, q)) for q in (at.q, at.q_hat)]
        if state.rho == 1.0 and at.q == at.q_hat:
            cosine = 1.0
        elif -math.inf in logs:
            cosine = 0.0
        else:
            cosine = max(-1.0, min(1.0, cross_moment(self.phi, *at) / math.exp(0.5 * (logs[0] + logs[1]))))
        beyond = [_log_second(self.phi, at) - inside for at, inside in zip(state[:2], logs, strict=True)]
        return Pair(logs[0], logs[1], cosine), Pair(beyond[0], beyond[1], 1.0)

    def _outputs(self, base: Pair, moments: Population | None, at: _Scales) -> Pair:
        if moments is None:
            return base
        values = apply(self.phi, at.sampled(moments, self.bias_variance))
        biased = bool(((moments.mean != 1.0) & (values != 0.0)).any())
        expected = conditional_mean(self.phi, *at.exact_given(moments, self.bias_variance)) if biased else values
        return _weighted(base, moments, values, expected)

    def _slopes(self, state: State, moments: Population | None, at: _Scales) -> Pair:
        logs = [log(slope_moment(self.phi, q, q, 1.0)) for q in (at.q, at.q_hat)]
        cosine = 1.0
        if state.rho != 1.0 or at.q != at.q_hat:
            norm = math.exp(0.5 * (logs[0] + logs[1]))
            cosine = slope_moment(self.phi, at.q, at.q_hat, at.rho) / norm if norm > 0.0 else 0.0
        base = Pair(logs[0], logs[1], max(-1.0, min(1.0, cosine)))
        if moments is None:
            return base
        if self._infinite(state):
            return Pair(base.log_exact, math.inf, 0.0)
        values = apply_slope(self.phi, at.sampled(moments, self.bias_variance))
        biased = bool(((moments.mean != 1.0) & (values != 0.0)).any())
        expected = conditional_slope(self.phi, *at.exact_given(moments, self.bias_variance)) if biased else values
        return _weighted(base, moments, values, expected)

    def _infinite(self, state: State) -> bool:
        if self._diverges is None:  # a property of the law near 0, whatever the scale
            log = max(-LOG_RANGE, min(LOG_RANGE, state.log_q_hat))
            self._diverges = self._scale is not None and diverges(self._scale, self._nodes, log)
        return self._diverges
