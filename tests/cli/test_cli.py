"""The command line as another program sees it: stdout, stderr, exit codes, files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from approxmm.methods import available_methods
from approxmm.network import Network


def run(*arguments: str, cwd: Path | None = None, columns: int = 200) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a process of its own."""
    code = "from approxmm.cli import main; main()"
    environment = {**os.environ, "COLUMNS": str(columns)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


def document(*arguments: str) -> dict[str, object]:
    """Run with --json and return the document; nothing else may be on stdout."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not strict JSON"))


def test_law_gives_the_published_numbers() -> None:
    law = document("law", "--ratio", "5", "--depth", "7")
    assert law["relative_to_estimate"] == [0.2, 0.44, 0.728, 1.0736, 1.48832, 1.985984, 2.5831808]
    assert [layer["layer"] for layer in law["layers"]] == [1, 2, 3, 4, 5, 6, 7]
    assert law["layers"][0]["relative_to_exact"] == pytest.approx(1 / 6)


def test_law_takes_a_ratio_for_each_layer() -> None:
    law = document("law", "--ratio", "5,4")
    assert law["relative_to_estimate"] == [0.2, 0.5]


def test_methods_lists_all() -> None:
    methods = document("methods")["methods"]
    names = [entry["name"] for entry in methods]
    assert names == available_methods()
    assert all(entry["citation"] for entry in methods)


def test_propagate_follows_the_documented_contract(tmp_path: Path) -> None:
    result = document(
        *("propagate", "--width", "16", "--depth", "2", "--method", "dropout", "--budget", "0.5"),
        *("--activation", "linear", "--trials", "50", "--samples", "2", "--seed", "3"),
        *("--plot", str(tmp_path / "p.svg"), "--csv", str(tmp_path / "p.csv")),
    )
    assert set(result) >= {"network", "method", "seed", "profiles"}
    assert result["seed"] == 3
    for name in ("exact", "simulate"):
        layers = result["profiles"][name]["layers"]
        assert [layer["layer"] for layer in layers] == [1, 2]
        for layer in layers:
            four = {"relative_error", "relative_to_estimate", "cosine", "norm_ratio"}
            assert set(layer) >= four | {"ci95", "pre_activation"}
            assert set(layer["pre_activation"]) == four
    assert result["profiles"]["exact"]["layers"][0]["ci95"] is None
    low, high = result["profiles"]["simulate"]["layers"][1]["ci95"]
    assert low <= result["profiles"]["exact"]["layers"][1]["relative_error"] <= high
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")
    assert "relative_error" in (tmp_path / "p.csv").read_text()


def test_train_writes_a_network_that_propagate_reads(tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    trained = document("train", "--depth", "2", "--width", "40", "--epochs", "3", "-o", str(model))
    assert trained["status"] == "finished"
    assert set(trained) >= {
        *("test_accuracy", "validation_accuracy", "epochs", "seconds", "examples_per_second"),
        *("multiplications_fraction", "peak_memory_mb", "curves"),
    }
    assert Network.load(model).widths == (64, 40, 40, 10)
    result = document("propagate", str(model), "--data", "digits", "--trials", "20", "--budget", "0.5")
    assert result["network"]["widths"] == [64, 40, 40, 10]
    assert result["profiles"]["simulate"]["settings"]["sampled_layers"] == [1, 2]
    assert "exact" in result["unavailable"]


def bad_npz(folder: Path) -> str:
    path = folder / "bad.npz"
    path.write_bytes(b"PK\x03\x04 not a zip")
    return str(path)


def inputs_with_nan(folder: Path) -> str:
    path = folder / "nan.npy"
    array = np.zeros((3, 16))
    array[1, 2] = np.nan
    np.save(path, array)
    return str(path)


def inputs_of_wrong_shape(folder: Path) -> str:
    path = folder / "shape.npy"
    np.save(path, np.zeros((3, 5)))
    return str(path)


def network_file(folder: Path) -> str:
    path = folder / "net.npz"
    Network.random([16, 8, 4]).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["propagate", "--method", "bernouli"], ["method='bernouli'", "did you mean 'bernoulli'"]),
        (["propagate", "--budget", "1.5", "--width", "8"], ["budget=1.5", "0 < budget <= 1"]),
        (["propagate", "--budget", "0", "--width", "8"], ["budget=0", "at least 1"]),
        (["propagate", "--budget", "half"], ["budget='half'", "not a number"]),
        (["propagate", "--option", "probabilities"], ["name=value"]),
        (["propagate", "--engine", "magic", "--width", "8"], ["engine='magic'", "choose one of"]),
        (["propagate", "--engine", "exact", "--width", "8"], ["activation='relu'", "simulate"]),
        (["propagate", "{bad_npz}"], ["bad.npz", "not a readable .npz"]),
        (["propagate", "nowhere.npz"], ["nowhere.npz", "does not exist"]),
        (["propagate", "--inputs", "{inputs_with_nan}", "--width", "16"], ["nan.npy", "1, 2"]),
        (["propagate", "{network_file}", "--inputs", "{inputs_of_wrong_shape}"], ["5 features", "16"]),
        (["propagate", "--width", "8", "--plot", "x.doc", "--trials", "2"], ["x.doc", ".svg"]),
        (["train", "--data", "mnits"], ["mnits", "known are"]),
        (["train", "--data", "mnist", "--data-dir", "nowhere"], ["nowhere", "data fetch mnist"]),
        (["train", "--optimizer", "sgdd"], ["optimizer='sgdd'", "sgd, momentum, nesterov, adagrad, adam"]),
        (["train", "-o", "{bad_npz}/x.npz"], ["cannot write", "bad.npz"]),
        (["report", "nowhere.toml"], ["nowhere.toml", "does not exist"]),
        (["report", "-o", "{bad_npz}/folder"], ["cannot write"]),
        (["law", "--ratio", "five"], ["ratio='five'"]),
        (["law", "--ratio", "-1", "--depth", "2"], ["ratio=-1.0", "positive"]),
        (["data", "check", "mnits"], ["mnits"]),
        (["prove", "error_compound"], ["error_compound"]),
        (["prove", "-o", "x.docx"], ["x.docx", ".html"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_exit_code_1(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    makers = (bad_npz, inputs_with_nan, inputs_of_wrong_shape, network_file)
    files = {maker.__name__: maker(tmp_path) for maker in makers}
    before = sorted(tmp_path.rglob("*"))
    done = run(*(argument.format(**files) for argument in arguments), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("approxmm: ")
    for word in words:
        assert word in lines[0]
    assert sorted(tmp_path.rglob("*")) == before, "something half-written was left behind"


def test_usage_errors_are_exit_code_2() -> None:
    assert run("law").returncode == 2
    assert run("propagate", "--no-such-option").returncode == 2
    assert run("train", "--epochs", "many").returncode == 2


def test_divergence_is_exit_code_1_with_a_document() -> None:
    done = run("train", "--lr", "1e6", "--optimizer", "sgd", "--width", "20", "--depth", "2", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "diverged"
    assert done.stderr.strip().count("\n") == 0
    assert "lower --lr" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT between processes")
def test_ctrl_c_keeps_what_was_trained_and_exits_130(tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    code = "from approxmm.cli import main; main()"
    arguments = ["train", "--width", "50", "--epochs", "100000", "-o", str(model), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Once kernels are compiled (or loaded) a step takes microseconds: the run is under way long before it is stopped.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=12)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["status"] == "interrupted"
    assert Network.load(model).widths[0] == 64
    assert err.strip().endswith("interrupted")


def test_prove_one_theorem(tmp_path: Path) -> None:
    page = tmp_path / "proof.html"
    result = document("prove", "error_compounds_geometrically", "-o", str(page))
    assert result["theorems"] == 1
    assert result["steps"]["failed"] == 0
    assert result["steps"]["symbolic"] > 5
    assert "<math" in page.read_text(encoding="utf-8")
    text = run("prove", "error_compounds_geometrically").stdout
    assert "induction" in text.lower()


def test_debug_shows_the_traceback() -> None:
    done = run("propagate", "--method", "nope", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_quiet_prints_nothing() -> None:
    done = run("law", "--ratio", "5", "--depth", "2", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("command", ["methods", "law", "propagate", "train", "report", "prove"])
def test_help_has_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Example: approxmm " + command in " ".join(done.stdout.split())


def sections(command: str, columns: int) -> tuple[list[str], dict[str, list[str]]]:
    """Return the lines of a command's help, and the options under each title."""
    lines, found = run(command, "--help", columns=columns).stdout.splitlines(), dict[str, list[str]]()
    for line in lines:
        if line and not line.startswith((" ", "Usage")):
            title = line.rstrip(":")
        elif line.startswith("  -"):
            found.setdefault(title, []).extend(re.findall(r"(?<![\w`-])--[a-z-]+", line.split("  ")[1]))
    return lines, found


TRAIN = ["Data", "Network", "Method", "Optimiser", "Run", "Validation", "Measuring", "Checkpoints", "Output"]


@pytest.mark.parametrize(
    ("command", "titles"),
    [
        ("train", TRAIN),
        ("propagate", ["Options", "Method", "Network", "Data", "Simulation", "Run", "Output"]),
        ("law", ["Options"]),
    ],
)
@pytest.mark.parametrize("columns", [80, 120])
def test_help_groups_many_options(command: str, titles: list[str], columns: int) -> None:
    lines, found = sections(command, columns)
    assert columns - 20 < max(map(len, lines)) <= columns
    assert list(found) == titles
    options = [name for names in found.values() for name in names]
    assert len(options) == len(set(options))
    assert found[titles[-1]][-4:] == ["--json", "--quiet", "--debug", "--help"]
    if command == "train":
        assert {*found["Checkpoints"], *found["Data"]} == {
            *("--checkpoint", "--checkpoint-seconds", "--resume", "--data", "--standardise", "--data-dir")
        }


@pytest.mark.parametrize("command", [(), ("data",)])
def test_lists_of_commands_are_not_cut(command: tuple[str, ...]) -> None:
    lines = run(*command, "--help", columns=80).stdout.splitlines()
    listed = lines[lines.index("Commands:") + 1 :]
    assert len(listed) == (3 if command else 10)
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


def test_examples_of_the_help_are_commands() -> None:
    """Also where a line is too short for them: their lines go on as a shell wants it."""
    lines, _ = sections("train", 80)
    text = "\n".join(lines)
    assert "--budget 0.25 \\\n      --depth 3 --width 200 --epochs 20\n" in text


def test_version() -> None:
    assert run("--version").stdout.startswith("approxmm 0.")
