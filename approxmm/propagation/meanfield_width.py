"""Finite width: what the mean field leaves out, to leading order in 1/n.

At width n the three numbers of a layer are averages over n nodes, so they fluctuate from network to network, and
expectations of what is not linear in them shift. Given the layer before, and scales independent between nodes, the
averages of T = (a², (ξ â)², a ξ â) have the covariance

    C/n,   C = E T Tᵀ − E T E Tᵀ,

for the exact norm alone Var(q)/q² = (E φ⁴/(E φ²)² − 1)/n (5/n a layer for ReLU). The triple y = (log q, log q̂, ρ) of
a layer is taken as Gaussian over networks, with mean m and covariance S. A layer maps them by

    m ← E_y[f(y) + h(y)/n],   S ← Cov_y[f(y)] + E_y[D C Dᵀ]/n,

f the mean field, D the derivative of y by the averages, h their second-order term (for log q it is −C₁₁/2), and E_y
the six-point cubature rule, which is exact to the order that is kept. Ratios of expectations then follow from the
moments of lognormal variables: norms of products of random matrices are nearly lognormal, which is why the figures
stay good where S is no longer small. For positively homogeneous activations without biases and laws that are blind to
the data, E q and E q̂ have no correction of this order, and the whole of it is that of E κ, about −κ Var(log q̂/q)/8.

Fourth moments of scales are not part of a law here; those of a two-valued scale with the same mean and second moment
are taken, E ξ³ = m₂²/m₁ and E ξ⁴ = m₂³/m₁². That is exact for masks and Horvitz–Thompson weights, and the least
possible for others (draws with replacement have up to twice as much).

Not claimed: terms of order 1/n²; covariances of scales between nodes (small negative ones of fixed sample sizes, and
those of masks that share hyperplanes, which are not small: a hash table's active set changes its size as a whole);
the O(1/√n) scatter of weight norms, which enters moments by O(1/n); gradients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from approxmm.activations import apply
from approxmm.propagation.kernels import standard_rule
from approxmm.propagation.meanfield_field import MeanField
from approxmm.propagation.meanfield_law import Population, standard_nodes
from approxmm.propagation.meanfield_layer import Pair, Site, State, product

__all__ = ["finite_width"]

_ROUNDING = 1e-13
_LARGEST_NOISE = 1.0  # relative variance of q̂ that one layer may add
_Moments = tuple[np.ndarray, np.ndarray]  # mean (3,) and covariance (3, 3) of (log q, log q̂, ρ)


def finite_width(field: MeanField, x: np.ndarray | None) -> Iterator[tuple[Pair, Pair] | None]:
    """Yield each layer's pre-activation and output with their leading finite-width corrections.

    None from the layer on where nothing is claimed of such networks at this width: one layer alone makes a norm
    fluctuate by as much as its mean (scales without a finite fourth moment), nodes share a random build, or a norm
    is 0.

    Parameters
    ----------
    field : MeanField
    x : (n,) array, optional
        One input, held fixed; by default inputs are Gaussian and random too.
    """
    depth, moments = field.ensemble.depth, _first(field, x)
    for layer in range(1, depth + 1):
        law = field.plan[layer - 1]
        # Shared hyperplanes make norms fluctuate at any width.
        shared = law is not None and law.claims.random_build
        if shared or not (np.isfinite(moments[0]).all() and np.isfinite(moments[1]).all()):
            yield from [None] * (depth - layer + 1)
            return
        states, site, size = _states(moments), field.site(layer), field.ensemble.widths[layer]
        passed = [site.pass_on(state, gradients=False) for state in states]
        yield _expected(moments), _expected(_gathered([np.array(p.output) for p in passed]))
        if layer < depth:
            after = field.ensemble.variances[layer]
            steps = [
                _step(p.scaled, _node_covariance(site, state) / size, *after)
                for state, p in zip(states, passed, strict=True)
            ]
            moments = _gathered([mean for mean, _ in steps], [noise for _, noise in steps])


def _first(field: MeanField, x: np.ndarray | None) -> _Moments:
    """Return the moments of the first layer's triple."""
    site, size = field.site(0), field.ensemble.widths[0]
    covariance = _node_covariance(site, State(0.0, 0.0, 1.0)) / size if x is None else _input_covariance(field, x)
    return _step(field.start(x)[0], covariance, *field.ensemble.variances[0])


def _states(moments: _Moments) -> list[State]:
    """Return the six points of the cubature rule: the mean plus and minus √3 of each principal deviation."""
    mean, covariance = moments
    values, vectors = np.linalg.eigh(covariance)
    values = np.where(values > _ROUNDING * values.max(), values, 0.0)
    deviations = (vectors * np.sqrt(3.0 * values)).T
    points = np.concatenate([mean + deviations, mean - deviations])
    return [State(float(p[0]), float(p[1]), max(-1.0, min(1.0, float(p[2])))) for p in points]


def _gathered(points: list[np.ndarray], noises: list[np.ndarray] | None = None) -> _Moments:
    stacked = np.array(points)
    mean = stacked.mean(axis=0)
    with np.errstate(invalid="ignore"):  # infinite logarithms are seen by the caller
        centred = stacked - mean
    covariance = centred.T @ centred / len(points)
    return mean, covariance if noises is None else covariance + np.mean(noises, axis=0)


def _expected(moments: _Moments) -> Pair:
    """Return the pair of ratios of expectations of lognormal variables."""
    mean, S = moments
    log_exact, log_estimate = mean[0] + 0.5 * S[0, 0], mean[1] + 0.5 * S[1, 1]
    # E ρ √(q q̂), by Stein's lemma for the Gaussian ρ.
    tilted = mean[2] + 0.5 * (S[2, 0] + S[2, 1])
    loss = -0.125 * (S[0, 0] + S[1, 1] - 2.0 * S[0, 1])
    return Pair(float(log_exact), float(log_estimate), float(np.clip(tilted * math.exp(loss), -1.0, 1.0)))


def _step(
    pair: Pair, covariance: np.ndarray, weight_variance: float, bias_variance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of the next triple, given relative averages of `pair` that fluctuate."""
    if not covariance[1, 1] < _LARGEST_NOISE:
        return np.full(3, math.inf), np.zeros((3, 3))
    state = product(pair, weight_variance, bias_variance)
    gain = math.log(weight_variance) if weight_variance > 0.0 else -math.inf
    shares = [
        math.exp(gain + log - total) if math.isfinite(total) else 0.0
        for log, total in zip(pair[:2], state[:2], strict=True)
    ]
    weights = np.array([*shares, math.sqrt(shares[0] * shares[1])])
    C, rho = covariance * np.outer(weights, weights), state.rho
    D = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.5 * rho, -0.5 * rho, 1.0]])
    bend = rho * (0.375 * (C[0, 0] + C[1, 1]) + 0.25 * C[0, 1]) - 0.5 * (C[0, 2] + C[1, 2])
    mean = np.array([state.log_q - 0.5 * C[0, 0], state.log_q_hat - 0.5 * C[1, 1], state.rho + bend])
    return mean, D @ C @ D.T


def _node_covariance(site: Site, state: State) -> np.ndarray:
    """Return the relative covariance C, (3, 3), of one node's (a², (ξ â)², a ξ â), the last relative to norms."""
    _, laws = site.laws(state)
    nodes = standard_nodes(site.size)
    moments = laws if laws is not None else Population(nodes, np.zeros(1), np.ones(site.size), np.ones(site.size))
    sampled, expected, spread = site.node_values(state, moments)
    w, weight = standard_rule(max(spread, 1e-3))
    exact = apply(site.phi, expected[:, None] + spread * w)
    squares = exact * exact
    powers = np.stack([power @ weight for power in (exact, squares, squares * exact, squares * squares)])
    first, second = _node_moments(powers, sampled, moments)
    mean = first.mean(axis=1)
    return _relative(second.mean(axis=2) - np.outer(mean, mean), mean)


def _input_covariance(field: MeanField, x: np.ndarray) -> np.ndarray:
    """Return the relative covariance of the sums over a fixed input, whose scales alone are random."""
    law = field.plan[0]
    if law is None or law.claims.side != "inner" or not x.any():
        return np.zeros((3, 3))
    mean, variance = law.marginal_moments(x, np.ones((x.size, 1)))
    moments = Population(np.zeros(1), np.zeros(1), np.asarray(mean), np.asarray(variance + mean**2))
    unit = x / np.abs(x).max()
    first, second = _node_moments(np.stack([unit**r for r in (1, 2, 3, 4)]), unit, moments)
    within = (second - first[:, None] * first[None, :]).mean(axis=2)
    return _relative(within, first.mean(axis=1)) / x.size


def _node_moments(powers: np.ndarray, sampled: np.ndarray, moments: Population) -> _Moments:
    """Return E[T | node] (3, n) and E[T Tᵀ | node] (3, 3, n) from E[a^r | node] (4, n) and ŷ before scales (n,)."""
    m1, m2 = moments.mean, moments.second
    one = m1 * sampled  # E ξ â, and so on to the fourth power, of a two-valued scale
    two = m2 * sampled**2
    ratio = np.divide(m2, m1, out=np.zeros_like(m2), where=m1 > 0.0) * sampled
    three, four = two * ratio, two * ratio**2
    a1, a2, a3, a4 = powers
    first = np.stack([a2, two, a1 * one])
    second = np.array([[a4, a2 * two, a3 * one], [a2 * two, four, a1 * three], [a3 * one, a1 * three, a2 * two]])
    return first, second


def _relative(covariance: np.ndarray, mean: np.ndarray) -> np.ndarray:
    roots = np.sqrt(mean[:2])
    norms = np.array([mean[0], mean[1], roots[0] * roots[1]])
    alive = norms > 0.0
    inverse = np.divide(1.0, norms, out=np.zeros(3), where=alive)
    return np.asarray(covariance * np.outer(inverse, inverse))
