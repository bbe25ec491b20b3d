"""Gaussian expectations of activations against independent quadrature and against each other."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from approxmm.activations import ACTIVATIONS, LINEAR, LeakyRelu, Relu, ShiftedRelu, apply, apply_slope
from approxmm.propagation import kernels

PHIS = [*ACTIVATIONS.values(), LeakyRelu(0.3), LeakyRelu(-0.5), ShiftedRelu(2.0), ShiftedRelu(-0.7)]
CASES = [(0.3, 4.0, -0.7), (2.0, 9.0, 0.95), (1.0, 1.3, 0.9)]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
kinds = pytest.mark.parametrize("kind", ["value", "slope"])
phis = pytest.mark.parametrize("phi", PHIS, ids=str)


def kink(phi):
    """Where the slope may jump."""
    return getattr(phi, "threshold", 0.0)


def panels(edges):
    """Composite Gauss–Legendre nodes and weights."""
    low, high = edges[:-1, None], edges[1:, None]
    return ((high - low) / 2 * NODES + (high + low) / 2).ravel(), ((high - low) / 2 * WEIGHTS).ravel()


def by_hand(phi, q, q_hat, rho, function):
    """Integrate over the plane, panel by panel, with the kinks of z and of ẑ on panel edges."""
    u, of_u = panels(np.unique(np.append(np.linspace(-10, 10, 41), kink(phi) / math.sqrt(q))))
    total, aside = 0.0, math.sqrt(1 - rho * rho)
    for point, weight in zip(u, of_u, strict=True):
        jump = (kink(phi) / math.sqrt(q_hat) - rho * point) / aside
        edges = np.unique(np.clip(np.append(np.linspace(-10, 10, 31), jump), -10, 10))
        w, of_w = panels(edges)
        inner = of_w @ (np.exp(-w * w / 2) * function(phi, math.sqrt(q_hat) * (rho * point + aside * w)))
        total += weight * math.exp(-point * point / 2) * function(phi, np.array([math.sqrt(q) * point]))[0] * inner
    return total / (2 * math.pi)


@kinds
@phis
@pytest.mark.parametrize(("q", "q_hat", "rho"), CASES)
def test_kernels_are_the_integrals(phi, q, q_hat, rho, kind):
    function, kernel = {"value": (apply, kernels.cross_moment), "slope": (apply_slope, kernels.slope_moment)}[kind]
    expected = by_hand(phi, q, q_hat, rho, function)
    assert kernel(phi, q, q_hat, rho) == pytest.approx(expected, rel=2e-11, abs=1e-13)


@kinds
@phis
@pytest.mark.parametrize("rho", [1.0, -1.0])
def test_degenerate_correlations_are_one_dimensional(phi, rho, kind):
    function, kernel = {"value": (apply, kernels.cross_moment), "slope": (apply_slope, kernels.slope_moment)}[kind]

    def integrand(u):
        z = np.array([1.5 * u, rho * 2.5 * u])
        return float(np.prod(function(phi, z))) * math.exp(-u * u / 2) / math.sqrt(2 * math.pi)

    edges = sorted({-10.0, 0.0, kink(phi) / 1.5, rho * kink(phi) / 2.5, 10.0})
    parts = [integrate.quad(integrand, low, high, epsabs=1e-13, limit=200)[0] for low, high in pairwise(edges)]
    assert kernel(phi, 2.25, 6.25, rho) == pytest.approx(sum(parts), rel=1e-9, abs=1e-11)


@phis
def test_second_moment_is_continuous_towards_perfect_correlation(phi):
    limit = kernels.second_moment(phi, 1.7)
    for gap in (1e-4, 1e-8, 1e-12):
        assert abs(kernels.cross_moment(phi, 1.7, 1.7, 1 - gap) - limit) <= 3 * gap * max(1.0, limit)


@phis
def test_slopes_are_derivatives_by_the_covariance(phi):
    """Price's theorem: ∂/∂κ E φ(z)φ(ẑ) = E φ′(z)φ′(ẑ)."""
    q, q_hat, rho, h = 1.3, 2.1, 0.4, 1e-5
    ends = [kernels.cross_moment(phi, q, q_hat, rho + d) for d in (-h, h)]
    got = (ends[1] - ends[0]) / (2 * h * math.sqrt(q * q_hat))
    assert got == pytest.approx(kernels.slope_moment(phi, q, q_hat, rho), rel=1e-7)


@phis
@settings(max_examples=15)
@given(mean=st.floats(-6, 6), std=st.floats(0.0, 4.0))
def test_conditional_means(phi, mean, std):
    centre = (kink(phi) - mean) / std if std > 0 else 0.0
    w, weight = panels(np.unique(np.clip(np.append(np.linspace(-9, 9, 49), centre), -9, 9)))
    density = weight * np.exp(-w * w / 2) / math.sqrt(2 * math.pi)
    at = np.array([mean])
    expected = density @ apply(phi, mean + std * w) / density.sum()
    assert kernels.conditional_mean(phi, at, std)[0] == pytest.approx(expected, rel=1e-9, abs=1e-10)
    if std > 1e-3:
        expected = density @ apply_slope(phi, mean + std * w) / density.sum()
        assert kernels.conditional_slope(phi, at, std)[0] == pytest.approx(expected, rel=1e-9, abs=1e-10)


@phis
@settings(max_examples=25)
@given(q=st.floats(1e-6, 100.0), q_hat=st.floats(1e-6, 100.0), rho=st.floats(-1.0, 1.0))
def test_cauchy_schwarz(phi, q, q_hat, rho):
    bound = math.sqrt(kernels.second_moment(phi, q) * kernels.second_moment(phi, q_hat))
    rounding = 1e-15 * math.sqrt(q * q_hat)  # all that is left of a node that fires once in 1e100 times
    assert abs(kernels.cross_moment(phi, q, q_hat, rho)) <= bound * (1 + 1e-9) + rounding


def test_quadrature_agrees_with_the_closed_forms_it_replaces():
    """The fallback, asked for the smooth activations that do not need it."""
    fallback = kernels.cross_moment.dispatch(object)
    slopes = kernels.slope_moment.dispatch(object)
    for phi in (ACTIVATIONS["gelu"], ACTIVATIONS["erf"]):
        for q, q_hat, rho in CASES:
            assert fallback(phi, q, q_hat, rho) == pytest.approx(kernels.cross_moment(phi, q, q_hat, rho), rel=1e-10)
            assert slopes(phi, q, q_hat, rho) == pytest.approx(kernels.slope_moment(phi, q, q_hat, rho), rel=1e-10)
    tanh = ACTIVATIONS["tanh"]  # as wide as is claimed
    assert kernels.cross_moment(tanh, 144.0, 144.0, 0.3) == pytest.approx(
        by_hand(tanh, 144.0, 144.0, 0.3, apply), rel=1e-7
    )


def test_huge_and_tiny_variances_stay_finite():
    for phi in PHIS:
        for q, q_hat in ((1e130, 1e130), (1e-130, 1e130), (1e-130, 1e-130), (0.0, 1.0)):
            assert math.isfinite(kernels.cross_moment(phi, q, q_hat, 0.5))
            assert math.isfinite(kernels.slope_moment(phi, q, q_hat, 0.5))


def test_empty_parameters_do_not_make_activations_equal():
    """Relu() == Linear() as tuples: a cache that forgets the class would mix them up."""
    assert Relu() == LINEAR
    assert kernels.second_moment(Relu(), 2.0) == pytest.approx(1.0)
    assert kernels.second_moment(LINEAR, 2.0) == pytest.approx(2.0)
