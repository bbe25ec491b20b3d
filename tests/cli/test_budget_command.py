"""``approxmm budget`` as a user meets it: text, document, files, exit codes; and its answer given to `propagate`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from approxmm.cli.app import app
from approxmm.network import Network

SMALL = [
    "--width",
    "16",
    "--depth",
    "3",
    "--samples",
    "2",
    "--method",
    "dropout",
    "--trials",
    "60",
    "--precision",
    "0.1",
]


def run(*arguments):
    return CliRunner().invoke(app, ["budget", *arguments])


def test_document_and_files(tmp_path):
    plot, csv = tmp_path / "b.svg", tmp_path / "b.csv"
    done = run(*SMALL, "--target", "0.5", "--json", "--plot", str(plot), "--csv", str(csv))
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not strict JSON"))
    assert set(document) >= {"target", "equal", "unequal", "gains", "depths", "statements", "pays", "counted", "engine"}
    for plan in (document["equal"], document["unequal"]):
        assert len(plan["budgets"]) == 3
        assert plan["ci95"][0] <= 0.5
        assert plan["ci95"][0] <= plan["simulated_error"] <= plan["ci95"][1]
    assert plot.read_text().startswith("<?xml")
    assert csv.read_text().splitlines()[0].startswith("layer,size,gain,equal_budget")


def test_propagate_takes_the_budgets_and_finds_the_same_error(tmp_path):
    answer = json.loads(run(*SMALL, "--target", "0.5", "--json", "--seed", "7").stdout)
    budgets = ",".join("exact" if count is None else str(count) for count in answer["unequal"]["budgets"])
    shown = run(*SMALL, "--target", "0.5", "--seed", "7").stdout
    assert f"--budget {budgets}" in shown
    again = CliRunner().invoke(
        app, ["propagate", *SMALL, "--budget", budgets, "--engine", "simulate", "--json", "--seed", "7"]
    )
    assert again.exit_code == 0, again.output
    document = json.loads(again.stdout)
    assert document["profiles"]["simulate"]["layers"][-1]["relative_error"] == answer["unequal"]["simulated_error"]
    assert [m and m["budget"] for m in document["method"]] == answer["unequal"]["budgets"]


def test_cost_of_a_saved_network(tmp_path):
    path = tmp_path / "net.npz"
    Network.random([16, 16, 4], seed=1).save(path)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((3, 16)))
    done = run(str(path), "--inputs", str(tmp_path / "x.npy"), *SMALL[6:], "--cost", "0.7")
    assert done.exit_code == 0, done.output
    assert "Budgets for 0.7 of the exact products' cost" in done.stdout
    assert run(*SMALL, "--quiet").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "0"], "target=0.0 must be positive"),
        (["--target", "0.1", "--cost", "0.5"], "give one of them"),
        (["--method", "exact"], "has no budget to choose"),
        (["--method", "dropuot"], "did you mean 'dropout'"),
        (["--engine", "exact"], "activation='relu'"),
        (["--plot", "x.doc"], ".svg"),
        (["--depth", "0"], "depth=0"),
    ],
)
def test_bad_input_is_one_line_and_exit_1(arguments, words):
    done = run(*SMALL, *arguments)
    assert done.exit_code == 1
    assert words in done.stderr
    assert done.stderr.startswith("approxmm: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_listed_budgets_must_fit_the_layers():
    done = CliRunner().invoke(app, ["propagate", *SMALL, "--budget", "3,4"])
    assert done.exit_code == 1
    assert "2 methods for 3 layers" in done.stderr
    done = CliRunner().invoke(app, ["propagate", *SMALL, "--budget", "3,all,4"])
    assert done.exit_code == 1
    assert "budget='all' is not a number" in done.stderr
