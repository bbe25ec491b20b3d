from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.profile import METRIC_NAMES, ErrorProfile, LayerError, Metrics, metrics_from_logs, metrics_from_moments
from approxmm.profile_plot import plot_profiles
from approxmm.propagation.law import compounding

vectors = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=6)


def profile(source="exact", errors=(0.1, 0.3), intervals=True, **settings):
    layers = []
    for k, error in enumerate(errors, start=1):
        ci95 = (0.9 * error, 1.1 * error) if intervals and source == "simulate" else None
        layers.append(
            LayerError(k, metrics_from_moments(1.0, 1 + error, 1.0, error, ci95), metrics_from_moments(1, 1, 1))
        )
    return ErrorProfile(source, tuple(layers), 0.5, settings)


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


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_plot_draws_lines_for_closed_forms_and_points_for_samples(metric):
    ax = profile("exact").plot(profile("simulate"), metric=metric)
    assert len(ax.lines) == 2
    assert [line.get_linestyle() for line in ax.lines] == ["-", "None"]
    assert ax.get_yscale() == ("linear" if metric == "cosine" else "log")
    expected = [getattr(layer.output, metric) for layer in profile().layers]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), expected)
    assert len(ax.collections) == (metric == "relative_error")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["exact", "simulate"]
    ax.figure.canvas.draw()


def test_plot_on_given_axes_with_labels():
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    assert plot_profiles([profile(), profile()], ax=ax, labels=["one", "two"]) is ax
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]


@pytest.mark.parametrize("errors", [(0.0, 0.0), (0.0, 0.2), (math.inf, 0.2), (math.inf, math.inf)])
@pytest.mark.parametrize("source", ["exact", "simulate"])
def test_plot_of_zero_or_infinite_errors_neither_warns_nor_lies(source, errors):
    ax = profile(source, errors).plot()
    ax.figure.canvas.draw()
    drawn = np.asarray(ax.lines[0].get_ydata(), dtype=float)
    np.testing.assert_array_equal(np.isnan(drawn), [not (0 < e < math.inf) for e in errors])


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
