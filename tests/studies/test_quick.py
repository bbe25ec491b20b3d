"""The quick study at a small size: its tables, its findings, and the report that the command line makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from approxmm.cli import app
from approxmm.errors import DataError, InputError, MissingError
from approxmm.studies.captions import CAPTIONS
from approxmm.studies.findings import quick_findings
from approxmm.studies.quick import quick_study
from approxmm.studies.settings import QuickSettings
from approxmm.studies.spec import load_settings
from approxmm.studies.study import Study

SMALL = {
    "depths": (1, 2),
    "width": 24,
    "epochs": 2,
    "budget": 0.5,
    "probe": 40,
    "trials": 20,
    "linear_trials": 50,
    "linear_inputs": 4,
    "ratios": (2.0, 5.0),
    "theorems": ("error_compounds_geometrically",),
}


@pytest.fixture(scope="module")
def study() -> Study:
    return quick_study(QuickSettings(**SMALL), workers=1)


def test_tables_are_complete(study: Study) -> None:
    assert set(study.tables) == set(CAPTIONS) == set(study.captions)
    assert len(study.tables["accuracy"]) == 5 * 2 * 2
    assert len(study.tables["law"]) == 2 * 2
    assert len(study.tables["moments"]) == 4 * 2
    # Four sampling methods, networks of 2 and 3 layers (the output layer counts).
    assert len(study.tables["compounding"]) == 4 * (2 + 3)
    assert (study.tables["theorems"]["failed"] == 0).all()
    assert (study.tables["theorems"]["symbolic"] > 5).all()
    assert set(study.tables["ratios"]["layer"]) == {2, 3}
    assert (study.tables["accuracy"]["status"] == "finished").all()


def test_simulated_and_measured_compounding_agree(study: Study) -> None:
    """Two routes that share no code but the draws' law; both are averages over few draws, hence the wide bound."""
    rows = study.tables["compounding"].query("simulated > 0")
    assert len(rows) >= 15
    assert ((rows["training"] / rows["simulated"]).between(0.6, 1.6)).all()


def test_the_law_is_given_for_the_biased_method_and_the_prediction_for_the_others(study: Study) -> None:
    rows = study.tables["compounding"]
    biased = rows["method"] == "oracle_active"
    assert rows.loc[biased, "prediction"].isna().all()
    assert rows.loc[~biased, "law"].isna().all()
    assert rows.loc[~biased, "prediction"].notna().all()


def test_findings_state_numbers_of_the_tables(study: Study) -> None:
    assert len(study.findings) == 3
    inside, total = study.findings[0].split(" exact errors")[0].split()[-3::2]
    moments = study.tables["moments"]
    expected = ((moments["exact"] >= moments["ci_low"]) & (moments["exact"] <= moments["ci_high"])).sum()
    assert (int(inside), int(total)) == (expected, len(moments))
    changed = {name: table.copy() for name, table in study.tables.items()}
    changed["moments"]["exact"] = 1e9
    assert quick_findings(changed, 0.5)[0] != study.findings[0]


def test_findings_survive_a_study_where_nothing_unbiased_finished(study: Study) -> None:
    tables = {**study.tables, "compounding": study.tables["compounding"].query("method == 'oracle_active'")}
    assert "no compounding could be measured" in quick_findings(tables, 0.5)[1]


def test_figures_do_not_depend_on_the_number_of_threads(study: Study) -> None:
    other = quick_study(QuickSettings(**SMALL), workers=2)
    for name, table in study.tables.items():
        pd.testing.assert_frame_equal(
            table.drop(columns="seconds", errors="ignore"), other.tables[name].drop(columns="seconds", errors="ignore")
        )


def test_command_line_report_from_a_spec(tmp_path: Path) -> None:
    spec = tmp_path / "small.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in SMALL.items()]
    spec.write_text("\n".join(lines))
    # In this process, so that nothing is compiled once more.
    done = CliRunner().invoke(app, ["report", str(spec), "-o", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document) >= {"page", "figures", "data", "findings"}
    assert len(document["findings"]) == 3
    for file in [document["page"], *document["figures"], *document["data"]]:
        assert Path(file).stat().st_size > 0
    assert (tmp_path / "out" / "data" / "compounding.csv") in map(Path, document["data"])


def test_the_shipped_spec_is_the_default() -> None:
    assert load_settings(Path(__file__).parents[2] / "reports" / "quick.toml") == QuickSettings()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("budget = 2.0", InputError, "budget=2.0"),
        ("buget = 0.5", InputError, "buget=0.5"),
        ("depths = []", InputError, "depths"),
        ("budget = ", DataError, "not valid TOML"),
    ],
)
def test_bad_specs_are_named(text: str, error: type[Exception], words: str, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(text)
    with pytest.raises(error, match=words) as caught:
        load_settings(spec)
    assert "\n" not in str(caught.value)


def test_missing_spec_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nowhere\.toml does not exist"):
        load_settings(tmp_path / "nowhere.toml")
