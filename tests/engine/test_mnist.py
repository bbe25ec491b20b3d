"""The engine on real MNIST; skipped where the files are not at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from approxmm.data import load_data
from approxmm.engine import train
from approxmm.methods import get_method

FOLDER = os.environ.get("APPROXMM_DATA_DIR")


@pytest.mark.skipif(FOLDER is None or not (Path(FOLDER) / "mnist").is_dir(), reason="APPROXMM_DATA_DIR/mnist not there")
def test_one_epoch_of_exact_training_reaches_95_percent() -> None:
    """2 × 300 ReLU, batch 20, Adam, one epoch."""
    result = train(load_data("mnist"), get_method("exact"), depth=2, width=300, batch=20, epochs=1, seed=0)
    assert result.status == "finished"
    assert result.test_accuracy >= 0.95
