from __future__ import annotations

import numpy as np
import pytest

from approxmm.studies.closure_findings import closure_findings
from approxmm.studies.registry import run_study
from approxmm.studies.settings import ClosureSettings


@pytest.fixture(scope="module")
def study():
    settings = ClosureSettings(
        depths=(1, 2), width=24, epochs=1, methods=(("dropout", {}), ("bernoulli", {})), budgets=(0.2, 0.5), inputs=4,
        trials=60,
    )  # fmt: skip
    calls = []
    return run_study(settings, workers=1, progress=lambda done, total, what: calls.append((done, total))), calls


def test_one_row_for_each_layer(study):
    study, calls = study
    table = study.tables["closure"]
    assert len(table) == 4 * (2 + 3)
    assert calls[-1] == (12, 12)
    np.testing.assert_allclose(table["full_off"], table["full"] / table["simulated"] - 1)
    first = table[table["layer"] == 1]
    np.testing.assert_allclose(first["full"], first["diagonal"], rtol=1e-12)
    assert (abs(table["full"] / table["simulated"] - 1) <= 0.1 + 3 * table["interval"]).all()


def test_findings_come_from_the_table(study):
    table = study[0].tables["closure"]
    sure = table.assign(full=table["simulated"] * 0.5, full_off=-0.5, ci_low=table["simulated"], interval=0.0)
    sure["ci_high"] = sure["simulated"]
    texts = closure_findings(sure)
    assert "within 5% of the simulated error in 0 of 20 layers" in texts[0]
    assert "in 20 layers the difference is beyond 5%" in texts[0]
    assert "dropout, bernoulli in networks of 1 to 2 hidden layers: at worst -50.0%" in texts[1]
    without = closure_findings(table.assign(full=np.nan, full_off=np.nan, directions=np.nan))
    assert len(without) == 1
    assert without[0].startswith("Without covariances (diagonal)")
