from __future__ import annotations

import math
import re

import numpy as np
import pytest

from approxmm.activations import ACTIVATIONS, LeakyRelu, apply, apply_slope, get_activation, slope, value
from approxmm.errors import InputError

POINTS = np.array([-800.0, -30.0, -1.5, -1e-9, 0.0, 1e-9, 0.3, 2.0, 40.0, 800.0])
FORMULAS = {
    "linear": lambda z: z,
    "relu": lambda z: max(z, 0.0),
    "leaky_relu": lambda z: z if z > 0 else 0.01 * z,
    "shifted_relu": lambda z: max(z - 0.5, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)) if z > -700 else 0.0,
    "gelu": lambda z: 0.5 * z * math.erfc(-z / math.sqrt(2)),
    "erf": math.erf,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_array_scalar_and_uncompiled_values_agree_with_the_formula(name):
    phi, expected = ACTIVATIONS[name], [FORMULAS[name](z) for z in POINTS]
    np.testing.assert_allclose(apply(phi, POINTS), expected, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose([value(phi, z) for z in POINTS], expected, rtol=1e-12, atol=1e-16)
    twin = value.implementation(type(phi)).py_func
    np.testing.assert_allclose([twin(phi, float(z)) for z in POINTS], expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slope_is_the_derivative(name):
    phi, z, h = ACTIVATIONS[name], np.array([-2.0, -0.7, 0.4, 1.9]), 1e-6
    difference = (apply(phi, z + h) - apply(phi, z - h)) / (2 * h)
    np.testing.assert_allclose(apply_slope(phi, z), difference, rtol=1e-8)
    twin = slope.implementation(type(phi)).py_func
    np.testing.assert_allclose([twin(phi, float(v)) for v in z], apply_slope(phi, z), rtol=1e-14)


@pytest.mark.parametrize(("name", "left"), [("relu", 0.0), ("leaky_relu", 0.01), ("linear", 1.0)])
def test_slope_at_the_kink_is_the_left_one(name, left):
    assert apply_slope(ACTIVATIONS[name], np.zeros(1))[0] == left


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_not_a_number_passes_through_and_infinities_have_their_limits(name):
    phi = ACTIVATIONS[name]
    low, high, bad = apply(phi, np.array([-np.inf, np.inf, np.nan]))
    assert np.isnan(bad)
    limits = {
        "linear": (-np.inf, np.inf),
        "relu": (0, np.inf),
        "leaky_relu": (-np.inf, np.inf),
        "shifted_relu": (0, np.inf),
        "tanh": (-1, 1),
        "sigmoid": (0, 1),
        "gelu": (0, np.inf),
        "erf": (-1, 1),
    }
    assert (low, high) == limits[name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_type_and_order(dtype):
    z = np.asfortranarray(np.random.default_rng(0).normal(size=(3, 4)).astype(dtype))
    z.setflags(write=False)
    for function in (apply, apply_slope):
        out = function(ACTIVATIONS["tanh"], z)
        assert out.dtype == dtype
        assert out.shape == (3, 4)
        assert out.flags.c_contiguous
        np.testing.assert_array_equal(out, function(ACTIVATIONS["tanh"], np.ascontiguousarray(z)))


def test_thresholds_are_parameters_of_either_sign():
    z = np.array([-2.0, -0.5, 0.25, 2.0])
    np.testing.assert_array_equal(apply(get_activation("shifted_relu(0.25)"), z), [0.0, 0.0, 0.0, 1.75])
    np.testing.assert_array_equal(apply(get_activation("shifted_relu(-1)"), z), [0.0, 0.5, 1.25, 3.0])
    np.testing.assert_array_equal(apply_slope(get_activation("shifted_relu(0.25)"), z), [0.0, 0.0, 0.0, 1.0])


def test_leak_is_a_parameter():
    np.testing.assert_array_equal(apply(LeakyRelu(0.5), np.array([-2.0, 2.0])), [-1.0, 2.0])


def test_unknown_name_has_a_hint():
    assert get_activation("tanh") is ACTIVATIONS["tanh"]
    with pytest.raises(
        InputError, match=re.escape("activation='sigmoyd' is unknown; did you mean 'sigmoid'? choose one of")
    ):
        get_activation("sigmoyd")
    with pytest.raises(InputError, match=re.escape("activation='zzz' is unknown; choose one of linear, relu")):
        get_activation("zzz")
