from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.propagation.law import compound_errors, compound_shares, compounding, ratio_for_depth

ratios = st.floats(0.01, 1e6)
PUBLISHED = (0.2, 0.44, 0.728, 1.0736, 1.48832, 1.985984, 2.5831808)


def test_published_values_to_the_last_bit():
    assert compounding(5, depth=7).relative_to_estimate == PUBLISHED
    assert compounding([5.0] * 7).relative_to_estimate == PUBLISHED
    assert compounding(np.float32(5), depth=7).relative_to_estimate == PUBLISHED


@given(st.lists(ratios, min_size=1, max_size=30))
def test_ratios_that_vary_by_layer(values):
    law, growth = compounding(values), Fraction(1)
    for k, c in enumerate(values):
        growth *= 1 + 1 / Fraction(c)
        assert law.relative_to_estimate[k] == float(growth - 1)
        assert law.relative_to_exact[k] == float(1 - 1 / growth)
        assert law.log_growth[k] == pytest.approx(math.log1p(growth - 1), rel=1e-13)
    assert law.ratios == tuple(values)
    assert law == compounding(np.array(values))


@given(st.lists(ratios, min_size=1, max_size=30))
def test_shares_compound_like_their_ratios(values):
    law, same = compounding(values), compound_shares([c / (1 + c) for c in values])
    for name in ("ratios", "relative_to_estimate", "relative_to_exact", "log_growth", "kept"):
        np.testing.assert_allclose(getattr(same, name), getattr(law, name), rtol=1e-6)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=300))
def test_shares_of_any_sign(shares):
    law, kept = compound_shares(shares), Fraction(1)
    for k, s in enumerate(shares):
        kept *= Fraction(s)
        assert law.kept[k] == pytest.approx(float(kept), rel=1e-9, abs=1e-300)
        assert law.relative_to_exact[k] == pytest.approx(float(abs(1 - kept)), rel=1e-9, abs=1e-12)
        if kept == 0:
            assert law.relative_to_estimate[k] == law.log_growth[k] == math.inf
        elif abs(kept) > Fraction(1, 10**290):
            assert law.relative_to_estimate[k] == pytest.approx(float(abs(1 / kept - 1)), rel=1e-9, abs=1e-12)


def test_shares_that_lose_nothing_or_turn_the_sign():
    law = compound_shares([1.0, -0.5, 2.0])
    assert law.ratios == (math.inf, -1 / 3, -2.0)
    assert law.relative_to_exact == (0.0, 1.5, 2.0)
    assert law.relative_to_estimate == (0.0, 3.0, 2.0)
    assert law.kept == (1.0, -0.5, -1.0)
    assert [layer.output.cosine for layer in law.profile().layers] == [1.0, -1.0, -1.0]
    gone = compound_shares([0.5, 0.0, 3.0])
    assert gone.relative_to_exact == (0.5, 1.0, 1.0)
    assert gone.kept == (0.5, 0.0, 0.0)
    assert math.isnan(gone.profile().layers[1].output.cosine)


@pytest.mark.parametrize("share", [0.5, -0.5, 1.5, -1.5])
def test_shares_of_ten_thousand_layers(share):
    law = compound_shares([share] * 10_000)
    np.testing.assert_allclose(law.log_growth, -math.log(abs(share)) * np.arange(1, 10_001), rtol=1e-9)
    profile = law.profile()
    assert profile.layers[-1].output.log10_norm_ratio == pytest.approx(20_000 * math.log10(abs(share)))
    assert law.relative_to_exact[-1] == pytest.approx(1.0 if abs(share) < 1 else math.inf)


@given(st.lists(ratios, min_size=2, max_size=20))
def test_error_grows_with_depth_and_both_normalisations_agree(values):
    law = compounding(values)
    assert all(a < b for a, b in zip(law.relative_to_estimate, law.relative_to_estimate[1:], strict=False))
    for estimate, exact in zip(law.relative_to_estimate, law.relative_to_exact, strict=True):
        assert exact == pytest.approx(estimate / (1 + estimate), rel=1e-14)
        assert 0 < exact <= 1


@given(ratios, ratios, st.integers(1, 40))
def test_larger_ratio_has_the_smaller_error(first, second, depth):
    low, high = sorted((first, second))
    assert compounding(low, depth).relative_to_estimate[-1] >= compounding(high, depth).relative_to_estimate[-1]


@pytest.mark.parametrize("ratio", [5, 0.01, 1e12, 1e-300, 5e-324, 1.7e308])
def test_ten_thousand_layers_stay_finite_in_logarithm(ratio):
    law = compounding(ratio, depth=10_000)
    each = math.log1p(1 / ratio) if ratio >= 1 else math.log1p(ratio) - math.log(ratio)
    np.testing.assert_allclose(law.log_growth, each * np.arange(1, 10_001), rtol=1e-11)
    assert np.isfinite(law.log_growth).all()
    assert not np.isnan(law.relative_to_estimate).any()
    assert law.relative_to_exact[-1] <= 1.0
    assert law.profile().depth == 10_000


def test_rational_and_logarithmic_parts_join():
    law = compounding(300.0, depth=600)
    for values in (law.relative_to_estimate, law.relative_to_exact, law.log_growth):
        np.testing.assert_allclose(np.diff(values)[250:262], np.diff(values)[255], rtol=0.05)
    growth = (1 + Fraction(1, 300)) ** 600
    assert law.relative_to_estimate[-1] == pytest.approx(float(growth - 1), rel=1e-12)


@given(st.integers(1, 2000), st.floats(1e-6, 1e9))
def test_converse_inverts_the_law(depth, error):
    law = compounding(ratio_for_depth(depth, error), depth)
    assert law.relative_to_estimate[-1] == pytest.approx(error, rel=1e-8)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=20))
def test_compound_errors_is_the_product(errors):
    expected = np.cumprod(1.0 + np.array(errors)) - 1.0
    np.testing.assert_allclose(compound_errors(errors), expected, rtol=1e-10, atol=1e-14)


def test_compound_errors_keep_small_ones_and_overflow_to_infinity():
    assert compound_errors([1e-20, 1e-20])[1] == pytest.approx(2e-20, rel=1e-12)
    assert compound_errors([1e3] * 1000)[-1] == math.inf
    assert compound_errors([math.inf, 0.0])[1] == math.inf
    assert compound_errors([]).size == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: compounding(0, 3),
            "ratio=0.0 must be positive and finite: it is the active sum over the inactive sum",
        ),
        (lambda: compounding(-1.0, 3), "ratio=-1.0 must be positive"),
        (lambda: compounding(math.nan, 3), "ratio=nan must be positive"),
        (lambda: compounding([5, math.inf]), "ratio=inf must be positive"),
        (lambda: compounding(5, 0), "depth=0 must be at least 1"),
        (lambda: compounding([5, 6], 3), "2 ratios for depth=3; give one ratio, or one for each layer"),
        (lambda: compounding([]), "ratio=[] is empty"),
        (lambda: compound_shares([0.5, math.nan]), "share=nan must be finite: it is the active sum over the whole sum"),
        (lambda: compound_shares([]), "shares=[] is empty"),
        (lambda: ratio_for_depth(0, 0.1), "depth=0, error=0.1: depth must be at least 1"),
        (lambda: ratio_for_depth(3, 0.0), "depth=3, error=0.0"),
        (lambda: ratio_for_depth(3, math.nan), "depth=3, error=nan"),
        (lambda: ratio_for_depth(3, math.inf), "depth=3, error=inf"),
        (lambda: compound_errors([0.1, -0.2]), "one_step=[0.1, -0.2] must be a list of non-negative numbers"),
        (lambda: compound_errors([math.nan]), "one_step=[nan] must be"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()
