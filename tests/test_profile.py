from __future__ import annotations

import base64
import json
import math
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import grown, profile, sampled

from approxmm.errors import InputError, MissingError
from approxmm.profile import METRIC_NAMES, ErrorProfile, LayerError, Metrics, metrics_from_logs, metrics_from_moments
from approxmm.profile_table import compare
from approxmm.propagation.law import compounding

vectors = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=6)


@given(vectors)
def test_figures_of_a_known_pair_of_vectors(pairs):
    y, estimate = np.array(pairs).T
    figures = metrics_from_moments(y @ y, estimate @ estimate, y @ estimate, ((estimate - y) ** 2).sum())
    if y @ y > 1e-6 and estimate @ estimate > 1e-6:
        error = ((estimate - y) ** 2).sum()
        assert figures.relative_error == pytest.approx(error / (y @ y))
        assert figures.relative_to_estimate == pytest.approx(error / (estimate @ estimate))
        assert figures.norm_ratio == pytest.approx((estimate @ estimate) / (y @ y))
        assert figures.cosine == pytest.approx(y @ estimate / np.linalg.norm(y) / np.linalg.norm(estimate), abs=1e-12)
        assert figures.relative_error == pytest.approx(figures.relative_to_estimate * figures.norm_ratio)
        expanded = 1 + figures.norm_ratio - 2 * figures.cosine * math.sqrt(figures.norm_ratio)
        assert figures.relative_error == pytest.approx(expanded, abs=1e-9)


def test_error_is_computed_from_the_moments_where_it_is_not_given():
    figures = metrics_from_moments(4.0, 9.0, 5.0)
    assert figures == Metrics(3 / 4, 3 / 9, 5 / 6, 9 / 4)
    assert metrics_from_moments(1.0, 1.0, 1.0 + 1e-15).relative_error == 0.0


def test_zero_exact_values():
    assert metrics_from_moments(0.0, 0.0, 0.0).relative_error == 0.0
    assert metrics_from_moments(0.0, 2.0, 0.0).relative_error == math.inf
    assert math.isnan(metrics_from_moments(0.0, 2.0, 0.0).cosine)
    assert metrics_from_moments(2.0, 0.0, 0.0).relative_to_estimate == math.inf


def test_json_is_strict_and_has_the_documented_form():
    broken = LayerError(
        1, Metrics(math.inf, math.nan, -math.inf, 1.0, (0.0, math.inf)), metrics_from_moments(1, 2, 1), {"r": math.nan}
    )
    document = ErrorProfile("simulate", (broken,), 1.5, {"method": "dropout", "budget": 0.5}).to_dict()
    text = json.dumps(document, allow_nan=False)
    layer = json.loads(text)["layers"][0]
    assert {"layer", *METRIC_NAMES, "ci95", "pre_activation", "r"} <= set(layer)
    assert [layer[name] for name in METRIC_NAMES] == [None, None, None, 1.0]
    assert layer["ci95"] == [0.0, None]
    assert set(layer["pre_activation"]) == set(METRIC_NAMES)
    assert layer["r"] is None
    assert document["settings"] == {"method": "dropout", "budget": 0.5}
    assert profile().to_dict()["layers"][0]["ci95"] is None


def test_pandas_has_one_row_a_layer():
    table = profile("simulate").to_pandas()
    assert list(table.index) == [1, 2]
    assert table.index.name == "layer"
    np.testing.assert_allclose(table["relative_error"], [0.1, 0.3])
    np.testing.assert_allclose(table["ci95_high"], [0.11, 0.33])
    assert (table["pre_relative_error"] == 0).all()
    assert profile("exact").to_pandas()["ci95_low"].isna().all()
    assert list(compounding(5, 2).profile().to_pandas()["ratio"]) == [5, 5]


def test_plain_properties():
    np.testing.assert_array_equal(profile(errors=(0.1, 0.2, 0.4)).relative_error, [0.1, 0.2, 0.4])
    assert profile().depth == 2


def test_text_lists_layers_and_settings():
    text = str(profile("simulate", method="dropout"))
    assert text.splitlines()[0] == "simulate: error by layer  (method dropout)"
    assert "[0.09, 0.11]" in text
    assert len(text.splitlines()) == 4
    assert str(profile()).splitlines()[0] == "exact: error by layer"


def test_notebook_form_escapes_what_it_is_given():
    html = profile("<script>alert(1)</script>", method="<b>&")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;&amp;" in html
    assert html.count("<tr") >= 3


def test_unknown_metric_is_named():
    with pytest.raises(InputError, match=re.escape("metric='error' is unknown; choose one of relative_error, ")):
        profile().plot(metric="error")


def test_law_is_a_profile_of_squares():
    law = compounding(5, depth=3).profile()
    assert law.source == "law"
    for k, layer in enumerate(law.layers, start=1):
        assert layer.output.relative_to_estimate == pytest.approx((1.2**k - 1) ** 2)
        assert layer.output.relative_error == pytest.approx((1 - 1.2**-k) ** 2)
        assert layer.output.norm_ratio == pytest.approx(1.2 ** (-2 * k))
        assert layer.output.cosine == 1.0
        assert layer.extra == {"ratio": 5.0}


def test_figures_from_logarithms_beyond_the_range_of_floats():
    figures = metrics_from_logs(log_exact=1.0, log_estimate=3000.0, cosine=0.1, log_error=2999.0)
    assert math.isinf(figures.relative_error)
    assert math.isinf(figures.norm_ratio)
    assert figures.log10_relative_error == pytest.approx(2998 / math.log(10))
    assert figures.relative_to_estimate == pytest.approx(math.exp(-1.0))
    plain = metrics_from_moments(2.0, 3.0, 2.0, 1.0)
    same = metrics_from_logs(math.log(2.0), math.log(3.0), plain.cosine, 0.0)
    assert (same.relative_error, same.norm_ratio) == pytest.approx((plain.relative_error, plain.norm_ratio))
    assert same.log10_norm_ratio == pytest.approx(math.log10(plain.norm_ratio))


def test_gradients_appear_in_tables_and_documents():
    figures = metrics_from_moments(1.0, 1.5, 1.0, 0.5, (0.4, 0.6))
    profile = ErrorProfile("simulate", (LayerError(1, figures, figures, delta=figures, weight_gradient=figures),))
    layer = profile.to_dict()["layers"][0]
    assert layer["delta"]["ci95"] == [0.4, 0.6]
    assert layer["weight_gradient"]["relative_error"] == 0.5
    assert profile.to_pandas()["delta_relative_error"].iloc[0] == 0.5


def test_tables_hold_intervals_and_logarithms_of_every_part():
    table = sampled(gradients=True).to_pandas()
    for part in ("", "pre_", "delta_", "weight_gradient_"):
        np.testing.assert_allclose(table[f"{part}ci95_low"], [0.09, 0.18, 0.27])
        np.testing.assert_allclose(table[f"{part}cosine_ci95_high"], 0.95)
        np.testing.assert_allclose(table[f"{part}norm_ratio_ci95_low"], [1.09, 1.18, 1.27])
        np.testing.assert_allclose(table[f"{part}log10_relative_error"], np.log10([0.1, 0.2, 0.3]))
    assert not any(column.startswith("delta") for column in sampled().to_pandas())


def test_comparison_sets_each_profile_beside_the_measurement():
    theory = profile("exact", errors=(0.1, 0.3, 0.32))
    table = compare(theory, sampled())
    assert list(table.columns) == ["layer", "profile", "source", "value", "low", "high", "log10", "ratio", "inside"]
    assert len(table) == 6
    exact = table[table.profile == "exact"]
    np.testing.assert_allclose(exact["ratio"], [1.0, 1.5, 0.32 / 0.3])
    assert list(exact["inside"]) == [True, False, True]
    assert exact["low"].isna().all()
    measured = table[table.profile == "simulate"]
    np.testing.assert_allclose(measured["ratio"], 1.0)
    np.testing.assert_allclose(measured[["low", "high"]].iloc[0], [0.09, 0.11])
    wide = table.pivot(index="layer", columns="profile", values="ratio")
    assert wide.shape == (3, 2)


def test_comparison_without_measurement_beyond_floats_and_with_labels():
    table = compare(grown(800, 0.5), grown(800, 0.501), labels=["a", "b"])
    assert table["ratio"].isna().all()
    assert table["inside"].isna().all()
    both = compare(grown(800, 0.5), grown(800, 0.501, source="training"))
    last = both[(both.layer == 800) & (both.source == "meanfield")]
    np.testing.assert_allclose(last["ratio"], 10.0**-0.8, rtol=1e-6)
    assert math.isinf(last["value"].iloc[0])
    np.testing.assert_allclose(last["log10"], 400.0)
    assert set(compare(sampled(gradients=True), metric="cosine", of="delta")["value"]) == {0.9}
    with pytest.raises(InputError, match="profiles=\\(\\) is empty"):
        compare()
    with pytest.raises(
        InputError, match=re.escape("labels=['a', 'a'] must be 2 different texts, one for each profile")
    ):
        compare(sampled(), sampled(), labels=["a", "a"])


def test_xarray_dataset_has_layers_as_coordinate_and_settings_as_attributes():
    xarray = pytest.importorskip("xarray")
    dataset = sampled(gradients=True, method="dropout", budget=0.5, sampled_layers=[1, 2], scaled=True).to_xarray()
    assert isinstance(dataset, xarray.Dataset)
    np.testing.assert_array_equal(dataset["layer"], [1, 2, 3])
    np.testing.assert_allclose(dataset["relative_error"].sel(layer=2), 0.2)
    np.testing.assert_allclose(dataset["weight_gradient_ci95_high"], [0.11, 0.22, 0.33])
    assert dataset.attrs["source"] == "simulate"
    assert (dataset.attrs["method"], dataset.attrs["budget"]) == ("dropout", 0.5)
    assert (dataset.attrs["sampled_layers"], dataset.attrs["scaled"]) == ("[1, 2]", "true")


def test_missing_xarray_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(
        MissingError, match=re.escape("xarray is not installed; `pip install xarray`, or use to_pandas()")
    ):
        sampled().to_xarray()


def test_long_profiles_are_abbreviated():
    deep = ErrorProfile("meanfield", grown(10_000, 0.5).layers, 0.0, {"sampled_layers": list(range(1, 10_001))})
    lines = str(deep).splitlines()
    numbers = [int(line.split()[0]) for line in lines[2:-1] if line.split()[0].isdigit()]
    assert numbers[:5] == [1, 2, 3, 4, 5]
    assert numbers[-5:] == [9996, 9997, 9998, 9999, 10_000]
    assert 10 < len(numbers) < 25
    assert lines[-1] == f"({len(numbers)} of 10000 layers; to_pandas() holds them all)"
    assert lines[0] == "meanfield: error by layer  (sampled_layers [1, 2, …, 10000])"
    assert "1.000e+5000" in lines[-2]
    assert [at for at, line in enumerate(lines[2:]) if line.strip() == "…"] == [5, len(numbers) - 4]
    assert len(str(sampled(24)).splitlines()) == 26
    html = deep._repr_html_()
    assert html.count("<tr>") == len(numbers) + 3
    assert f"({len(numbers)} of 10000 layers; to_pandas() holds them all)" in html


@pytest.mark.parametrize("depth", [25, 26, 40, 512])
def test_abbreviated_layers_are_in_order_and_each_once(depth):
    numbers = [int(line.split()[0]) for line in str(sampled(depth)).splitlines()[2:-1] if line.strip() != "…"]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (1, depth)


def test_notebook_form_holds_a_picture_with_its_data():
    html = sampled()._repr_html_()
    start = html.index("base64,") + len("base64,")
    picture = base64.b64decode(html[start : html.index('"', start)]).decode()
    assert "<svg" in picture
    assert len(html) < 30_000
