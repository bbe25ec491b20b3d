from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from approxmm.errors import InputError
from approxmm.studies.field_findings import field_findings
from approxmm.studies.field_study import field_study
from approxmm.studies.registry import run_study
from approxmm.studies.settings import FieldSettings, Selection
from approxmm.studies.spec import load_settings

SETTINGS = FieldSettings(
    activations=("relu",),
    depths=(1, 3),
    width=30,
    epochs=1,
    budgets=(0.1, 0.5),
    selections=(
        Selection(method="oracle_active"),
        Selection(method="top_k"),
        Selection(method="dropout", options={"scaled": False}),
    ),
    examples=15,
    draws=3,
    trials=4,
)


@pytest.fixture(scope="module")
def study():
    return run_study(SETTINGS, workers=1)


@pytest.fixture(scope="module")
def field(study):
    return study.tables["field"]


def test_one_record_for_each_selected_product(study, field):
    # Each selection meets as many products as there are hidden layers: of their inputs or of their outputs.
    assert len(field) == len(study.tables["shares"]) == 2 * 3 * (1 + 3)
    assert list(study.tables) == list(study.captions)
    assert len(study.tables["networks"]) == 2
    masks = field[(field.method != "top_k") & (field.depth == 3)]
    assert sorted(masks["layer"].unique()) == [2, 3, 4]
    assert sorted(field[(field.method == "top_k") & (field.depth == 3)]["layer"].unique()) == [1, 2, 3]


def test_parts_of_the_measured_error_add_up_and_quotients_are_quotients(field):
    np.testing.assert_allclose(field["mean_part"] + field["dispersion"], field["measured"] ** 2, atol=1e-12)
    np.testing.assert_allclose((1 - field["kept"]) ** 2, field["mean_part"], atol=1e-12)
    some = field[field["measured"] > 0]
    np.testing.assert_allclose(some["law_over_measured"], some["law"] / some["measured"])
    np.testing.assert_allclose(
        some["dispersed_over_measured_to_estimate"],
        some["dispersed_law_to_estimate"] / some["measured_to_estimate"],
    )


def test_law_is_the_products_of_the_shares(study, field):
    shares = study.tables["shares"]
    keys = ["activation", "depth", "method", "options", "budget"]
    for _, rows in field.groupby(keys):
        kept = shares.loc[rows.index, "share"].cumprod()
        np.testing.assert_allclose(rows["law_kept"], kept)
        np.testing.assert_allclose(rows["law"], abs(1 - kept), atol=1e-12)
        np.testing.assert_allclose(rows["law_to_estimate"], abs(1 / kept - 1), atol=1e-12)


def test_first_selection_is_predicted_exactly_by_the_law_with_dispersion_but_for_biases(field):
    """At depth 1 with the oracle there is one product; what is left of the gap is the output layer's small bias."""
    single = field[(field.depth == 1) & (field.method == "oracle_active")]
    np.testing.assert_allclose(single["dispersed_law"], single["measured"], rtol=0.05)


def test_intervals_are_given_where_the_selection_is_random(field):
    random = field["method"] == "dropout"
    assert field.loc[~random, ["ci_low", "ci_high"]].isna().all(axis=None)
    chosen = field[random]
    assert (chosen["ci_low"] <= chosen["measured"]).all()
    assert (chosen["measured"] <= chosen["ci_high"]).all()


def test_findings_are_computed_from_the_tables(study):
    assert len(study.findings) == 5
    shares = study.tables["shares"]
    deep = shares[(shares.activation == "relu") & (shares.depth == 3) & (shares.budget == 0.1)]
    oracle = deep[deep.method == "oracle_active"]
    assert f"oracle_active {oracle['ratio'].median():.2g}" in study.findings[0]
    assert "dropout (scaled=False)" in study.findings[0]
    assert f"{oracle['dispersion'].median():.0%} and {oracle['negative'].median():.0%}" in study.findings[1]
    changed = study.tables | {"field": study.tables["field"].assign(law_over_measured=7.5)}
    assert "7.5, 7.5, 7.5 relative to the exact value" in field_findings(changed)[2]


def test_single_layers_have_nothing_to_compound():
    settings = SETTINGS.model_copy(update={"depths": (1,), "selections": SETTINGS.selections[:1]})
    alone = field_study(settings, workers=1)
    assert "unknown relative to the exact value" in alone.findings[2]
    assert "nan" not in " ".join(alone.findings)


def test_result_does_not_depend_on_the_number_of_threads(study):
    again = field_study(SETTINGS, workers=3)
    for name in ("field", "shares"):
        pd.testing.assert_frame_equal(study.tables[name], again.tables[name])


def test_spec_files(tmp_path):
    spec = tmp_path / "field.toml"
    spec.write_text('study = "field"\n[[selections]]\nmethod = "dropout"\noptions = { scaled = false }\n')
    settings = load_settings(spec)
    assert settings.selections == (Selection(method="dropout", options={"scaled": False}),)
    spec.write_text('study = "field"\nbudgets = [0.0]\n')
    with pytest.raises(
        InputError, match=re.escape("budgets.0=0.0: Input should be greater than 0; settings are study,")
    ):
        load_settings(spec)
    assert math.isclose(sum(FieldSettings().budgets), 0.3)
