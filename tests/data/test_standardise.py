from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from approxmm.data.standardise import check_dtype, check_kind, fit_standardisation
from approxmm.errors import InputError

pixels = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


def exact_moments(column):
    values = [Fraction(int(v)) for v in column]
    mean = sum(values) / len(values)
    return mean, sum((v - mean) ** 2 for v in values) / len(values)


@settings(deadline=None)
@given(x=pixels)
def test_statistics_against_fractions(x):
    scalar = fit_standardisation("scalar", x, 255)
    columns = [exact_moments(column) for column in x.T]
    feature = fit_standardisation("feature", x, 255)
    for (mean, variance), m, s in zip(
        [exact_moments(x.ravel()), *columns],
        [scalar.mean, *feature.mean],
        [scalar.scale, *feature.scale],
        strict=True,
    ):
        assert m == float(mean)
        assert s == (1 if variance == 0 else pytest.approx(float(variance) ** 0.5, rel=1e-15))


@pytest.mark.parametrize(("kind", "shape"), [("scalar", ()), ("feature", (5,)), ("unit", ())])
def test_shapes(kind, shape):
    x = np.arange(15, dtype=np.uint8).reshape(3, 5)
    standardisation = fit_standardisation(kind, x, 16)
    assert standardisation.mean.shape == standardisation.scale.shape == shape
    assert standardisation.mean.dtype == standardisation.scale.dtype == np.float64


@settings(deadline=None)
@given(x=pixels, kind=st.sampled_from(["scalar", "feature"]))
def test_result_has_mean_0_and_deviation_1(x, kind):
    z = fit_standardisation(kind, x, 255).apply(x)
    axis = None if kind == "scalar" else 0
    np.testing.assert_allclose(z.mean(axis=axis), 0, atol=1e-12)
    constant = x.std(axis=axis) == 0
    np.testing.assert_allclose(z.std(axis=axis), np.where(constant, 0, 1), atol=1e-12)


def test_unit_divides_by_the_largest_value_of_the_format():
    x = np.array([[0, 4, 8]], np.uint8)
    standardisation = fit_standardisation("unit", x, 16)
    assert standardisation.apply(x).tolist() == [[0, 0.25, 0.5]]
    assert "x / 16, the largest pixel value" in standardisation.description
    assert repr(standardisation).startswith("Standardisation('unit': x / 16")


def test_sums_beyond_64_bits():
    x = np.tile(np.array([[0, 255]], np.uint8), (20_000, 2_000))  # count × sum of squares is about 1e20
    standardisation = fit_standardisation("scalar", x, 255)
    assert (float(standardisation.mean), float(standardisation.scale)) == (127.5, 127.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_beyond_one_block_and_one_rounding(dtype):
    x = np.random.default_rng(1).integers(0, 256, (2500, 3), dtype=np.uint8)
    standardisation = fit_standardisation("scalar", x, 255)
    z = standardisation.apply(x, dtype)
    assert z.dtype == dtype
    assert z.flags.c_contiguous
    assert np.array_equal(z, ((x - standardisation.mean) / standardisation.scale).astype(dtype))


def test_unknown_kind():
    with pytest.raises(InputError, match="standardise is 'zscore' and must be one of scalar, feature, unit"):
        check_kind("zscore")


@pytest.mark.parametrize("dtype", [np.int64, "float16", "nonsense", complex])
def test_unknown_dtype(dtype):
    with pytest.raises(InputError, match=r"dtype is .* and must be float32 or float64"):
        check_dtype(dtype)
