"""ONNX: the network computes what ONNX's own reference evaluator computes, and everything else is named."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx.reference.op_run import OpRun  # noqa: E402
from plain_forward import plain_forward  # noqa: E402
from scipy import special  # noqa: E402

from approxmm import read_model  # noqa: E402
from approxmm.errors import DataError, InputError, NotAvailableError  # noqa: E402
from approxmm.interop.wire import structure_bytes  # noqa: E402

RNG = np.random.default_rng(5)
WIDTHS = (6, 5, 4, 3)
TYPES = {np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE}


class Erf(OpRun):
    """The evaluator's own rounds to single precision, whatever it is given."""

    def _run(self, x):
        return (special.erf(x),)


class Gelu(OpRun):
    def _run(self, x, approximate="none"):
        assert approximate in ("none", None)
        return ((x * special.ndtr(x)).astype(x.dtype),)


class Builder:
    """Collects nodes that follow each other."""

    def __init__(self, dtype=np.float64, features=6):
        self.dtype, self.features = dtype, features
        self.nodes, self.constants, self.value, self.count = [], [], "x", 0

    def constant(self, array, name=None):
        self.count += 1
        name = name or f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def real(self, array):
        return self.constant(np.asarray(array, dtype=self.dtype))

    def node(self, op, *others, first=None, **attributes):
        """Append an operator on the current value (or `first`), and return the name of what it makes."""
        self.count += 1
        out = f"v{self.count}"
        inputs = [self.value if first is None else first, *others]
        self.nodes.append(helper.make_node(op, inputs, [out], name=f"{op}_{self.count}", **attributes))
        self.value = out
        return out

    def gemm(self, n, m, **attributes):
        self.node("Gemm", self.real(RNG.normal(size=(m, n))), self.real(RNG.normal(size=m)), transB=1, **attributes)

    def matmul(self, n, m):
        self.node("MatMul", self.real(RNG.normal(size=(n, m))))
        self.node("Add", self.real(RNG.normal(size=m)))

    def model(self, shape=None, opset=20):
        """Return the model, checked by ONNX itself."""
        kind = TYPES[self.dtype]
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", kind, shape or ["b", self.features])],
            [helper.make_tensor_value_info(self.value, kind, ["n", "m"])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        onnx.checker.check_model(model)
        return model


@pytest.fixture
def read(tmp_path):
    def read(model, **options):
        onnx.save(model, tmp_path / "m.onnx")
        return read_model(tmp_path / "m.onnx", **options)

    return read


def test_the_networks_own_forward_pass_agrees_too(read):
    b = Builder()
    b.matmul(6, 5)
    b.node("Relu")
    b.gemm(5, 3)
    x = RNG.normal(size=(7, 6))
    expected = ReferenceEvaluator(b.model()).run(None, {"x": x})[0]
    np.testing.assert_allclose(read(b.model()).network.forward(x), expected, rtol=1e-12)


def agree(model, network, dtype, shape=(7, 6)):
    """Hold the network's result against the reference evaluator's on random inputs."""
    x = RNG.normal(size=shape).astype(dtype)
    expected = ReferenceEvaluator(model, new_ops=[Erf, Gelu]).run(None, {"x": x})[0]
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    found = plain_forward(network, x.reshape(len(x), -1))
    assert network.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=10 * tolerance, atol=tolerance * np.abs(expected).max())


def test_the_comparison_sees_a_slope_that_is_off_by_a_millionth(read):
    models = []
    for slope in (0.25, 0.250001):
        b = Builder()
        b.node("MatMul", b.real(np.eye(6)))
        b.node("PRelu", b.real([slope]))
        b.node("MatMul", b.real(np.ones((6, 3))))
        models.append(b.model())
    agree(models[0], read(models[0]).network, np.float64)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        agree(models[1], read(models[0]).network, np.float64)


def gelu_divided(b):
    x = b.value
    b.node("Div", b.real(np.sqrt(2.0)))
    b.node("Erf")
    b.node("Add", b.real(1.0))
    b.node("Mul", x, first=b.value)
    b.node("Mul", b.real(0.5))


def gelu_halved(b):
    x = b.value
    half = b.node("Mul", b.real(0.5))
    b.node("Mul", b.real(np.sqrt(0.5)), first=x)
    b.node("Erf")
    b.node("Add", b.real(1.0))
    b.node("Mul", half, first=b.value)


def sigmoid_written_out(b):
    b.node("Neg")
    b.node("Exp")
    b.node("Add", b.real(1.0))
    b.node("Reciprocal")


def leaky_as_maximum(b):
    x = b.value
    scaled = b.node("Mul", b.real(0.25))
    b.node("Max", scaled, first=x)


ACTIVATIONS = {
    "relu": lambda b: b.node("Relu"),
    "tanh": lambda b: b.node("Tanh"),
    "sigmoid": lambda b: b.node("Sigmoid"),
    "erf": lambda b: b.node("Erf"),
    "gelu": lambda b: b.node("Gelu"),
    "linear": lambda b: b.node("Identity"),
    "leaky_relu(0.25)": lambda b: b.node("LeakyRelu", alpha=0.25),
    "leaky_relu(0.5)": lambda b: b.node("PRelu", b.real([0.5])),
}
WRITTEN_OUT = {
    "gelu": [gelu_divided, gelu_halved],
    "sigmoid": [sigmoid_written_out],
    "leaky_relu(0.25)": [leaky_as_maximum],
    "relu": [lambda b: b.node("Clip", b.real(0.0)), lambda b: b.node("Max", b.real(0.0))],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_agree_with_the_reference(read, name, dtype):
    b = Builder(dtype)
    for n, m in pairwise(WIDTHS):
        b.gemm(n, m)
        if m != WIDTHS[-1]:
            ACTIVATIONS[name](b)
    model = b.model()
    found = read(model)
    assert found.network.activation == name
    assert found.notes == ()
    agree(model, found.network, dtype)


@pytest.mark.parametrize(("name", "write"), [(n, w) for n, writes in WRITTEN_OUT.items() for w in writes])
def test_activations_written_out_are_recognised_by_what_they_compute(read, name, write):
    b = Builder()
    b.matmul(6, 5)
    write(b)
    b.gemm(5, 3)
    model = b.model()
    found = read(model)
    assert found.network.activation == name
    agree(model, found.network, np.float64)


def test_activations_of_their_own_in_a_float32_model_have_short_names(read):
    b = Builder(np.float32)
    b.gemm(6, 5)
    b.node("LeakyRelu", alpha=0.01)
    b.gemm(5, 3)
    assert read(b.model()).network.activation == "leaky_relu(0.01)"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batch_normalisation_and_scalings_are_folded(read, dtype):
    """Before the first layer, after a layer, and after an activation; factors of Gemm and a bias that is one number."""
    b = Builder(dtype)
    b.node("Sub", b.real(RNG.normal(size=6)))
    b.node("Div", b.real(3.0))
    b.gemm(6, 5, alpha=0.5, beta=-2.0)
    b.node("BatchNormalization", *(b.real(RNG.uniform(0.5, 2.0, size=5)) for _ in range(4)), epsilon=1e-3)
    b.node("Tanh")
    b.node("BatchNormalization", *(b.real(RNG.uniform(0.5, 2.0, size=5)) for _ in range(4)))
    b.node("Gemm", b.real(RNG.normal(size=(5, 4))), b.real(0.7))
    b.node("Relu")
    b.matmul(4, 3)
    b.node("Sub", b.value, first=b.real(1.0))
    model = b.model()
    found = read(model)
    assert [item.role for item in found.found].count("folded") == 6
    agree(model, found.network, dtype)


def test_what_has_no_effect_is_listed_and_what_follows_the_last_layer_is_left_off(read):
    b = Builder()
    b.node("Flatten")
    b.gemm(6, 5)
    b.node("Dropout")
    b.node("Relu")
    b.node("Identity")
    b.gemm(5, 3)
    before = b.value
    b.node("Softmax")
    found = read(b.model(["b", 2, 3]))
    assert [item.role for item in found.found] == [
        *("no effect", "layer", "no effect", "activation", "no effect", "layer", "left off")
    ]
    assert any("left off after the last layer" in note and "Softmax" in note for note in found.notes)
    assert any("inputs of shape [2, 3] are given flat, as 6 numbers" in note for note in found.notes)
    b.value = before
    agree(b.model(["b", 2, 3]), found.network, np.float64, (7, 2, 3))


@pytest.mark.parametrize("training", [False, True])
def test_dropout_with_a_training_mode(read, training):
    b = Builder()
    b.gemm(6, 5)
    b.node("Dropout", b.real(0.5), b.constant(np.array(training)))
    b.gemm(5, 3)
    found = read(b.model())
    assert (found.chain is None) == training
    assert [o.reason for o in found.obstacles] == ["it is in training mode, and drops values at random"] * training


def test_weights_stored_in_16_bits_and_cast(read):
    b = Builder(np.float32)
    W = RNG.normal(size=(6, 3)).astype(np.float16)
    b.nodes.append(helper.make_node("Cast", [b.constant(W)], ["wide"], to=TensorProto.FLOAT))
    b.node("MatMul", "wide")
    model = b.model()
    found = read(model)
    np.testing.assert_array_equal(found.network.weights[0], W.astype(np.float32))
    agree(model, found.network, np.float32)


def test_data_that_a_subgraph_reads_out_of_sight_are_not_lost_in_silence(read):
    b = Builder()
    b.gemm(6, 3)
    hidden = b.value
    out = [helper.make_tensor_value_info("inner", TensorProto.DOUBLE, ["b", 3])]
    body = helper.make_graph([helper.make_node("Neg", [hidden], ["inner"])], "body", [], out)
    condition = b.constant(np.array(True))
    b.nodes.append(helper.make_node("If", [condition], ["y"], name="If", then_branch=body, else_branch=body))
    b.value = "y"
    obstacle = read(b.model()).obstacles[0]
    assert (obstacle.name, obstacle.kind) == (hidden, "dead end")
    assert "those are y" in obstacle.reason


def test_reshape_by_a_computed_shape(read):
    """x.view(x.shape[0], -1), as exporters write it."""
    b = Builder()
    b.node("Shape")
    b.node("Gather", b.constant(np.array(0)), axis=0)
    b.node("Unsqueeze", b.constant(np.array([0])))
    rows = b.node("Concat", b.constant(np.array([-1])), axis=0)
    b.node("Reshape", rows, first="x")
    b.gemm(6, 3)
    model = b.model(["b", 3, 2])
    agree(model, read(model).network, np.float64, (7, 3, 2))


def test_an_activation_after_the_last_layer_is_left_off(read):
    b = Builder()
    b.gemm(6, 3)
    gelu_divided(b)
    found = read(b.model())
    assert found.network.depth == 1
    assert found.notes == ("left off after the last layer, whose result is what is compared: the activation gelu",)


def test_transposed_constants_and_constant_nodes(read):
    b = Builder()
    W = RNG.normal(size=(3, 6))
    b.nodes.append(helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(W, "w")))
    b.nodes.append(helper.make_node("Transpose", ["w"], ["wt"]))
    b.node("MatMul", "wt")
    model = b.model()
    network = read(model).network
    np.testing.assert_array_equal(network.weights[0], W.T)
    agree(model, network, np.float64)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_weights_of_16_bits_are_widened_exactly(read, kind):
    W = RNG.normal(size=(6, 3)).astype(np.float32)
    if kind == "float16":
        tensor = numpy_helper.from_array(W.astype(np.float16), "w")
        W = W.astype(np.float16).astype(np.float32)
    else:
        bits = W.view(np.uint32) & np.uint32(0xFFFF0000)
        W = bits.view(np.float32)
        raw = (bits >> 16).astype("<u2").tobytes()
        tensor = helper.make_tensor("w", TensorProto.BFLOAT16, W.shape, raw, raw=True)
    b = Builder()
    b.constants.append(tensor)
    b.nodes.append(helper.make_node("MatMul", ["x", "w"], ["y"]))
    graph = helper.make_graph(
        b.nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, ["b", 6])],
        [helper.make_tensor_value_info("y", 1, None)],
        b.constants,
    )
    found = read(helper.make_model(graph))
    np.testing.assert_array_equal(found.network.weights[0], W)
    assert found.notes == (f"{kind} weights are computed with in float32",)


def conv(b):
    b.node("Conv", b.real(RNG.normal(size=(2, 1, 3, 3))))


def skip(b):
    b.gemm(6, 6)
    x = b.value
    b.gemm(6, 6)
    b.node("Add", x, first=b.value)


def two_activations(b):
    b.gemm(6, 6)
    b.node("Relu")
    b.node("Tanh")


def silu(b):
    b.gemm(6, 6)
    x = b.value
    b.node("Sigmoid")
    b.node("Mul", x, first=b.value)


def tanh_gelu(b):
    b.gemm(6, 6)
    b.node("Gelu", approximate="tanh")


def softmax_between(b):
    b.gemm(6, 6)
    b.node("Softmax")


def quantised(b):
    scale, zero = b.constant(np.float32(0.1)), b.constant(np.int8(0))
    codes = b.constant(RNG.integers(-9, 9, size=(6, 6)).astype(np.int8))
    b.nodes.append(helper.make_node("DequantizeLinear", [codes, scale, zero], ["w"]))
    b.node("MatMul", "w")


@pytest.mark.parametrize(
    ("build", "name", "words"),
    [
        (conv, "Conv_", "shared over positions"),
        (skip, "v", "2 paths leave it"),
        (two_activations, "Tanh_", "follows another activation"),
        (silu, "Mul_", "SiLU"),
        (tanh_gelu, "Gelu_", "by tanh, up to 5e-4"),
        (softmax_between, "Softmax_", "between layers"),
        (quantised, "MatMul_", "comes out of DequantizeLinear"),
        (lambda b: b.node("Relu"), "Relu_", "acts on the inputs"),
        (
            lambda b: b.node("LayerNormalization", b.real(np.ones(6))),
            "LayerNormalization_",
            "a statistic of each input",
        ),
        (lambda b: b.node("Elu"), "Elu_", "no such activation"),
        (lambda b: b.node("Transpose"), "Transpose_", "exchanges the axes"),
        (lambda b: b.node("Reshape", b.constant(np.array([-1, 3, 2]))), "Reshape_", "[-1, 3, 2]"),
        (lambda b: b.node("Mul", b.value), "Mul_", "an elementwise function"),
    ],
)
def test_what_cannot_be_propagated_is_named_and_the_rest_still_listed(read, build, name, words):
    b = Builder()
    build(b)
    b.gemm(6, 3)
    found = read(b.model(["b", 1, 2, 3] if build is conv else None))
    assert found.chain is None
    obstacle = found.obstacles[0]
    assert obstacle.name.startswith(name)
    assert words in obstacle.reason or build.__name__ == "<lambda>"
    assert obstacle.remedy
    assert any(item.kind == "Gemm" and item.shape == (6, 3) for item in found.found)
    with pytest.raises(NotAvailableError, match="cannot be propagated") as caught:
        _ = found.network
    assert obstacle.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_node_is_listed(read):
    """Behind a branch too: as many entries as nodes that are no constants."""
    b = Builder()
    skip(b)
    b.node("Relu")
    b.gemm(6, 3)
    found = read(b.model())
    names = [item.name for item in found.found]
    assert {node.name for node in b.nodes} <= set(names)


def test_a_named_activation_takes_the_place_of_one_that_the_package_lacks(read):
    b = Builder()
    silu(b)
    b.gemm(6, 5)
    b.node("Relu")
    b.gemm(5, 3)
    found = read(b.model(), activation="gelu")
    assert found.network.activation == ("gelu", "relu")
    assert any("is replaced by the activation that was given" in note for note in found.notes)


def test_an_activation_that_contradicts_the_file_is_refused(read):
    b = Builder()
    b.gemm(6, 5)
    b.node("Relu")
    b.gemm(5, 3)
    with pytest.raises(InputError, match=r"activation='tanh' contradicts .*m.onnx, which states 'relu' after layer 1"):
        read(b.model(), activation="tanh")
    assert read(b.model(), activation="relu").network.activation == "relu"
    with pytest.raises(InputError, match="states the order of its layers"):
        read(b.model(), layers=["Gemm_1"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named_with_their_layer(read, bad):
    b = Builder()
    W = np.ones((6, 3))
    W[2, 1] = bad
    b.node("MatMul", b.real(W))
    obstacle = read(b.model()).obstacles[0]
    assert obstacle.name.startswith("MatMul_")
    assert f"weight[2, 1] is {bad}" in obstacle.reason


def external(location, **entries):
    tensor = TensorProto(name="w", data_type=1, dims=[6, 3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    b = Builder(np.float32)
    b.constants.append(tensor)
    b.nodes.append(helper.make_node("MatMul", ["x", "w"], ["y"]))
    return helper.make_model(
        helper.make_graph(
            b.nodes,
            "g",
            [helper.make_tensor_value_info("x", 1, ["b", 6])],
            [helper.make_tensor_value_info("y", 1, None)],
            b.constants,
        )
    )


def test_external_data_beside_the_model_are_read(tmp_path):
    W = RNG.normal(size=(6, 3)).astype(np.float32)
    (tmp_path / "m.onnx.data").write_bytes(b"1234" + W.tobytes())
    model = external("m.onnx.data", offset=4, length=72)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.testing.assert_array_equal(read_model(tmp_path / "m.onnx").network.weights[0], W)


@pytest.mark.parametrize(
    ("location", "entries", "words"),
    [
        ("../secret", {}, "outside the model's folder"),
        ("/etc/passwd", {}, "outside the model's folder"),
        ("sub/w", {}, "outside the model's folder"),
        ("..", {}, "outside the model's folder"),
        ("", {}, "outside the model's folder"),
        ("link", {}, "no regular file beside the model"),
        ("absent", {}, "no regular file beside the model"),
        ("w", {"offset": 4}, "does not hold where it says"),
        ("w", {"offset": -4}, "does not hold where it says"),
        ("w", {"length": 2**60}, "does not hold where it says"),
        ("w", {"offset": "x"}, "does not hold where it says"),
    ],
)
def test_external_data_elsewhere_or_of_another_size_are_refused(tmp_path, location, entries, words):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for place in (folder / "w", folder / "sub" / "w", tmp_path / "secret"):
        place.write_bytes(bytes(72))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "m.onnx").write_bytes(external(location, **entries).SerializeToString())
    with pytest.raises(DataError, match=words) as caught:
        read_model(folder / "m.onnx")
    assert "tensor 'w'" in str(caught.value)


def test_a_tensor_that_holds_less_than_it_claims(tmp_path):
    model = external("w")
    tensor = model.graph.initializer[0]
    del tensor.external_data[:]
    tensor.data_location = TensorProto.DEFAULT
    tensor.raw_data = bytes(72)
    for dims, words in (
        ([6, 4], "another number of elements"),
        ([2**40, 2**40], "take more than"),
        ([-6, -3], "has shape"),
        ([2**33], "take more than"),
    ):
        tensor.ClearField("dims")
        tensor.dims.extend(dims)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(DataError, match=words):
            read_model(tmp_path / "m.onnx")


def test_layers_that_share_a_weight_count_each(tmp_path):
    """A thousand uses of one tensor take a thousand times its memory, and the limit knows it."""
    b = Builder()
    W = b.real(np.eye(100))
    for _ in range(50):
        b.node("MatMul", W)
    onnx.save(b.model(["b", 100]), tmp_path / "m.onnx")
    assert read_model(tmp_path / "m.onnx", max_bytes=50 * 80_000).network.depth == 50
    with pytest.raises(DataError, match="take more than 3999999 bytes"):
        read_model(tmp_path / "m.onnx", max_bytes=50 * 80_000 - 1)


def test_structure_is_what_is_not_numbers():
    b = Builder()
    b.gemm(6, 5)
    encoded = b.model().SerializeToString()
    numbers = 8 * (6 * 5 + 5)
    assert structure_bytes(encoded, 2**20) == len(encoded) - numbers
    assert structure_bytes(b"\x0a\x00" * 1000, 2000) > 2000
    for broken in (b"\x0a", b"\x0a\x05abc", b"\xff" * 12, b"\x0b\x00", b"\x3a\x02\x0a\x07"):
        with pytest.raises(ValueError, match="byte"):
            structure_bytes(broken, 100)


def test_a_graph_that_is_no_chain_from_one_input(read, tmp_path):
    b = Builder()
    b.gemm(6, 3)
    model = b.model()
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.DOUBLE, ["b", 6]))
    found = read(model)
    assert "it has 2 inputs (x, z)" in found.obstacles[0].reason
    model = b.model()
    model.graph.node[0].input[0] = "nowhere"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert "does not follow from the input" in read_model(tmp_path / "m.onnx").obstacles[0].reason
    model = b.model()
    model.graph.node.append(helper.make_node("Identity", [b.value], ["x"]))  # a circle
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert "the data end here, and it is no output" in read_model(tmp_path / "m.onnx").obstacles[0].reason
    (tmp_path / "m.onnx").write_bytes(onnx.ModelProto().SerializeToString() + b"\x08\x07")
    with pytest.raises(DataError, match="0 nodes"):
        read_model(tmp_path / "m.onnx")


def test_an_input_that_its_first_layer_does_not_take(read):
    b = Builder()
    b.node("Reshape", b.constant(np.array([-1, 3])))
    b.gemm(3, 2)
    obstacle = read(b.model()).obstacles[0]
    assert "declared with [6] numbers an example" in obstacle.reason
    b = Builder()
    b.gemm(6, 4)
    b.node("Reshape", b.constant(np.array([-1, 2])))
    b.gemm(2, 2)
    assert "it brings 4 features to 2" in read(b.model()).obstacles[0].reason
