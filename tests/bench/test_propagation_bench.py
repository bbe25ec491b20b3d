"""The benchmark of error propagation on a small scale: what it times is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from approxmm.bench import propagation
from approxmm.bench.registry import available_benchmarks, run_benchmarks
from approxmm.errors import InputError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation import simulate


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(propagation, "_WIDTH", 30)
    monkeypatch.setattr(propagation, "_LAYERS", 3)
    monkeypatch.setattr(propagation, "_IMAGES", 20)
    monkeypatch.setattr(propagation, "_DIGITS_WIDTHS", (64, 8, 10))


def test_every_comparison_names_its_baseline_and_its_target(small):
    finished = []
    results = run_benchmarks("propagation", pairs=1, progress=finished.append)
    assert finished == [result.name for result in results]
    assert [result.target for result in results] == [0.667, 0.667, 1000.0, 0.7, 0.7, 0.7, None]
    assert all(result.ratio_low <= result.ratio <= result.ratio_high for result in results)
    assert all(result.ratio > 0 and np.isfinite(result.ratio) and result.baseline for result in results)
    assert "6 products 30 × 30 · 30 × 30" in results[0].baseline
    digits = results[2]
    trials = int(digits.baseline.split(": ")[1].split()[0])
    assert "1797 digits" in digits.name
    assert 1000 < trials < 1_000_000
    # What was extrapolated is so on both sides of the ratio.
    assert digits.baseline_seconds / digits.seconds == pytest.approx(digits.ratio, rel=0.5)


def test_trials_that_a_precision_needs_do_reach_it():
    """The half-width from as many trials, by other draws: its own error over 10⁴ trials is a few per cent."""
    network = Network.random([6, 8, 3], activation="linear", init="lecun", seed=1)
    method, x = get_method("dropout", 0.5), np.ones((1, 6))
    needed = propagation._trials_for(network, method, x, precision=0.02)
    figures = simulate(network, method, x, trials=int(needed), seed=7).layers[-1].output
    half = (figures.ci95[1] - figures.ci95[0]) / 2 / figures.relative_error
    assert half == pytest.approx(0.02, rel=0.2)


def test_names_of_benchmarks():
    assert available_benchmarks() == ["methods", "propagation", "engine"]
    with pytest.raises(InputError, match="choose one of methods, propagation, engine"):
        run_benchmarks("nothing")
