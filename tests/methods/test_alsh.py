"""The LSH methods: frequencies over many builds against the closed form; caps, fills, rankings; schedules; staleness.

Statistical assertions use exact binomial tails or Bernstein's inequality at 1e-9 for one assertion, divided by the
number of figures in it (Bonferroni); seeds and numbers of builds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods import get_method, refresh
from approxmm.methods._hashed import index_of
from approxmm.methods._tables import due
from approxmm.methods.alsh_unbiased import AlshUnbiased
from approxmm.network import Network
from approxmm.propagation import exact_moments, one_step_errors, simulate
from approxmm.random import Stream, make_key
from approxmm.testing.checks import ALARM, bernstein_radius, selected

UNION = {"cap": False, "fill": False}
BUILDS = 8000
KEY = make_key(5, Stream.SELECT)


def scene(n=6, m=5, seed=1):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((n, m)) * rng.uniform(0.3, 1.5, m)
    weights[:, -1] = 0.0
    return weights, weights[:, 0] + 0.5 * rng.standard_normal(n)


def scales_over_builds(method, weights, x, builds=BUILDS, seed=3):
    out = np.zeros((builds, weights.shape[1]))
    for t in range(builds):
        state = method.prepare([weights], key=make_key(seed, Stream.BUILD, layer=1, item=t))
        index, scale = selected(method, weights, x, KEY, state=state)
        out[t, index] = scale
    return out


def consistent(counts, draws, probabilities):
    p = np.clip(probabilities, 0.0, 1.0)
    tail = np.minimum(stats.binom.cdf(counts, draws, p), stats.binom.sf(counts - 1, draws, p))
    return bool((tail >= ALARM / (2 * counts.size)).all())


@pytest.mark.parametrize(("transform", "pool"), [("l2_alsh", 1), ("sign_alsh", 1), ("simple_lsh", 2)])
def test_retrieval_over_builds_follows_the_closed_form(transform, pool):
    weights, x = scene()
    method = get_method("alsh", bits=3, tables=4, transform=transform, pool=pool, **UNION)
    found = scales_over_builds(method, weights, x) > 0
    law, pairs = method.scale_moments(x, weights), np.triu_indices(weights.shape[1], 1)
    both = law.covariance() + np.outer(law.mean, law.mean)
    together = found.T.astype(np.int64) @ found.astype(np.int64)
    assert consistent(found.sum(axis=0), BUILDS, law.mean)
    assert consistent(together[pairs], BUILDS, both[pairs])
    # Another K, and pairs taken as independent, are caught.
    other = get_method("alsh", bits=4, tables=4, transform=transform, pool=pool, **UNION)
    assert not consistent(found.sum(axis=0), BUILDS, other.scale_moments(x, weights).mean)
    assert not consistent(together[pairs], BUILDS, np.outer(law.mean, law.mean)[pairs])
    mean, variance = method.marginal_moments(x, weights)
    np.testing.assert_allclose(mean, law.mean, rtol=1e-12)
    np.testing.assert_allclose(variance, law.variance, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(("transform", "pool"), [("l2_alsh", 1), ("sign_alsh", 2), ("none", 1)])
def test_weighted_retrieval_is_unbiased_over_builds(transform, pool):
    weights, x = scene()
    method = get_method("alsh_unbiased", bits=2, tables=3, transform=transform, pool=pool)
    drawn, law = scales_over_builds(method, weights, x), method.scale_moments(x, weights)
    np.testing.assert_array_equal(law.mean, 1.0)
    i, j = np.triu_indices(weights.shape[1])
    statistics = np.column_stack([drawn, drawn[:, i] * drawn[:, j]])
    second = (law.covariance() + 1.0)[i, j]
    expected = np.concatenate([law.mean, second])
    weight = drawn.max(axis=0)
    largest = np.concatenate([weight, weight[i] * weight[j]])
    # A statistic is 0 or `largest`, so its variance is known from its mean.
    radius = bernstein_radius(expected * (largest - expected), largest, BUILDS, ALARM / expected.size)
    assert (np.abs(statistics.mean(axis=0) - expected) <= radius + 1e-9 * expected).all()
    # Every weight is the inverse of the law's own retrieval probability.
    np.testing.assert_allclose(1.0 / weight, 1.0 / (law.variance + 1.0), rtol=1e-7)
    mean, variance = method.marginal_moments(x, weights)
    np.testing.assert_allclose(mean, law.mean, rtol=1e-12)
    np.testing.assert_allclose(variance, law.variance, rtol=1e-9)


def test_opposite_node_is_unreachable_and_says_so():
    law = AlshUnbiased(bits=62, tables=1, transform="none").scale_moments(np.ones(2), -np.ones((2, 1)))
    assert law.mean[0] == 0.0
    assert law.variance[0] == 0.0


@pytest.mark.parametrize(
    "options",
    [{}, {"fill": False}, {"cap": False}, {**UNION, "probes": 2}, {**UNION, "density": 0.5}, {"ranking": "frequency"}],
)
def test_settings_without_a_closed_form_send_to_the_simulation(options):
    weights, x = scene()
    for question in ("scale_moments", "marginal_moments"):
        with pytest.raises(NotAvailableError, match=r"method='alsh' has no closed-form law .* use the simulation"):
            getattr(get_method("alsh", 0.5, **options), question)(x, weights)


def active_sets(builds=60, **options):
    weights, x = np.random.default_rng(2).standard_normal((2, 40, 40))
    method = get_method("alsh", 16, bits=2, tables=2, **options)
    for t in range(builds):
        state = method.prepare([weights], key=make_key(1, Stream.BUILD, item=t))
        yield selected(method, weights, x[0], make_key(4, item=t), state=state)[0]


def test_cap_fill_and_ranking_keep_what_they_promise():
    union = [set(found) for found in active_sets(**UNION)]
    assert min(map(len, union)) < 16 < max(map(len, union))
    assert all(len(found) == 16 for found in active_sets())
    for options in ({"fill": False}, {"fill": False, "ranking": "frequency"}):
        for found, everything in zip(active_sets(**options), union, strict=True):
            assert len(found) == min(16, len(everything))
            assert set(found) <= everything
    for found, everything in zip(active_sets(cap=False), union, strict=True):
        assert len(found) == max(16, len(everything))
        assert everything <= set(found)
    probed = list(active_sets(**UNION, probes=3))
    assert all(everything <= set(found) for found, everything in zip(probed, union, strict=True))
    assert sum(map(len, probed)) > sum(map(len, union))


def test_schedules_are_those_stated():
    published = [t for t in range(1, 13_001) if due(0, t)]
    assert published == [*range(100, 10_001, 100), 11_000, 12_000, 13_000]
    assert [t for t in range(1, 2000) if due.py_func(1, t)] == [100, 200, 400, 800, 1600]


@pytest.mark.parametrize("rebuild", ["published", "incremental", "every"])
def test_stale_index_is_refused(rebuild):
    weights, _ = scene()
    method = get_method("alsh", 0.5, rebuild=rebuild)
    state, changed = method.build([weights]), np.array([2])
    method.check_fresh(state, [weights])
    weights[:, 2] += 1.0
    with pytest.raises(InputError, match=r"index is stale for 1 items, first items\[2\]"):
        method.check_fresh(state, [weights])
    for _ in range(100):
        refresh(state, 0, weights, changed)
    method.check_fresh(state, [weights])


def test_neither_weights_nor_inputs_are_modified():
    for name in ("alsh", "alsh_unbiased", "subspace_screen"):
        weights, x = scene()
        before = weights.copy(), x.copy()
        method = get_method(name, pool=2) if name != "subspace_screen" else get_method(name, rank=3)
        state = method.build([weights])
        selected(method, weights, x, KEY, state=state)
        refresh(state, 0, weights, np.arange(5))
        np.testing.assert_array_equal(weights, before[0])
        np.testing.assert_array_equal(x, before[1])


@pytest.mark.parametrize("name", ["alsh", "alsh_unbiased", "subspace_screen", "correlation_tree"])
def test_simulation_does_not_depend_on_the_number_of_threads(name):
    network = Network.random([12, 14, 13, 3], seed=1)
    inputs = np.random.default_rng(0).standard_normal((9, 12))
    method = get_method(name, 0.3, **({"rank": 4} if name == "subspace_screen" else {}))
    one, two, four = (simulate(network, method, inputs, trials=30, workers=w, batch=4) for w in (1, 2, 4))
    assert one.layers == two.layers == four.layers
    assert (one.layers[0].output.ci95 is None) == method.claims.deterministic


@pytest.mark.parametrize(("name", "options"), [("alsh", UNION), ("alsh_unbiased", {})])
def test_simulation_over_builds_agrees_with_the_exact_law(name, options):
    """Student's interval at 1 − 1e-6 over 400 builds, of a bounded error: fixed seed."""
    network = Network.random([10, 12, 3], activation="linear", seed=2)
    inputs = np.random.default_rng(1).standard_normal((4, 10))
    method = get_method(name, bits=2, tables=3, **options)
    plan = [method, None]
    exact = exact_moments(network, plan, inputs)
    measured = simulate(network, plan, inputs, trials=400, confidence=1 - 1e-6)
    for theory, sample in zip(exact.layers, measured.layers, strict=True):
        low, high = sample.output.ci95
        assert low <= theory.output.relative_error <= high
    assert one_step_errors(network, plan, inputs)[0] == pytest.approx(exact.layers[0].output.relative_error, rel=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 63}, "bits = 63: must be an integer between 1 and 62"),
        ({"tables": 0}, "tables = 0: must be an integer at least 1"),
        ({"U": 1.0}, "U = 1.0: must lie strictly between 0 and 1"),
        ({"norm_power": 0}, "norm_power = 0"),
        ({"pool": 0}, "pool = 0"),
        ({"seed": -1}, "seed=-1 is not an integer"),
        ({"transform": "l2"}, "transform='l2' is unknown; choose one of l2_alsh, none"),
        ({"ranking": "size"}, "ranking='size' is unknown"),
        ({"ranking": "frequency", "cap": False}, "ranking='frequency' decides what a cut keeps"),
        ({"probes": 8}, "probes = 8: must be an integer between 1 and 7"),
        ({"density": 1.5}, "density=1.5 must satisfy 0 < density < 1"),
        ({"rebuild": "never"}, "rebuild='never' is unknown"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        get_method("alsh", 0.5, **options)


def test_seed_option_and_key_both_change_the_hyperplanes():
    weights, _ = scene()

    def planes(state):
        return index_of.py_func(state.indexes, 0).projections.by_plane

    base = planes(get_method("alsh", 0.5).build([weights]))
    same = get_method("alsh", 0.5).prepare([weights], key=make_key(0, Stream.BUILD, layer=1))
    np.testing.assert_array_equal(base, planes(same))
    others = [get_method("alsh", 0.5, seed=1).build([weights])]
    others += [
        get_method("alsh", 0.5).prepare([weights], key=make_key(s, Stream.BUILD, layer=layer, item=i))
        for s, layer, i in ((1, 1, 0), (0, 2, 0), (0, 1, 1))
    ]
    assert all((planes(state) != base).all() for state in others)
