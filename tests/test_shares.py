from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from approxmm.shares import ShareTally, ratio_of

numbers = st.integers(-20, 20)
sums = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 5).flatmap(
        lambda nodes: st.tuples(*[arrays(np.int64, (rows, nodes), elements=numbers)] * 2)
    )
)


def figures(active, total):
    tally = ShareTally()
    tally.add(active, total)
    return tally.figures()


def exact_parts(active, total):
    """Mean, input and node part in rational arithmetic, by their definitions."""
    u, y = [[[Fraction(int(v)) for v in row] for row in array] for array in (active, total)]
    square = sum(v * v for row in y for v in row)
    dot = [sum(a * b for a, b in zip(p, q, strict=True)) for p, q in zip(u, y, strict=True)]
    norm = [sum(b * b for b in q) for q in y]
    share = sum(dot) / square
    own = [d / n if n else Fraction(0) for d, n in zip(dot, norm, strict=True)]
    nodes = sum((a - s * b) ** 2 for p, q, s in zip(u, y, own, strict=True) for a, b in zip(p, q, strict=True))
    inputs = sum(n * (s - share) ** 2 for n, s in zip(norm, own, strict=True))
    error = sum((a - b) ** 2 for p, q in zip(u, y, strict=True) for a, b in zip(p, q, strict=True))
    return share, (1 - share) ** 2, inputs / square, nodes / square, error / square


@given(sums)
def test_parts_of_the_error_are_exact_and_add_up(pair):
    active, total = pair
    if not total.any():
        return
    share, mean_part, input_part, node_part, error = exact_parts(active, total)
    assert mean_part + input_part + node_part == error  # the decomposition itself, in rational arithmetic
    found = figures(active.astype(float), total.astype(float))
    parts = (found.mean_part, found.input_part, found.node_part)
    expected = [float(v) for v in (share, mean_part, input_part, node_part, error)]
    np.testing.assert_allclose((found.share, *parts, found.error), expected, rtol=1e-11, atol=1e-12)
    assert found.norm_share**2 == pytest.approx(float(share**2 + input_part + node_part), rel=1e-11)


@given(sums, st.floats(-3, 3))
def test_any_other_share_leaves_a_larger_dispersion(pair, other):
    active, total = (array.astype(float) for array in pair)
    if not total.any():
        return
    found = figures(active, total)
    rest = ((active - other * total) ** 2).sum() / (total**2).sum()
    expected = found.input_part + found.node_part + (found.share - other) ** 2
    assert rest == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_plain_mean_of_the_nodes_does_not_decompose():
    """The broken twin: unweighted mean and variance of the shares miss the error."""
    active, total = np.array([[1.0, 3.0, -1.0]]), np.array([[2.0, 4.0, 0.5]])
    found = figures(active, total)
    s = active / total
    twin = (1 - s.mean()) ** 2 + ((s - s.mean()) ** 2 * total**2).sum() / (total**2).sum()
    assert abs(twin - found.error) > 0.1
    assert found.mean_part + found.input_part + found.node_part == pytest.approx(found.error, rel=1e-14)


def test_one_share_for_all_is_the_theorem():
    total = np.random.default_rng(0).standard_normal((5, 7))
    found = figures(0.75 * total, total)
    assert found.share == pytest.approx(0.75)
    assert found.ratio == pytest.approx(3.0)
    assert found.dispersion == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(found.quantiles([0.05, 0.5, 0.95]), 0.75)
    per_input = figures(np.linspace(0.5, 1.0, 5)[:, None] * total, total)
    assert per_input.node_part == pytest.approx(0.0, abs=1e-15)
    assert per_input.input_part > 0.01


def test_share_and_dispersion_give_norm_and_direction():
    rng = np.random.default_rng(1)
    total = rng.standard_normal((6, 9))
    active = 0.4 * total + 0.3 * rng.standard_normal((6, 9))
    found = figures(active, total)
    cosine = np.vdot(active, total) / np.linalg.norm(active) / np.linalg.norm(total)
    assert 1 / math.hypot(1, found.dispersion) == pytest.approx(cosine)
    assert found.share * math.hypot(1, found.dispersion) == pytest.approx(found.norm_share)
    assert found.norm_share == pytest.approx(np.linalg.norm(active) / np.linalg.norm(total))


def test_blocks_add_up_to_the_whole():
    rng = np.random.default_rng(2)
    active, total = rng.standard_normal((2, 8, 5))
    tally = ShareTally()
    for rows in (slice(0, 3), slice(3, 8)):
        tally.add(active[rows], total[rows])
    whole, blocks = figures(active, total), tally.figures()
    assert blocks.share == pytest.approx(whole.share, rel=1e-14)
    np.testing.assert_array_equal(blocks.nodes, whole.nodes)
    assert ShareTally().figures() is None


def test_nodes_that_oppose_the_whole_are_counted():
    found = figures(np.array([[-1.0, 3.0, 1.0, 0.0, 5.0]]), np.array([[2.0, 2.0, 2.0, 2.0, 0.0]]))
    assert (found.negative, found.above_one, found.undefined) == (0.25, 0.25, 0.2)
    np.testing.assert_array_equal(found.nodes, [-0.5, 0.0, 0.5, 1.5])
    np.testing.assert_allclose(found.ratio_quantiles([0.0, 1.0]), [-3.0, 1.0])
    np.testing.assert_array_equal(found.histogram([0.0, 1.0, 2.0]), [0.5, 0.25, 0.25, 0.0])


def test_sums_of_zero():
    nothing = figures(np.zeros((2, 3)), np.zeros((2, 3)))
    assert (nothing.share, nothing.error, nothing.undefined) == (1.0, 0.0, 1.0)
    assert math.isnan(nothing.negative)
    assert np.isnan(nothing.quantiles([0.5])).all()
    assert math.isnan(figures(np.ones((1, 2)), np.zeros((1, 2))).share)
    silent = figures(np.zeros((1, 2)), np.ones((1, 2)))
    assert (silent.share, silent.ratio, silent.error, silent.norm_share) == (0.0, 0.0, 1.0, 0.0)
    assert math.isnan(silent.dispersion)


@given(st.floats(-1e6, 1e6))
def test_ratio_of_a_share(share):
    expected = math.inf if share == 1 else float(Fraction(share) / (1 - Fraction(share)))
    assert float(ratio_of(share)) == pytest.approx(expected, rel=1e-13)
