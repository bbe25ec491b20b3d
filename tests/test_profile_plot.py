from __future__ import annotations

import math

import numpy as np
import pytest
from profiles import grown, profile, sampled

from approxmm.errors import InputError
from approxmm.profile import METRIC_NAMES, ErrorProfile, LayerError, Metrics
from approxmm.profile_plot import plot_profiles, save_plot
from approxmm.propagation.law import compounding


@pytest.mark.parametrize("source", ["law", "dispersed_law", "exact", "prediction", "meanfield", "closure"])
def test_closed_forms_are_lines(source):
    (line,) = profile(source).plot().lines
    assert (line.get_linestyle(), line.get_marker()) == ("-", "None")


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


@pytest.mark.parametrize(
    ("metric", "bounds"),
    [
        ("relative_error", [(0.09, 0.11), (0.18, 0.22), (0.27, 0.33)]),
        ("cosine", [(0.85, 0.95)] * 3),
        ("norm_ratio", [(1.09, 1.11), (1.18, 1.22), (1.27, 1.33)]),
    ],
)
def test_intervals_of_every_metric_are_drawn(metric, bounds):
    ax = sampled().plot(metric=metric)
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in segments], bounds)
    assert not sampled().plot(metric="relative_to_estimate").collections


def test_an_interval_that_reaches_zero_ends_a_decade_below_the_points():
    figures = Metrics(0.1, 0.1, 0.9, 1.0, (0.0, 0.3))
    ax = ErrorProfile("simulate", (LayerError(1, figures, figures),)).plot()
    np.testing.assert_allclose(ax.collections[0].get_segments()[0][:, 1], [0.01, 0.3])


def test_gradients_are_drawn_and_a_profile_without_them_is_named():
    ax = sampled(gradients=True).plot(sampled(gradients=True, source="training"), of="weight_gradient")
    assert len(ax.collections) == 2
    assert "gradient by weights" in ax.get_ylabel()
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="of='delta': the profile 'exact' holds no such figures; compute it with"):
        sampled(gradients=True).plot(profile("exact"), of="delta")
    with pytest.raises(InputError, match="of='inputs' is unknown; choose one of output, pre_activation, delta, weight"):
        profile().plot(of="inputs")


def test_values_beyond_floats_are_drawn_by_their_logarithms():
    deep = grown(10_000, 0.5)
    assert math.isinf(deep.layers[-1].output.relative_error)
    for metric in ("relative_error", "norm_ratio"):
        ax = deep.plot(sampled(), metric=metric)
        assert ax.get_yscale() == "linear"
        drawn = np.asarray(ax.lines[0].get_ydata())
        np.testing.assert_allclose(drawn[[0, -1]], [0.5, 5000.0], rtol=1e-9)
        ax.figure.canvas.draw()
        assert "$10^{4000}$" in [text.get_text() for text in ax.get_yticklabels()]
    np.testing.assert_allclose(deep.plot(metric="relative_to_estimate").lines[0].get_ydata(), 1.0, rtol=1e-9)
    vanishing = compounding(1, 3000).profile()
    drawn = np.asarray(vanishing.plot(metric="norm_ratio").lines[0].get_ydata())
    np.testing.assert_allclose(drawn[-1], -6000 * math.log10(2), rtol=1e-9)


def test_many_layers_are_points_at_some_and_a_thin_line_through_all():
    ax = sampled(600).plot(grown(600, 0.01))
    points, thin, closed = ax.lines
    assert (len(points.get_xdata()), len(thin.get_xdata()), len(closed.get_xdata())) == (60, 600, 600)
    assert (points.get_xdata()[0], points.get_xdata()[-1]) == (1, 600)
    assert len(ax.collections[0].get_segments()) == 60
    assert len(ax.get_legend().get_texts()) == 2


def test_profiles_of_one_source_are_told_apart_by_their_settings():
    ax = sampled(method="dropout", budget=0.5).plot(sampled(method="dropout", budget=0.25), profile("exact", budget=1))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["simulate (budget 0.5)", "simulate (budget 0.25)", "exact"]


def test_saved_plots(tmp_path):
    save_plot([sampled(gradients=True)], tmp_path / "a.svg", metrics=["cosine"], of=["delta"])
    assert "<svg" in (tmp_path / "a.svg").read_text()
