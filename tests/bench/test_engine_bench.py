"""The engine's benchmark: its stopwatch walks through real epochs, and PyTorch's process answers."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from approxmm.bench import _own_steps as own
from approxmm.bench._own_steps import Examples, Run, examples_to_accuracy, own_stepper
from approxmm.bench._torch_process import torch_stepper, wide_kernels
from approxmm.bench.engine import _cases
from approxmm.engine.optimizers import Sgd
from approxmm.errors import ApproxmmError, MissingError


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Examples:
    """Two classes that a look at one pixel tells apart."""
    monkeypatch.setattr(own, "WIDTH", 16)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    x = rng.random((400, 784), dtype=np.float32)
    x[:, 0] = 20.0 * y
    return Examples(x[:300], y[:300], (x[300:], y[300:]))


def test_steps_go_on_through_epochs(small: Examples) -> None:
    step = own_stepper(Run(depth=1, batch=20, optimizer=Sgd(0.01)), small)
    assert 0.0 < step(40) < 10.0  # 300 examples are 15 steps an epoch


def test_examples_to_an_accuracy_are_counted_or_none(small: Examples) -> None:
    run = Run(depth=1, batch=20, optimizer=Sgd(0.01))
    reached = examples_to_accuracy(run, small, (0.6, 1.01))
    assert reached["60%"] is not None
    assert 0 < reached["60%"] <= 600
    assert reached["101%"] is None
    assert examples_to_accuracy(run, small._replace(check=None), (0.9,)) == {"90%": None}


def test_every_case_says_what_it_is_and_no_two_are_the_same() -> None:
    cases = list(_cases())
    titles = [(case.run.title, case.run.threads, case.baseline, case.wide) for case in cases]
    assert len({repr(title) for title in titles}) == len(titles)
    assert any("standardised" in case.run.title for case in cases)
    assert any("backward only" in case.run.title for case in cases)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_pytorch_answers_from_its_process(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=np.zeros((100, 5), np.float32), y=np.zeros(100, np.int64))
    settings = {
        "widths": [5, 4, 2],
        "batch": 10,
        "optimizer": "sgd",
        "lr": 0.1,
        "threads": 1,
        "examples": str(tmp_path / "e.npz"),
    }
    with torch_stepper(settings) as (run, version):
        assert 0.0 < run(3) < 10.0
        assert version


def test_a_process_that_dies_is_an_error_of_one_line(tmp_path: Path) -> None:
    settings = {"widths": [5, 2], "batch": 10, "optimizer": "sgd", "lr": 0.1, "threads": 1, "examples": "nowhere.npz"}
    with pytest.raises(MissingError, match="ended early"), torch_stepper(settings):
        pass


def test_wide_kernels_are_a_library_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = wide_kernels(tmp_path)
    assert library is None or library.is_file()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert wide_kernels(tmp_path) is None


def test_steps_that_were_not_taken_are_not_timed(small: Examples) -> None:
    with pytest.raises(ApproxmmError, match="diverged in step 1:"):
        own_stepper(Run(depth=1, batch=20, optimizer=Sgd(0.01)), small._replace(x=small.x * np.float32(np.nan)))
