"""The depth study at a small size: its tables, what it says of them, and its figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from approxmm.errors import InputError
from approxmm.reporting.figures import draw_figures
from approxmm.studies.depth_findings import depth_findings
from approxmm.studies.depth_study import depth_study
from approxmm.studies.settings import DepthSettings, TrainingRun
from approxmm.studies.spec import load_settings
from approxmm.studies.study import Study

SMALL = DepthSettings(
    runs=(
        TrainingRun(),
        TrainingRun(method="oracle_active", budget=0.5, normalise="rms"),
        TrainingRun(method="bernoulli", budget=0.5, depths=(1,), sampled=("input_gradient", "weight_gradient")),
    ),
    depths=(1, 2),
    width=24,
    epochs=2,
    seeds=2,
    probe=40,
)


@pytest.fixture(scope="module")
def study() -> Study:
    return depth_study(SMALL, workers=1)


def test_there_is_a_row_for_every_run_depth_and_seed(study: Study) -> None:
    accuracy = study.tables["accuracy"]
    assert accuracy.groupby(["method", "depth"]).size().to_dict() == {
        ("exact", 1): 2,
        ("exact", 2): 2,
        ("oracle_active", 1): 2,
        ("oracle_active", 2): 2,
        ("bernoulli", 1): 2,
    }
    assert (accuracy["status"] == "finished").all()
    assert accuracy["test_accuracy"].between(0.2, 1.0).all()
    assert (accuracy.query("method == 'exact'")["multiplications"] == 1.0).all()


def test_the_oracle_finds_all_and_exact_products_lose_nothing(study: Study) -> None:
    layers = study.tables["layers"]
    oracle, exact = layers.query("method == 'oracle_active' and recall == recall"), layers.query("method == 'exact'")
    assert len(oracle) == 1 + 2
    np.testing.assert_allclose(oracle["recall"], 1.0)
    np.testing.assert_allclose(exact["cosine"], 1.0)
    assert exact["recall"].isna().all()


def test_figures_do_not_depend_on_the_number_of_workers(study: Study) -> None:
    again = depth_study(SMALL, workers=2)
    for name, table in study.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])


def test_findings_quote_the_tables() -> None:
    rows = [
        {
            "method": "exact",
            "options": "",
            "budget": 0.05,
            "depth": d,
            "seed": s,
            "test_accuracy": a,
            "test_accuracy_sampled": a,
            "multiplications": 1.0,
        }
        for d, s, a in ((1, 0, 0.9), (1, 1, 0.92), (3, 0, 0.95), (3, 1, 0.97))
    ]
    rows += [
        {
            "method": "alsh",
            "options": "rms",
            "budget": 0.05,
            "depth": d,
            "seed": s,
            "test_accuracy": 0.1,
            "test_accuracy_sampled": a,
            "multiplications": 0.04,
        }
        for d, s, a in ((1, 0, 0.8), (1, 1, 0.8), (3, 0, 0.3), (3, 1, 0.5))
    ]
    layers = pd.DataFrame(
        {"method": "alsh", "options": "rms", "budget": 0.05, "depth": 3, "layer": [1, 2, 3], "recall": [0.2, 0.1, 0.06]}
    )
    end, lost, way, cost, recall = depth_findings(pd.DataFrame(rows), layers)
    assert "exact 96.00% (± 1.41%)" in end
    assert "alsh (5%, rms) 40.00% (± 14.14%)" in end
    assert "alsh (5%, rms) 80.0% (1), 40.0% (3)" in way
    assert "alsh (5%, rms) 4.0%" in cost
    assert lost == "Points of test accuracy below exact, 96.00%: alsh (5%, rms) 56.00."
    assert "20% and 8%" in recall


def test_its_figures_can_be_drawn(study: Study, tmp_path: Path) -> None:
    names = [picture.kind.name for picture in draw_figures(study, tmp_path)]
    assert names == ["accuracy", "depth_layers"]


def test_a_misspelt_run_is_named(tmp_path: Path) -> None:
    spec = tmp_path / "depth.toml"
    spec.write_text('study = "depth"\n[[runs]]\nmethod = "exact"\nnormalise = "layer"\n')
    with pytest.raises(InputError, match=r"runs\.0\.normalise='layer'"):
        load_settings(spec)
