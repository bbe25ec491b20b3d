"""The bits of a run: the same on any cut of the work, and after a stop and a resumption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from precision import SINGLE, precision

from approxmm.data import load_data
from approxmm.data.dataset import Dataset, Split
from approxmm.engine import Progress, Sgd, TrainingResult, train
from approxmm.engine import loop as loop_module
from approxmm.methods import available_methods, get_method
from approxmm.methods.contract import Method


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits", dtype=np.float64)


def check_same_bits(digits: Dataset, method: str, dtype: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    law, shape = get_method(method, 0.4), {"depth": 2, "width": 30, "epochs": 2, "dtype": dtype}
    runs = []
    for seconds in (0.2, 1e-9):  # one chunk an epoch, or one step a chunk
        monkeypatch.setattr(loop_module, "_CHUNK_SECONDS", seconds)
        runs.append(train(digits, law, seed=7, **shape))
    assert runs[0].curves["train_loss"] == runs[1].curves["train_loss"]
    for first, second in zip(runs[0].network.weights, runs[1].network.weights, strict=True):
        np.testing.assert_array_equal(first, second)
    assert train(digits, law, seed=8, **shape).curves["train_loss"] != runs[0].curves["train_loss"]
    check_resumed(runs[0], digits, law, tmp_path / "run.npz", 90, shape)


def check_resumed(
    whole: TrainingResult, digits: Dataset, law: Method, file: Path, stop: int, shape: dict[str, Any]
) -> None:
    """Stop at a step of the second epoch, go on from the file, and expect the bits of the run that was not stopped."""

    def interrupt(at: Progress) -> None:
        if at.step == stop:
            raise KeyboardInterrupt

    part = train(digits, law, seed=7, checkpoint=file, progress=interrupt, **shape)
    assert (part.status, part.steps, part.epochs) == ("interrupted", stop, 1)
    rest = train(digits, law, seed=7, checkpoint=file, resume=True, **shape)
    assert rest.status == "finished"
    for name in ("train_loss", "validation_accuracy", "steps", "examples"):
        assert rest.curves[name] == whole.curves[name]
    for name in ("multiplications", "kept", "test_accuracy", "test_accuracy_sampled"):
        assert getattr(rest, name) == getattr(whole, name)
    for first, second in zip(whole.network.weights, rest.network.weights, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", available_methods())
def test_same_seed_same_bits_however_the_work_is_cut(
    digits: Dataset, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_same_bits(digits, method, precision(method), tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in available_methods() if name not in SINGLE])
def test_same_seed_same_bits_in_single_precision(
    digits: Dataset, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_same_bits(digits, method, np.float32, tmp_path, monkeypatch)


def test_the_per_example_path_goes_on_to_the_bit(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(digits, train=Split(digits.train.x[:300], digits.train.y[:300]))
    shape = {"depth": 2, "width": 30, "epochs": 2, "dtype": np.float64, "batch": 1, "optimizer": Sgd(0.05)}
    law = get_method("dropout", 0.4)
    whole = train(small, law, seed=7, **shape)
    assert whole.path.startswith("per_example")
    assert 0.1 < whole.multiplications_fraction < 0.5, "counted, not derived: about 0.4 of each side of a product"
    assert whole.active_fractions[0] == pytest.approx(0.4, abs=0.02)
    assert set(whole.phase_seconds) >= {"select", "forward", "backward", "update", "upkeep"}
    monkeypatch.setattr(loop_module, "_CHUNK_SECONDS", 1e-9)
    check_resumed(whole, small, law, tmp_path / "run.npz", 413, shape)
