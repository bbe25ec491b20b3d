"""The options of `approxmm propagate` that only the simulation has."""

from __future__ import annotations

import json

import pytest

from approxmm.cli import simulation
from approxmm.cli.app import app

typer_testing = pytest.importorskip("typer.testing")


def invoke(*arguments):
    return typer_testing.CliRunner().invoke(app, ["propagate", *arguments])


SMALL = ("--width", "12", "--depth", "2", "--trials", "6", "--budget", "0.5", "--engine", "simulate")


def test_gradients_are_in_the_document():
    done = invoke(*SMALL, "--method", "dropout", "--gradient", "gaussian", "--json")
    layer = json.loads(done.stdout)["profiles"]["simulate"]["layers"][0]
    assert {"delta", "weight_gradient", "gradient_bias", "gradient_bias_low", "gradient_bias_high"} <= set(layer)
    assert layer["weight_gradient"]["ci95"][0] <= layer["weight_gradient"]["relative_error"]


def test_labels_of_a_data_set_with_an_exact_forward_pass():
    done = invoke(*SMALL, "--method", "dropout", "--data", "digits", "--gradient", "labels", "--forward", "exact")
    assert done.exit_code == 0
    assert "gradient bias" in done.stdout


def test_long_runs_are_announced_on_stderr_unless_quiet(monkeypatch):
    monkeypatch.setattr(simulation, "_LONG", 1)
    done = invoke(*SMALL, "--method", "dropout", "--workers", "1")
    assert "simulation: 0.01 GiB of memory, 1 thread, 1.7e+04 multiplications" in done.stderr
    assert invoke(*SMALL, "--method", "dropout", "--quiet").stderr == ""
    assert "at least" in invoke(*SMALL, "--method", "dropout", "--precision", "0.9").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--width", "1000", "--depth", "10000"), "needs 74.6 GiB"),
        ((*SMALL, "--memory-limit", "0"), "--memory-limit 0.0 must be a positive number of GiB"),
        ((*SMALL, "--memory-limit", "0.001"), "raise it (--memory-limit 0.0"),
        ((*SMALL, "--gradient", "labels"), "--gradient labels needs the classes of a data set"),
        ((*SMALL, "--gradient", "normal"), "--gradient 'normal' is unknown"),
        ((*SMALL, "--forward", "exact"), "forward='exact' samples nothing without a backward pass"),
    ],
)
def test_bad_options_are_named_in_one_line(arguments, message):
    done = invoke(*arguments)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
