"""Moments of activations of Gaussians against adaptive quadrature, identities and limits."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from approxmm.activations import LeakyRelu, apply, get_activation, slope
from approxmm.propagation.gaussian import gaussian_covariance, gaussian_moments
from approxmm.propagation.gaussian_pairs import bivariate_excess, rectified, rectified_covariance

NAMES = ["linear", "relu", "leaky_relu(0.2)", "shifted_relu(0.6)", "tanh", "sigmoid", "gelu", "erf"]
CLOSED = {"linear", "relu", "leaky_relu(0.2)", "shifted_relu(0.6)", "erf"}
PAIRS = [(0.0, 1.0), (0.7, 0.3), (-2.0, 0.5), (-1.0, 5.0), (0.3, 1e-3), (5.0, 1e-9)]


def density(g):
    return math.exp(-0.5 * g * g) / math.sqrt(2.0 * math.pi)


def expectation(function, kinks=()):
    points = sorted({-9.0, 0.0, 9.0, *(k for k in kinks if abs(k) < 9.0)})
    pieces = [
        integrate.quad(lambda g: function(g) * density(g), a, b, epsabs=1e-14, epsrel=1e-12, limit=100)[0]
        for a, b in pairwise(points)
    ]
    return math.fsum(pieces)


def phi_of(name):
    phi = get_activation(name)
    return phi, lambda z: float(apply(phi, np.array([z]))[0])


@pytest.mark.parametrize("name", NAMES)
def test_mean_and_variance_are_the_integrals(name):
    phi, scalar = phi_of(name)
    m, s = np.array(PAIRS).T
    means, variances = gaussian_moments(phi, m, s * s)
    for mean, variance, mu, sigma in zip(means, variances, m, s, strict=True):
        centre, kinks = scalar(mu), ((getattr(phi, "threshold", 0.0) - mu) / sigma,)
        first = expectation(lambda g, mu=mu, sigma=sigma, c=centre: scalar(mu + sigma * g) - c, kinks)
        second = expectation(lambda g, mu=mu, sigma=sigma, c=centre + first: (scalar(mu + sigma * g) - c) ** 2, kinks)
        accuracy = 1e-12 if name in CLOSED else 2e-9
        assert abs(mean - (centre + first)) <= accuracy * max(sigma, 1e-3)
        # The reference itself loses the digits that φ(z) − φ(m) has not.
        assert abs(variance - second) <= accuracy * sigma * sigma + 1e-15 * sigma + 3e-8 * variance * (sigma < 1e-4)


@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.2)", "shifted_relu(0.6)", "erf", "tanh"])
def test_covariance_is_the_integral_over_the_conditional_mean(name):
    phi, scalar = phi_of(name)
    m, s = np.array([0.3, -0.8, 1.5]), np.array([0.9, 1.0, 0.4])
    for rho in (0.999, 0.4, -0.95):
        V = np.outer(s, s) * np.where(np.eye(3) == 1, 1.0, rho if rho > -0.5 else abs(rho))
        V[0, 1] = V[1, 0] = rho * s[0] * s[1]
        means, C = gaussian_covariance(phi, m, V)
        left = s[1] * math.sqrt(1.0 - rho * rho)

        def conditional(g, rho=rho, left=left, centre=means[0]):
            mean, _ = gaussian_moments(phi, np.array([m[1] + rho * s[1] * g]), np.array([left * left]))
            return (scalar(m[0] + s[0] * g) - centre) * mean[0]

        t = getattr(phi, "threshold", 0.0)
        kinks = ((t - m[0]) / s[0], (t - m[1]) / (rho * s[1]))
        series = 5e-8 if rho > 0.99 else 1e-8
        assert abs(C[0, 1] - expectation(conditional, kinks)) <= (1e-10 if name in CLOSED else series)
        assert C[1, 0] == C[0, 1]
        np.testing.assert_allclose(np.diagonal(C), gaussian_moments(phi, m, s * s)[1], rtol=1e-14)


@pytest.mark.parametrize("name", ["relu", "erf", "tanh"])
def test_vanishing_variances_give_the_linearisation(name):
    phi, scalar = phi_of(name)
    m = np.array([0.4, -0.7])
    for sigma in (1e-5, 1e-9, 1e-150):
        V = sigma**2 * np.array([[1.0, 0.5], [0.5, 4.0]])
        means, C = gaussian_covariance(phi, m, V)
        gain = np.array([slope(phi, float(z)) for z in m])
        np.testing.assert_allclose(means, [scalar(z) for z in m], rtol=0, atol=10 * sigma**2 + 1e-15)
        np.testing.assert_allclose(C, np.outer(gain, gain) * V, rtol=1e-6, atol=0)
    means, C = gaussian_covariance(phi, m, np.zeros((2, 2)))
    assert not C.any()
    np.testing.assert_allclose(means, [scalar(z) for z in m], rtol=1e-15)


def test_far_tails_of_a_rectifier():
    means, variances = gaussian_moments(get_activation("relu"), np.array([-12.0, -60.0, 1e9, 40.5]), np.ones(4))
    # mean φ(h)/h² (1 − 3/h²) and second moment 2φ(h)/|h|³ (1 − 6/h²), Mills' series
    assert means[0] == pytest.approx(density(12.0) / 144 * (1 - 3 / 144 + 15 / 144**2), rel=1e-3)
    assert variances[0] == pytest.approx(2 * density(12.0) / 12**3 * (1 - 6 / 144 + 45 / 144**2), rel=3e-3)
    assert means[1] == variances[1] == 0.0
    assert means[2] == 1e9
    assert variances[2] == variances[3] == 1.0
    assert rectified(9.0)[1] == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("rho", [1.0, -1.0])
def test_perfect_correlation(rho):
    s = np.array([0.8, 0.8])
    V = np.outer(s, s) * np.array([[1.0, rho], [rho, 1.0]])
    for name in ("relu", "erf"):
        phi, scalar = phi_of(name)
        m = np.array([0.3, -0.5])
        means, C = gaussian_covariance(phi, m, V)
        product = expectation(
            lambda g, f=scalar: f(0.3 + 0.8 * g) * f(-0.5 + 0.8 * rho * g), (-0.3 / 0.8, 0.5 / (0.8 * rho))
        )
        assert C[0, 1] == pytest.approx(product - means[0] * means[1], abs=1e-12)


@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(-1, 1))
def test_pairs_obey_their_symmetries(h, k, rho):
    cdf = bivariate_excess.py_func
    value = cdf(h, k, rho)
    assert value == pytest.approx(cdf(k, h, rho), abs=1e-13)
    assert value == pytest.approx(cdf(-h, -k, rho), abs=1e-13)
    # Φ₂(h, k; ρ) + Φ₂(h, −k; −ρ) = Φ(h); next to ±1 for nearly equal arguments the integral is good to 2e-5
    assert value == pytest.approx(-cdf(h, -k, -rho), abs=1e-12 if abs(rho) < 0.999 else 5e-5)


@given(st.integers(2, 12), st.integers(0, 10**6), st.sampled_from(["relu", "tanh", "erf"]))
@settings(max_examples=30)
def test_covariances_are_positive_semidefinite(n, seed, name):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, rng.integers(1, n + 1)))
    _, C = gaussian_covariance(get_activation(name), rng.normal(size=n), factor @ factor.T / factor.shape[1])
    np.testing.assert_array_equal(C, C.T)
    assert np.linalg.eigvalsh(C).min() >= -1e-9 * np.trace(C)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-1, 1))
@settings(max_examples=30)
def test_leaky_rectifiers_are_linear_at_leak_one_and_fold_at_minus_one(a, b, rho):
    m, V = np.array([a, b]), np.array([[1.0, 0.7 * rho], [0.7 * rho, 0.49]])
    means, C = gaussian_covariance(LeakyRelu(1.0), m, V)
    np.testing.assert_allclose(means, m, atol=1e-14)
    np.testing.assert_allclose(C, V, atol=1e-14)
    folded, C = gaussian_covariance(LeakyRelu(-1.0), m, V)
    np.testing.assert_allclose(np.diagonal(C) + folded**2, np.diagonal(V) + m**2, rtol=1e-12)  # E|z|² = E z²


def test_a_rectifier_without_its_second_order_term_is_caught():
    """The linearised covariance ρΦ(h)Φ(k) is what is left if the integral is dropped; half of it is off by 10 %."""
    h = k = 0.0
    exact = rectified_covariance(h, k, 0.5, 0.5, *[rectified(0.0)[0]] * 4, 0.8)
    kernel = (math.sqrt(1 - 0.64) + 0.8 * (math.pi - math.acos(0.8))) / (2 * math.pi)  # Cho and Saul 2009
    assert exact == pytest.approx(kernel - 1 / (2 * math.pi), abs=1e-14)
    assert abs(0.8 * 0.25 - exact) > 0.04
