"""The adjoint form against rational arithmetic, beyond the range of float64, and for any number of threads."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from broken_twins import NoCovariance
from enumeration import UnscaledDropout, UnscaledInner
from hypothesis import given
from hypothesis import strategies as st
from method_cases import cases, importance_laws

from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation.adjoint import error_form
from approxmm.propagation.congruence import Workspace, congruence
from approxmm.propagation.moments import exact_moments

BLIND = [m for m in importance_laws(cases((0.5, 2))) if m.claims.reads == "nothing"]
BLIND += [UnscaledDropout(0.75), UnscaledInner(0.5)]


def rational(array):
    return np.array([Fraction(float(v)) for v in np.ravel(array)], dtype=object).reshape(np.shape(array))


def rational_error(network, plan, x):
    """E‖â_L − a_L‖² for one input, in rational arithmetic, by the four textbook forms: the slow twin."""
    n = network.widths[-1]
    Q = X = P = rational(np.diag([1.0] * n + [0.0]))
    for k in range(network.depth, 0, -1):
        W, law = network.weights[k - 1], plan[k - 1]
        H = rational(np.block([[W, np.zeros((len(W), 1))], [network.bias(k)[None], np.ones((1, 1))]]))
        for side in ("output", "inner"):
            if side == "inner":
                Q, X, P = (H @ form @ H.T for form in (Q, X, P))
            if law is not None and law.claims.side == side:
                size = len(Q) - 1
                importance = rational(law.importance(np.ones(size), W))
                exact = law.moments_of(importance)
                mean = np.append(exact.mean, Fraction(1))
                second = np.outer(mean, mean)
                second[:size, :size] += exact.covariance()
                Q, X = Q * second, mean[:, None] * X
    a = np.append(rational(x), Fraction(1))
    return float(a @ (Q - X - X.T + P) @ a)


def network_and_input(widths, seed, bias_std):
    network = Network.random(widths, activation="linear", init="lecun", bias_std=bias_std, seed=seed)
    return network, np.random.default_rng(seed).normal(size=widths[0])


@given(
    st.lists(st.sampled_from([*BLIND, None]), min_size=3, max_size=3),
    st.lists(st.integers(2, 5), min_size=4, max_size=4),
    st.sampled_from([0.0, 1.0]),
    st.integers(0, 10**6),
)
def test_adjoint_is_the_rational_recursion(plan, widths, bias_std, seed):
    network, x = network_and_input(widths, seed, bias_std)
    size = float((network.forward(x[None]) ** 2).sum())
    got = error_form(network, plan).squared_errors(x)[0]
    np.testing.assert_allclose(got, rational_error(network, plan, x), rtol=1e-12, atol=1e-13 * size)


@pytest.mark.parametrize("bias_std", [0.0, 1.0])
@pytest.mark.parametrize("sound", [m for m in BLIND if m.name == "with_replacement"], ids=lambda m: str(m.budget.value))
def test_twin_notices_a_forgotten_covariance(sound, bias_std):
    network, x = network_and_input((4, 3, 5, 2), 1, bias_std)
    broken = NoCovariance(sound.budget, probabilities=sound.probabilities)
    assert error_form(network, broken).squared_errors(x)[0] != pytest.approx(
        rational_error(network, [sound, sound, None], x), rel=1e-6
    )


@pytest.mark.parametrize("bias_std", [0.0, 0.5])
@pytest.mark.parametrize(
    "method",
    [
        get_method("dropout", 0.05),
        get_method("with_replacement", 2, probabilities="uniform"),
        get_method("dropout", 0.05, scaled=False),
        UnscaledInner(0.05),
    ],
    ids=["dropout", "with_replacement", "unscaled", "inner"],
)
def test_512_layers_have_finite_logarithms(method, bias_std):
    """Against the textbook recursion in the x86 long double, whose range is 10^±4932."""
    if np.finfo(np.longdouble).maxexp < 16384:
        pytest.skip("this platform's long double has the range of float64")
    widths = [6, 8] * 256 + [6]
    network, x = network_and_input(widths, 3, bias_std)
    plan = [method] * network.depth
    mean = a = x.astype(np.longdouble)
    M = np.zeros((x.size,) * 2, dtype=np.longdouble)
    for k, W in enumerate(network.weights, start=1):
        if method.claims.side == "inner":
            mean, M = long_scales(method, W, mean, M)
        mean, a, M = mean @ W + network.bias(k), a @ W + network.bias(k), W.T @ M @ W
        if method.claims.side == "output":
            mean, M = long_scales(method, W, mean, M)
    error = float(np.log10((np.trace(M) + ((mean - a) ** 2).sum()) / (a @ a)))
    ratio = float(np.log10((np.trace(M) + mean @ mean) / (a @ a)))
    figures = exact_moments(network, plan, x).layers[-1].output
    assert figures.log10_relative_error == pytest.approx(error, abs=1e-9)
    assert figures.log10_norm_ratio == pytest.approx(ratio, abs=1e-9)
    assert np.isfinite([figures.log10_relative_error, figures.log10_norm_ratio, figures.cosine]).all()
    form = error_form(network, plan)
    assert form.log10_relative_errors(x)[0] == pytest.approx(error, abs=1e-9)
    assert form.relative_errors(x)[0] == (pytest.approx(10**error, rel=1e-9) if error < 308 else np.inf)


def long_scales(method, W, mean, covariance):
    law = method.scale_moments(np.ones(mean.size), W)
    second = covariance + np.outer(mean, mean)
    return law.mean * mean, covariance * np.outer(law.mean, law.mean) + second * law.covariance()


def test_512_layers_do_leave_the_range_of_float64():
    network, x = network_and_input([6, 8] * 256 + [6], 3, 0.0)
    method = get_method("dropout", 0.05)
    assert exact_moments(network, method, x, sample_output=True).relative_error[-1] == np.inf
    form = error_form(network, method, sample_output=True)
    assert form.error_exponent > 1100
    assert form.squared_errors(x)[0] == np.inf


def test_weights_of_any_size_change_no_relative_error():
    """Powers of two as factors, so that not a bit of the errors may change; ‖a_L‖² alone would be 2^2000 or 2^−2000."""
    network, x = network_and_input((4, 5, 3, 4), 2, 0.0)
    method = get_method("with_replacement", 0.5, probabilities="uniform")
    expected = error_form(network, method).relative_errors(x)
    profile = exact_moments(network, method, x)
    for factor in (2.0**333, 2.0**-333):
        scaled = Network(tuple(factor * W for W in network.weights), None, "linear")
        np.testing.assert_array_equal(error_form(scaled, method).relative_errors(x), expected)
        for layer, reference in zip(exact_moments(scaled, method, x).layers, profile.layers, strict=True):
            assert layer.output.relative_error == pytest.approx(reference.output.relative_error, rel=1e-12)
            assert layer.output.cosine == pytest.approx(reference.output.cosine, rel=1e-12)


@pytest.mark.parametrize("bias_std", [0.0, 0.3])
@pytest.mark.parametrize(
    "method",
    [get_method("with_replacement", 0.5, probabilities="uniform"), UnscaledDropout(0.5)],
    ids=["unbiased", "biased"],
)
def test_any_number_of_threads_gives_the_same_bits(method, bias_std):
    network, x = network_and_input((270, 300, 260), 4, bias_std)
    one, three = (error_form(network, method, sample_output=True, workers=w) for w in (1, 3))
    np.testing.assert_array_equal(one.error, three.error)
    np.testing.assert_array_equal(one.exact, three.exact)
    forward = [exact_moments(network, method, x, sample_output=True, workers=w).to_dict()["layers"] for w in (1, 3)]
    assert forward[0] == forward[1]
    np.testing.assert_allclose(
        one.relative_errors(x)[0], forward[0][-1]["relative_error"], rtol=1e-10
    )  # more than one panel, and other panels forward than backward


@pytest.mark.parametrize(("n", "m", "r"), [(1, 3, 2), (256, 5, 1), (257, 260, 3), (700, 90, 40)])
def test_congruence_is_the_plain_product(n, m, r):
    rng = np.random.default_rng(n)
    W, S, F = rng.normal(size=(n, m)), rng.normal(size=(m, m)), rng.normal(size=(m, r))
    S = S + S.T
    workspace = Workspace()
    workspace.give(np.full((n, n), np.nan))  # what is left in old arrays must not show
    out, (product,) = congruence(W, S, [F], map, workspace)
    np.testing.assert_allclose(out, W @ S @ W.T, rtol=1e-12, atol=1e-12 * m * n)
    np.testing.assert_array_equal(np.triu(out, 300), np.tril(out, -300).T)
    np.testing.assert_allclose(product, W @ F, rtol=1e-12, atol=1e-12 * m)
    assert congruence(W, None, [], map, workspace) == (None, [])
