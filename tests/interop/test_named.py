"""Arrays by name: what belongs together, in which order, and what is no dense layer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_forward import plain_forward

import approxmm
from approxmm import Network, read_model
from approxmm.errors import DataError, InputError, MissingError, NotAvailableError
from approxmm.interop.order import natural_key

RNG = np.random.default_rng(7)


def state(*layers, bias=True):
    """Return a state dict with a layer (name, n_in, n_out) each, stored as PyTorch does."""
    arrays = {}
    for name, n, m in layers:
        arrays[f"{name}.weight"] = RNG.normal(size=(m, n))
        if bias:
            arrays[f"{name}.bias"] = RNG.normal(size=m)
    return arrays


def order(model):
    return [item.name for item in model.found if item.role == "layer"]


def test_a_state_dict_computes_what_its_matrices_say():
    arrays = state(("fc1", 6, 5), ("fc2", 5, 4), ("out", 4, 3))
    network = read_model(arrays, activation="tanh").network
    x = RNG.normal(size=(8, 6))
    a = np.tanh(x @ arrays["fc1.weight"].T + arrays["fc1.bias"])
    a = np.tanh(a @ arrays["fc2.weight"].T + arrays["fc2.bias"])
    expected = a @ arrays["out.weight"].T + arrays["out.bias"]
    np.testing.assert_allclose(plain_forward(network, x), expected, rtol=1e-12)


def test_the_assumed_activation_is_said_and_a_given_one_is_not_assumed():
    arrays = state(("0", 6, 5), ("2", 5, 4), ("4", 4, 3))
    assumed = read_model(arrays)
    assert assumed.network.activation == "relu"
    assert any("relu is ASSUMED; name another one by --activation" in note for note in assumed.notes)
    given = read_model(arrays, activation=("gelu", "leaky_relu(0.2)"))
    assert given.network.activation == ("gelu", "leaky_relu(0.2)")
    assert given.notes == ()
    assert not read_model(state(("0", 6, 5))).notes, "a single layer has no activation to assume"


def test_numbers_are_read_as_numbers():
    names = [f"layers.{k}" for k in range(12)]
    arrays = state(*((name, 4, 4) for name in names))
    shuffled = {key: arrays[key] for key in sorted(arrays)}
    assert order(read_model(shuffled, activation="relu")) == names
    assert sorted(["fc10", "fc9", "fc1"], key=natural_key) == ["fc1", "fc9", "fc10"]


@given(st.lists(st.integers(1, 30), min_size=2, max_size=7, unique=True), st.randoms())
def test_shapes_alone_find_the_order_of_named_layers(widths, random):
    """With all widths different there is one chain, whatever the names and their order in the file."""
    names = [f"{letter}x" for letter in "qwertz"][: len(widths) - 1]
    random.shuffle(names)
    layers = list(zip(names, widths, widths[1:], strict=False))
    shuffled = layers.copy()
    random.shuffle(shuffled)
    assert order(read_model(state(*shuffled), activation="relu")) == [name for name, _, _ in layers]


def test_an_order_that_is_left_open_is_an_error_with_two_candidates_and_the_remedy():
    arrays = state(("head", 5, 3), ("deep", 5, 5), ("wide", 5, 5), ("stem", 6, 5))
    with pytest.raises(DataError, match="leave the order of the layers open") as caught:
        read_model(arrays)
    assert "stem → deep → wide → head" in str(caught.value)
    assert "stem → wide → deep → head" in str(caught.value)
    assert "--layers" in str(caught.value)
    chosen = read_model(arrays, layers=["stem", "wide", "deep", "head"], activation="relu")
    assert order(chosen) == ["stem", "wide", "deep", "head"]


def test_the_order_of_definition_decides_where_the_file_keeps_it():
    arrays = state(("stem", 6, 5), ("wide", 5, 5), ("deep", 5, 5), ("head", 5, 3))
    assert order(read_model(arrays, activation="relu")) == ["stem", "wide", "deep", "head"]


def test_many_interchangeable_layers_end_in_an_error_not_in_a_search():
    arrays = state(*((f"{a}{b}", 4, 4) for a in "abcdefgh" for b in "xyzuv"), ("last", 5, 5), ("first", 5, 9))
    with pytest.raises(DataError, match="in too many ways"):
        read_model(dict(reversed(arrays.items())))
    arrays = state(("z", 4, 4), *((f"{a}{b}{c}", 4, 4) for a in "abcdefgh" for b in "xyzuv" for c in "pq"), ("a", 4, 5))
    with pytest.raises(DataError, match="in too many ways"):
        read_model(dict(reversed(arrays.items())))


def test_shapes_that_do_not_chain_are_listed_and_a_transposed_file_is_recognised():
    with pytest.raises(DataError, match=r"chain in no order .*fc1 6→5, fc2 4→3.*name those that do"):
        read_model(state(("fc1", 6, 5), ("fc2", 4, 3)))
    turned = {key: array.T for key, array in state(("fc1", 6, 5), ("fc2", 5, 3), bias=False).items()}
    with pytest.raises(DataError, match="transpose them, they chain the other way round"):
        read_model(turned)
    turned = {key: array.T for key, array in state(("fc1", 6, 5), ("fc2", 5, 3)).items()}
    obstacle = read_model(turned).obstacles[0]
    assert "its bias has shape (5,), and its weight, read as n_in × n_out, (5, 6)" in obstacle.reason
    assert "transpose it" in obstacle.remedy


def test_kernels_are_stored_the_other_way_round():
    W1, W2 = RNG.normal(size=(6, 5)), RNG.normal(size=(5, 3))
    arrays = {"params/Dense_0/kernel": W1, "params/Dense_0/bias": np.ones(5), "params/Dense_1/kernel:0": W2}
    network = read_model(arrays, activation="relu").network
    np.testing.assert_array_equal(network.weights[0], W1)
    np.testing.assert_array_equal(network.weights[1], W2)
    np.testing.assert_array_equal(network.biases[1], np.zeros(3))


@pytest.mark.parametrize(
    ("extra", "kind", "words"),
    [
        ({"conv.weight": np.ones((4, 1, 3, 3))}, "convolution", "shared over positions"),
        ({"n.weight": np.ones(5), "n.bias": np.ones(5)}, "normalisation", "statistic"),
        ({"ln.scale": np.ones(5), "ln.bias": np.ones(5)}, "normalisation", "statistic"),
        ({"bn.weight": np.ones(5), "bn.running_var": np.ones(5)}, "batch normalisation", "before or after"),
        ({"rnn.weight_ih_l0": np.ones((5, 5))}, "recurrent layer", "fed back"),
        ({"a.in_proj_weight": np.ones((15, 5))}, "attention", "activations with activations"),
        ({"q_proj.weight": np.ones((5, 5))}, "attention", "activations with activations"),
        ({"embed.weight": np.ones((9, 5))}, "embedding", "looked up"),
        ({"wte.weight": np.ones((9, 5))}, "embedding", "looked up"),
        ({"l.weight_g": np.ones((5, 1)), "l.weight_v": np.ones((5, 5))}, "reparametrised weight", "other arrays"),
        ({"l.qweight": np.ones((5, 5), np.int32), "l.scales": np.ones(5)}, "quantised layer", "quantisation"),
        ({"l.weight": np.ones((5, 6), np.int8)}, "Linear", "stored as int8"),
        ({"mystery": np.ones((5, 5))}, "unknown", "not those of a dense layer"),
        ({"l.weight": np.ones((5, 6)), "l.gate": np.ones(5)}, "unknown", "not those of a dense layer"),
    ],
)
def test_what_is_no_dense_layer_is_named_and_can_be_left_out(extra, kind, words):
    arrays = state(("fc1", 6, 5), ("fc2", 5, 3)) | extra
    model = read_model(arrays)
    assert [o.kind for o in model.obstacles] == [kind]
    assert words in model.obstacles[0].reason
    assert model.obstacles[0].remedy
    assert {item.name for item in model.found} >= {"fc1", "fc2", model.obstacles[0].name}
    with pytest.raises(NotAvailableError, match="cannot be propagated: "):
        _ = model.network
    part = read_model(arrays, layers=["fc1", "fc2.weight"], activation="relu")
    assert part.network.widths == (6, 5, 3)
    assert [item.role for item in part.found if item.name == model.obstacles[0].name] == ["not used"]


def test_a_chosen_layer_is_dense_whatever_its_name_suggests():
    arrays = state(("embed", 6, 5), ("q_proj", 5, 3))
    assert [o.kind for o in read_model(arrays).obstacles] == ["embedding", "attention"]
    assert read_model(arrays, layers=["embed", "q_proj"], activation="relu").network.widths == (6, 5, 3)


def test_wrong_names_of_layers():
    arrays = state(("fc1", 6, 5), ("fc2", 5, 3)) | {"conv.weight": np.ones((4, 1, 3, 3))}
    with pytest.raises(InputError, match="'fc3' is no dense layer of dict; its dense layers are fc1, fc2"):
        read_model(arrays, layers=["fc1", "fc3"])
    with pytest.raises(InputError, match=r"'conv' is no dense layer of dict \(conv \(convolution\): "):
        read_model(arrays, layers=["conv"])
    with pytest.raises(InputError, match="none twice"):
        read_model(arrays, layers=["fc1", "fc1"])
    obstacle = read_model(arrays, layers=["fc2", "fc1"]).obstacles[0]
    assert obstacle.reason == "it takes 6 inputs, but fc2 before it gives 3"


@pytest.mark.parametrize("activation", ["rellu", ("relu", "relu"), "relu(", ()])
def test_wrong_activations(activation):
    with pytest.raises(InputError, match="activation"):
        read_model(state(("fc1", 6, 5), ("fc2", 5, 3)), activation=activation)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_values_that_are_not_finite(bad):
    arrays = state(("fc1", 6, 5), ("fc2", 5, 3))
    arrays["fc2.bias"][1] = bad
    obstacle = read_model(arrays).obstacles[0]
    assert str(obstacle).startswith(f"fc2 (Linear): its bias[1] is {bad}, and all values must be finite; ")


def test_half_precision_is_widened_exactly_and_said():
    arrays = {key: array.astype(np.float16) for key, array in state(("fc1", 6, 5)).items()}
    model = read_model(arrays)
    assert model.network.dtype == np.float32
    np.testing.assert_array_equal(model.network.weights[0], arrays["fc1.weight"].T.astype(np.float32))
    assert model.notes == ("float16 weights are computed with in float32",)


def test_own_files_keep_their_activation(tmp_path):
    network = Network.random([6, 5, 4, 3], activation=("tanh", "gelu"), bias_std=1.0, seed=2)
    network.save(tmp_path / "n.npz")
    for model in (read_model(tmp_path / "n.npz"), read_model(network)):
        assert model.network.activation == ("tanh", "gelu")
        assert model.notes == ()
        for ours, theirs in zip(
            network.weights + network.biases, model.network.weights + model.network.biases, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match=r"contradicts .*n.npz, which states 'gelu' after layer 2"):
        read_model(tmp_path / "n.npz", activation=("tanh", "relu"))
    np.savez(tmp_path / "bad.npz", W1=np.eye(3), W2=np.eye(3), activation=np.array(["relu", "tanh"]))
    with pytest.raises(DataError, match="2 activations for 1 hidden layers"):
        read_model(tmp_path / "bad.npz")
    np.savez(tmp_path / "odd.npz", W1=np.eye(3), activation=np.ones(3))
    with pytest.raises(DataError, match="must be a name, or one for each hidden layer"):
        read_model(tmp_path / "odd.npz")


def test_an_npz_of_a_state_dict(tmp_path):
    arrays = state(("fc1", 6, 5), ("fc2", 5, 3))
    np.savez(tmp_path / "s.npz", **arrays)
    model = read_model(tmp_path / "s.npz", activation="relu")
    np.testing.assert_array_equal(model.network.weights[1], arrays["fc2.weight"].T)


def test_the_report_holds_sizes_and_no_number_that_json_cannot_say():
    document = read_model(state(("fc1", 6, 5), ("fc2", 5, 3)), activation="relu").to_dict()
    first = document["layers"][0]
    W = read_model(state(("fc1", 6, 5)))
    assert first["frobenius_norm"] > first["largest_row_norm"] >= first["mean_row_norm"] > 0
    assert first["bytes"] == 8 * (30 + 5)
    assert document["parameters"] == 30 + 5 + 15 + 3
    assert document["propagates"]
    assert document["layers"][1] | {"role": "activation", "activation": "relu", "layer": 1} == document["layers"][1]
    entry = W.to_dict()["layers"][0]
    weights = W.network.weights[0]
    assert entry["frobenius_norm"] == pytest.approx(np.linalg.norm(weights))
    assert entry["mean_row_norm"] == pytest.approx(np.linalg.norm(weights, axis=1).mean())


def test_names_cannot_command_a_terminal():
    model = read_model({"a\x1b[2J\n.weight": np.ones((2, 3)), "b\x07": np.ones(3)})
    assert {item.name for item in model.found} == {r"a\x1b[2J\n", r"b\x07"}
    assert "\x1b" not in json.dumps(model.to_dict(), ensure_ascii=False)
    assert str(read_model({"x" * 500: np.ones(3)}).obstacles[0]).startswith("x" * 79 + "… (unknown)")


def test_norms_of_enormous_weights_do_not_overflow():
    arrays = {"a.weight": np.full((2, 2), 1e300), "b.weight": np.full((1, 2), 1.5e308)}
    first, _, second = read_model(arrays, activation="linear").to_dict()["layers"]
    assert first["frobenius_norm"] == pytest.approx(2e300)
    assert second["frobenius_norm"] is None
    assert second["mean_row_norm"] == pytest.approx(1.5e308)


def test_objects_and_files_without_a_reader(tmp_path):
    with pytest.raises(InputError, match="cannot read an object of type int; give a path"):
        read_model(3)
    with pytest.raises(InputError, match="which is no array"):
        read_model({"fc1.weight": "abc"})
    with pytest.raises(DataError, match="holds no arrays"):
        read_model({})
    for name, words in (
        ("m.pkl", "runs the code in it; pass the fitted estimator itself"),
        ("m.joblib", "runs the code in it; pass the fitted estimator itself"),
        ("m.h5", "export the model to ONNX"),
        ("m.npy", "it holds one array"),
        ("m.txt", "those of no format known here"),
        ("m", "those of no format known here"),
    ):
        (tmp_path / name).write_bytes(b"something of no format")
        with pytest.raises(InputError, match=words):
            read_model(tmp_path / name)
    with pytest.raises(MissingError, match=r"model file .*absent.onnx does not exist; give the path of a .npz"):
        read_model(tmp_path / "absent.onnx")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".onnx", ".pt", ".pth", ".bin"])
def test_empty_files_folders_and_files_beyond_the_limit(tmp_path, suffix):
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty; save the model again"):
        read_model(path)
    path.write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="has 100 bytes, the limit is 99"):
        read_model(path, max_bytes=99)
    (tmp_path / "folder" / f"d{suffix}").mkdir(parents=True)
    with pytest.raises(InputError, match="not a regular file"):
        read_model(tmp_path / "folder" / f"d{suffix}")


def test_the_public_name_is_lazy():
    assert approxmm.read_model is read_model
    assert "read_model" in approxmm.__all__


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    import sys

    for module, suffix, words in (
        ("safetensors", ".safetensors", r'pip install "approxmm\[models\]"'),
        ("onnx", ".onnx", r'pip install "approxmm\[models\]"'),
        ("torch", ".pt", "needs PyTorch, which is not installed; .*safetensors"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        (tmp_path / f"m{suffix}").write_bytes(bytes(100))
        with pytest.raises(NotAvailableError, match=words):
            read_model(tmp_path / f"m{suffix}")
