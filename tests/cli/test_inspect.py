"""`approxmm inspect`, and `approxmm propagate` with a user's own model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from approxmm import Network
from approxmm.cli.app import app

RNG = np.random.default_rng(2)


def run(*arguments):
    """Run a command in this process: exit code, stdout, stderr."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def state(*sizes):
    arrays = {}
    for k, (n, m) in enumerate(sizes):
        arrays |= {f"fc{k + 1}.weight": RNG.normal(size=(m, n)) / np.sqrt(n), f"fc{k + 1}.bias": RNG.normal(size=m)}
    return arrays


@pytest.fixture
def mlp(tmp_path):
    """A state dict, which says nothing of its activation."""
    path = tmp_path / "mlp.npz"
    np.savez(path, **state((64, 12), (12, 8), (8, 3)))
    return path


@pytest.fixture
def mixed(tmp_path):
    """A state dict with a convolution before its dense layers."""
    path = tmp_path / "mixed.npz"
    np.savez(path, **{"conv.weight": np.ones((2, 1, 3, 3), np.float32)}, **state((8, 6), (6, 3)))
    return path


def test_text_says_what_is_there_what_was_assumed_and_what_to_do_next(mlp):
    code, out, err = run("inspect", mlp)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{mlp}: NumPy archive of 6 arrays, 911 parameters"
    assert "‖W‖" in lines[2]
    assert lines[4].split()[:7] == ["fc1", "Linear", "64", "×", "12", "780", "float64"]
    text = " ".join(out.split())
    assert "activation relu" in text
    assert "Can be propagated: 3 layers, 64 – 12 – 8 – 3, float64, 6.938 KiB of weights." in text
    assert "relu is ASSUMED" in text
    assert lines[-1] == f"Next: approxmm propagate {mlp} --data digits --method bernoulli --budget 0.25"


def test_the_next_command_works_as_it_is_printed(mlp):
    _, out, _ = run("inspect", mlp, "--activation", "linear,relu", "--layers", "fc1,fc2,fc3", "--json")
    document = json.loads(out)
    assert document["activation"] == ["linear", "relu"]
    assert document["next"].startswith(f"approxmm propagate {mlp} --activation linear,relu --layers fc1,fc2,fc3 ")
    arguments = document["next"].split()[1:]
    code, out, err = run(*arguments, "--engine", "onestep", "--samples", "2", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["network"] == {
        "widths": [64, 12, 8, 3],
        "activation": ["linear", "relu"],
        "file": str(mlp),
        "notes": [],
    }


def test_json_is_one_strict_document(mixed):
    code, out, err = run("inspect", mixed, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert document["propagates"] is False
    assert document["next"] is None
    assert document["widths"] is None
    assert [(o["name"], o["kind"]) for o in document["obstacles"]] == [("conv", "convolution")]
    assert [layer["role"] for layer in document["layers"]] == ["obstacle", "layer", "layer"]


def test_obstacles_are_a_report_for_inspect_and_an_error_for_propagate(mixed):
    code, out, err = run("inspect", mixed)
    text = " ".join(out.split())
    assert (code, err) == (0, "")
    assert "Cannot be propagated: conv (convolution): its weights are shared over positions" in text
    assert "What would help: only dense layers" in text
    code, out, err = run("propagate", mixed)
    assert (code, out) == (1, "")
    assert err.startswith(f"approxmm: {mixed} cannot be propagated: conv (convolution): its weights are shared")
    assert err.count("\n") == 1
    code, out, _ = run("inspect", mixed, "--layers", "fc1,fc2", "--json")
    assert json.loads(out)["widths"] == [8, 6, 3]


def test_propagate_says_on_stderr_what_it_assumed_and_keeps_stdout_for_the_result(mlp):
    code, out, err = run("propagate", mlp, "--engine", "onestep", "--samples", "2")
    assert code == 0
    assert out.startswith("prediction: error by layer")
    assert err.startswith(f"approxmm: note: {mlp} does not say which activation")
    assert "relu is ASSUMED" in err
    assert run("propagate", mlp, "--engine", "onestep", "--samples", "2", "--quiet")[1:] == ("", "")


def test_propagate_gives_the_same_for_every_format_of_one_network(tmp_path):
    """An .npz of the package, a state dict in .npz and, where their packages are installed, .safetensors and .onnx."""
    arrays = state((64, 12), (12, 3))
    paths = [tmp_path / "own.npz", tmp_path / "state.npz"]
    W, b = [arrays[f"fc{k}.weight"].T for k in (1, 2)], [arrays[f"fc{k}.bias"] for k in (1, 2)]
    Network(tuple(W), tuple(b), "relu").save(paths[0])
    np.savez(paths[1], **arrays)
    try:
        from safetensors.numpy import save_file

        paths.append(tmp_path / "m.safetensors")
        save_file(arrays, paths[-1])
    except ImportError:
        pass
    try:
        import onnx
        from onnx import helper, numpy_helper

        nodes = [
            helper.make_node("Gemm", ["x", "fc1.weight", "fc1.bias"], ["h"], transB=1),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Gemm", ["r", "fc2.weight", "fc2.bias"], ["y"], transB=1),
        ]
        ends = [[helper.make_tensor_value_info(name, 11, ["b", size])] for name, size in (("x", 64), ("y", 3))]
        constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        paths.append(tmp_path / "m.onnx")
        onnx.save(helper.make_model(helper.make_graph(nodes, "g", *ends, constants)), paths[-1])
    except ImportError:
        pass
    np.save(tmp_path / "x.npy", RNG.normal(size=(3, 64)))
    results = []
    for path in paths:
        activation = () if path.suffix == ".onnx" or path.name == "own.npz" else ("--activation", "relu")
        code, out, err = run(
            *("propagate", path, *activation, "--inputs", tmp_path / "x.npy", "--engine", "onestep", "--json")
        )
        assert (code, err) == (0, "")
        results.append(json.loads(out)["profiles"]["onestep"]["layers"])
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{mlp}", "--activation", "rellu"], ["activation='rellu'", "did you mean 'relu'"]),
        (["{mlp}", "--activation", "relu"], []),
        (["{mlp}", "--activation", "relu,tanh,relu"], ["names 3 activations", "2 hidden layers"]),
        (["{mlp}", "--layers", "fc1,fc9"], ["'fc9' is no dense layer", "fc1, fc2, fc3"]),
        (["{mlp}", "--layers", "fc2,fc1"], ["it takes 64 inputs, but fc2 before it gives 8"]),
        (["{folder}"], ["not a regular file"]),
        (["{folder}/absent.onnx"], ["absent.onnx does not exist"]),
        (["{text}"], ["text.npz", "not a readable .npz"]),
        (["{pickle}"], ["model.pkl", "runs the code in it"]),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "propagate"])
def test_bad_input_is_one_line_and_exit_code_1(tmp_path, mlp, command, arguments, words):
    (tmp_path / "text.npz").write_text("W1 = 3")
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    names = {"mlp": mlp, "folder": tmp_path, "text": tmp_path / "text.npz", "pickle": tmp_path / "model.pkl"}
    extra = ["--engine", "onestep", "--samples", "1"] if command == "propagate" else []
    code, out, err = run(command, *(argument.format(**names) for argument in arguments), *extra)
    if not words or (command == "inspect" and "before it gives" in words[0]):
        assert code == 0
        assert all(word in " ".join(out.split()) for word in words)
        return
    assert (code, out) == (1, "")
    assert err.startswith("approxmm: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_layers_belong_to_a_model():
    code, _, err = run("propagate", "--layers", "a,b", "--width", "8")
    assert code == 1
    assert "--layers a,b chooses among the layers of a model" in err


def test_help_has_an_example():
    code, out, _ = run("inspect", "--help")
    assert code == 0
    assert "Example: approxmm inspect" in " ".join(out.split())


def test_a_network_that_normalises_is_reported_and_not_offered_for_propagation(tmp_path):
    path = tmp_path / "rms.npz"
    Network.random([4, 6, 3], normalise="rms").save(path)
    code, out, _ = run("inspect", path, "--json")
    report = json.loads(out)
    assert (code, report["normalise"], report["propagates"], report["next"]) == (0, "rms", False, None)
    text = " ".join(run("inspect", path)[1].split())
    assert "that normalises each hidden layer's output (rms)" in text
    assert "Can be propagated" not in text
    code, _, err = run("propagate", path, "--method", "bernoulli")
    assert code == 1
    assert "normalise='rms'" in err
