from __future__ import annotations

import re
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from approxmm.activations import ACTIVATIONS, Linear
from approxmm.errors import DataError, InputError, MissingError
from approxmm.network import Network


def refused(message, **arguments):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        Network(**arguments)
    assert "\n" not in str(caught.value)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(0, 2**62))
def test_random_network_has_the_asked_shapes(widths, seed):
    network = Network.random(widths, seed=seed)
    assert network.widths == tuple(widths)
    assert network.depth == len(widths) - 1
    assert [W.shape for W in network.weights] == list(pairwise(widths))
    assert network.forward(np.ones((3, widths[0]))).shape == (3, widths[-1])


def test_shapes_that_do_not_chain():
    refused(
        "W2 has shape (3, 4) but W1 gives 5 outputs; rows of W2 must equal columns of W1",
        weights=(np.ones((2, 5)), np.ones((3, 4))),
    )
    refused(
        "b2 has shape (3,); W2 has 4 outputs",
        weights=(np.ones((2, 5)), np.ones((5, 4))),
        biases=(np.ones(5), np.ones(3)),
    )
    refused("1 biases for 2 layers", weights=(np.ones((2, 5)), np.ones((5, 4))), biases=(np.ones(5),))
    refused("weights=() has no layer", weights=())
    refused("W1 has shape (4,); it must be a non-empty array of 2 dimensions", weights=(np.ones(4),))
    refused("W1 has shape (0, 4)", weights=(np.ones((0, 4)),))


@pytest.mark.parametrize(("bad", "text"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_value_that_is_not_finite_is_located(bad, text):
    W = np.ones((3, 4))
    W[2, 1] = bad
    refused(f"W2[2, 1] is {text}; all values must be finite", weights=(np.ones((2, 3)), W))
    refused(f"b1[0] is {text}", weights=(np.ones((2, 1)),), biases=(np.array([bad]),))
    network = Network((np.ones((4, 2)),))
    with pytest.raises(InputError, match=re.escape(f"inputs[2, 1] is {text}")):
        network.forward(W)


def test_values_that_are_no_real_numbers():
    for array in (np.array([["a"]]), np.array([[1j]]), np.array([[None]]), np.array([[True]])):
        refused(f"W1 has dtype {array.dtype}; it must hold real numbers", weights=(array,))


def test_wrong_number_of_features():
    with pytest.raises(
        InputError, match=re.escape("inputs have 3 features but the network takes 4; give an array (B, 4)")
    ):
        Network.random([4, 2]).forward(np.ones((5, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": [3]}, "widths=[3] must be two or more positive integers"),
        ({"widths": [3, 0]}, "widths=[3, 0] must be"),
        ({"widths": [3, 2.5]}, "widths=[3, 2.5] must be"),
        ({"widths": [3, "4"]}, "widths=[3, '4'] must be"),
        ({"widths": [3, 2], "init": "xavier"}, "init='xavier' is unknown; choose one of he, glorot, lecun"),
        ({"widths": [3, 2], "activation": "rellu"}, "activation='rellu' is unknown; did you mean 'relu'?"),
        ({"widths": [3, 2], "seed": -1}, "seed=-1 is not an integer"),
    ],
)
def test_bad_arguments_of_random(arguments, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Network.random(**arguments)


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / 300), ("lecun", 1 / 300), ("glorot", 2 / 500)])
def test_initial_weights_are_gaussian_with_the_stated_variance(init, variance):
    """Exact levels: chi-square for the variance, KS for the shape, 1e-9 each; 60,000 weights, seed fixed."""
    W = Network.random([300, 200], init=init, bias_std=0.5, seed=4).weights[0].ravel() / np.sqrt(variance)
    tail = stats.chi2.cdf((W**2).sum(), W.size)
    assert 5e-10 < tail < 1 - 5e-10
    assert stats.kstest(W, "norm").pvalue > 1e-9


def test_biases_have_the_asked_deviation():
    b = Network.random([2, 5000], bias_std=0.3, seed=1).biases[0] / 0.3
    assert 5e-10 < stats.chi2.cdf((b**2).sum(), b.size) < 1 - 5e-10
    assert not Network.random([2, 5]).biases[0].any()


def test_seeds():
    first, again, other = (Network.random([4, 3, 2], seed=s) for s in (1, 1, 2))
    for k in range(2):
        np.testing.assert_array_equal(first.weights[k], again.weights[k])
        assert (first.weights[k] != other.weights[k]).all()
    deeper = Network.random([4, 3, 2, 7], seed=1)
    np.testing.assert_array_equal(first.weights[1], deeper.weights[1])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_is_plain_numpy(activation):
    phi = {
        "linear": lambda z: z,
        "relu": lambda z: np.maximum(z, 0),
        "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
        "shifted_relu": lambda z: np.maximum(z - 0.5, 0),
        "tanh": np.tanh,
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "gelu": lambda z: z * special.ndtr(z),
        "erf": special.erf,
    }[activation]
    network = Network.random([5, 7, 6, 3], activation=activation, bias_std=0.4, seed=3)
    x = np.random.default_rng(0).normal(size=(4, 5))
    pre, out = network.layers(x)
    a = x
    for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        z = a @ W + b
        np.testing.assert_allclose(pre[k], z, rtol=1e-12, atol=1e-14)
        a = phi(z) if k < 2 else z
        np.testing.assert_allclose(out[k], a, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(network.forward(x), out[-1])
    np.testing.assert_allclose(network.forward(x[0]), out[-1][:1], rtol=1e-12)


def test_single_precision():
    network = Network.random([5, 4, 3], bias_std=1.0, dtype=np.float32)
    assert network.dtype == np.float32
    assert network.forward(np.ones((2, 5))).dtype == np.float32
    assert network.astype(np.float64).forward(np.ones((2, 5))).dtype == np.float64
    double = network.astype(np.float64)
    np.testing.assert_allclose(network.forward(np.ones((2, 5))), double.forward(np.ones((2, 5))), rtol=1e-5)
    np.testing.assert_array_equal(double.astype(np.float32).weights[0], network.weights[0])


def test_other_types_become_the_widest_float():
    assert Network((np.ones((2, 3), dtype=int),)).dtype == np.float64
    mixed = Network((np.ones((2, 3), dtype=np.float32), np.ones((3, 1))), (np.ones(3), np.ones(1, dtype=np.float32)))
    assert {array.dtype for array in (*mixed.weights, *mixed.biases)} == {np.dtype(np.float64)}


def test_overflow_of_a_cast_is_named():
    with pytest.raises(InputError, match=re.escape("W1[0, 0] is inf")):
        Network((np.array([[1e300]]),)).astype(np.float32)
    with pytest.raises(InputError, match=re.escape("inputs[0, 0] is inf")):
        Network((np.ones((1, 1), dtype=np.float32),)).forward(np.array([[1e300]]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias_std", [0.0, 0.5])
def test_saved_network_comes_back_bit_for_bit(tmp_path, dtype, bias_std):
    network = Network.random([5, 4, 3], activation="tanh", bias_std=bias_std, dtype=dtype)
    network.save(tmp_path / "net.npz")
    back = Network.load(tmp_path / "net.npz")
    assert back.activation == "tanh"
    assert back.dtype == dtype
    for ours, theirs in zip((*network.weights, *network.biases), (*back.weights, *back.biases), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]


def test_network_without_biases_comes_back_without(tmp_path):
    Network((np.eye(3),)).save(tmp_path / "net.npz")
    back = Network.load(tmp_path / "net.npz")
    assert back.biases is None
    np.testing.assert_array_equal(back.bias(1), np.zeros(3))


def test_file_of_others_may_lack_some_biases_and_the_activation(tmp_path):
    np.savez(tmp_path / "net.npz", W1=np.ones((2, 3)), W2=np.ones((3, 2)), b2=np.ones(2))
    back = Network.load(tmp_path / "net.npz")
    assert back.activation == "relu"
    np.testing.assert_array_equal(back.biases[0], np.zeros(3))
    np.testing.assert_array_equal(back.biases[1], np.ones(2))


def test_missing_file(tmp_path):
    with pytest.raises(
        MissingError, match=re.escape(f"network file {tmp_path / 'no.npz'} does not exist; give the path")
    ):
        Network.load(tmp_path / "no.npz")


@pytest.mark.parametrize(
    "arrays",
    [
        {"W2": np.ones((2, 2))},
        {"W1": np.ones((2, 2)), "W3": np.ones((2, 2))},
        {"x": np.ones(2)},
        {"W01": np.ones((2, 2))},
    ],
)
def test_missing_layers(tmp_path, arrays):
    np.savez(tmp_path / "net.npz", **arrays)
    with pytest.raises(
        DataError, match=re.escape(f"holds arrays {sorted(arrays)}; a network needs W1, W2, … without gaps")
    ):
        Network.load(tmp_path / "net.npz")


def test_scalar_layer_is_refused(tmp_path):
    np.savez(tmp_path / "net.npz", W1=np.float64(3), b1=np.ones(1), W2=np.ones((1, 1)))
    with pytest.raises(InputError, match=re.escape("W1 has shape (); it must be")):
        Network.load(tmp_path / "net.npz")


def test_pickle_is_never_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    np.savez(tmp_path / "net.npz", W1=np.array([[Bomb()]], dtype=object))
    with pytest.raises(DataError, match=r"is not a readable \.npz of plain arrays"):
        Network.load(tmp_path / "net.npz")
    assert not (tmp_path / "exploded").exists()


def _refusal(path):
    """Return the error's text, or nothing where the file still holds a network; any other error is a failure."""
    try:
        Network.load(path)
    except (DataError, InputError) as error:
        return str(error)
    return ""


def test_damaged_files_are_refused_in_one_line(tmp_path):
    """Every truncation and 300 single-byte changes: an error of ours or, where the change is harmless, a network."""
    path = tmp_path / "net.npz"
    np.savez_compressed(path, W1=np.random.default_rng(0).normal(size=(6, 5)), activation=np.array("relu"))
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError) as caught:
            Network.load(path)
        assert "\n" not in str(caught.value)
    rng = np.random.default_rng(1)
    for position in rng.integers(0, len(whole), 300):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of odd headers before it raises
            assert "\n" not in _refusal(path)


def test_files_that_are_no_archive(tmp_path):
    np.save(tmp_path / "plain.npy", np.ones(3))
    (tmp_path / "text.npz").write_text("W1 = 3")
    for name in ("plain.npy", "text.npz"):
        with pytest.raises(DataError, match=r"is not a readable \.npz of plain arrays"):
            Network.load(tmp_path / name)


def test_repr_says_widths_activation_and_type():
    assert repr(Network.random([5, 4, 3], activation="tanh")) == "Network(5 – 4 – 3, tanh, float64)"


def test_each_hidden_layer_may_have_its_own_activation(tmp_path):
    weights = tuple(np.eye(3) for _ in range(3))
    network = Network(weights, None, ("tanh", "leaky_relu(0.2)"))
    x = np.array([[1.0, -2.0, 0.5]])
    expected = np.tanh(x)
    expected = np.where(expected > 0, expected, 0.2 * expected)
    np.testing.assert_allclose(network.forward(x), expected)
    network.save(tmp_path / "n.npz")
    assert Network.load(tmp_path / "n.npz").activation == ("tanh", "leaky_relu(0.2)")
    assert Network(weights, None, ("relu", "relu")).activation == "relu"
    assert isinstance(network.phi(3), Linear)


@pytest.mark.parametrize("activation", [("relu",), "leaky_relu(", "relu(1)", "leaky_relu(nan)", ("relu", "what")])
def test_activations_that_do_not_fit_are_refused(activation):
    with pytest.raises(InputError, match="activation"):
        Network(tuple(np.eye(2) for _ in range(3)), None, activation)


def normalised_twin(network, x):
    """The definition, layer by layer."""
    a = x
    for k in range(network.depth - 1):
        a = np.tanh(a @ network.weights[k] + network.bias(k + 1))
        a = a / np.sqrt((a**2).mean(axis=1, keepdims=True) + 1e-12)
    return a @ network.weights[-1] + network.bias(network.depth)


def test_rms_normalisation_is_its_definition_and_survives_a_file(tmp_path):
    network = Network.random([6, 9, 7, 4], activation="tanh", bias_std=0.2, seed=3, normalise="rms")
    x = np.random.default_rng(0).normal(size=(5, 6))
    expected = normalised_twin(network, x)
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-13)
    hidden = network.layers(x)[1][:-1]
    np.testing.assert_allclose([np.mean(a**2, axis=1) for a in hidden], 1.0, rtol=1e-10)
    network.save(tmp_path / "net.npz")
    again = Network.load(tmp_path / "net.npz")
    assert again.normalise == network.astype(np.float32).normalise == "rms"
    np.testing.assert_array_equal(again.forward(x), network.forward(x))
    assert repr(again) == "Network(6 – 9 – 7 – 4, tanh, rms, float64)"
    plain = Network(network.weights, network.biases, "tanh")
    assert np.abs(plain.forward(x) - expected).max() > 0.1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rms_normalisation_keeps_zeros_and_holds_over_the_range(dtype):
    network = Network((np.eye(4, dtype=dtype), np.eye(4, dtype=dtype)), None, "linear", "rms")
    row = np.array([1.0, -2.0, 0.0, 3.0], dtype=dtype)
    scales = np.array([0.0, 1e-25, 1e-3, 1.0, 1e15], dtype=dtype)
    out = network.forward(scales[:, None] * row)
    assert not out[0].any()
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[2:], np.tile(row / np.sqrt((row**2).mean()), (3, 1)), rtol=1e-6)


def test_normalisations_that_do_not_exist_are_refused(tmp_path):
    refused("normalise='layer' is unknown; choose one of none, rms", weights=(np.eye(2),), normalise="layer")
    for bad in (np.array("batch"), np.array(1.0), np.array(["rms", "rms"])):
        np.savez(tmp_path / "net.npz", W1=np.eye(2), normalise=bad)
        with pytest.raises(DataError, match=r"normalise is an array of type .* must be one of none, rms"):
            Network.load(tmp_path / "net.npz")
