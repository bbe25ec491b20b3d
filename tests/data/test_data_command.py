from __future__ import annotations

import json
from re import split

import pytest
from typer.testing import CliRunner

from approxmm.cli.data import data_app
from approxmm.data.registry import SOURCES


def run(*arguments):
    return CliRunner().invoke(data_app, list(arguments))


def test_list(write_set):
    folder = str(write_set())
    done = run("list", "--data-dir", folder)
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    entries = split("\n(?=[a-z])", done.stdout)  # a row, and what the set is on the lines below it
    lines = {entry.split()[0]: " ".join(entry.split()) for entry in entries}
    assert set(SOURCES) < set(lines)
    assert "10,000 + 2,000 + 50,000" in lines["rectangles"]
    for name, words in {
        "mnist": ("55,000 + 5,000 + 10,000", "present", "yann.lecun.com"),
        "kmnist": ("missing", "codh.rois.ac.jp"),
        "mnist_deformed": ("generated", "examples=110000"),
        "small_norb": (
            "2 × 32 × 32",
            "22,275 + 2,025 + 24,300",
            "missing",
            "options: side=32, cameras=2",
            "cs.nyu.edu",
        ),
        "digits": ("embedded", "scikit-learn"),
    }.items():
        assert all(word in lines[name] for word in words)
    entries = json.loads(run("list", "--json", "--data-dir", folder).stdout)["data"]
    assert [entry["name"] for entry in entries] == list(SOURCES)
    assert entries[1]["present"] is True
    assert entries[5]["options"] == {"side": 32, "cameras": 2}


@pytest.mark.parametrize("name", ["rectangles", "convex", "digits_deformed"])
def test_generated_sets_are_sound_and_not_fetched(name):
    checked = run("check", name, "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["summary"].startswith("generated")
    fetched = run("fetch", name)
    assert fetched.exit_code == 1
    assert f"data set '{name}' is generated and cannot be fetched" in fetched.output


def test_missing_sets_exit_with_1(tmp_path):
    for name in ("small_norb", "cifar10", "mnist_deformed"):
        done = run("check", name, "--data-dir", str(tmp_path))
        assert done.exit_code == 1
        assert "approxmm data fetch" in done.stdout
