"""The figures: drawn for any records, honest about what a log axis cannot show."""

from __future__ import annotations

import subprocess
import sys
import threading
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from approxmm.reporting.canvas import drawing
from approxmm.reporting.figures import FIGURES, Drawing, draw_figures
from approxmm.reporting.series import method_styles, series_of
from approxmm.studies.study import Study

KINDS = {kind.name: kind for kind in FIGURES}


def figure(name, table, **settings):
    tables = {KINDS[name].table: table}
    assert KINDS[name].fits(tables)
    with drawing():
        drawn = KINDS[name].draw(Drawing(tables, method_styles(tables), **settings))
        drawn.draw_without_rendering()
    return drawn


def words(drawn):
    return " ".join(text.get_text() for axes in drawn.axes for text in axes.texts)


def one_layer(**values):
    row = {"method": "dropout", "budget": 0.5, "depth": 1, "layer": 1, "prediction": 1.0, "law": np.nan}
    return pd.DataFrame([row | {"simulated": 1.1, "ci_low": 1.0, "ci_high": 1.2, "training": 1.0} | values])


@pytest.mark.parametrize("name", KINDS)
def test_every_figure_fits_its_canvas(study, name):
    drawn = figure(name, study.tables[KINDS[name].table], **({"chance": 0.1} if name == "accuracy" else {}))
    width, height = drawn.bbox.width, drawn.bbox.height
    for artist in [*drawn.axes, *drawn.legends]:
        box = (
            artist.get_tightbbox(drawn.canvas.get_renderer())
            if hasattr(drawn.canvas, "get_renderer")
            else artist.get_tightbbox()
        )
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


@pytest.mark.parametrize("name", KINDS)
def test_every_figure_takes_records_without_numbers(study, name):
    table = study.tables[KINDS[name].table].copy()
    numbers = [
        c for c in table.columns if c not in ("method", "budget", "options", "depth", "layer", "status", "ratio")
    ]
    table[numbers] = np.nan
    figure(name, table)


def test_all_runs_diverged(study):
    table = study.tables["accuracy"].assign(status="diverged", test_accuracy=np.nan, test_accuracy_sampled=np.nan)
    drawn = figure("accuracy", table)
    crosses = [line for line in drawn.axes[0].lines if line.get_marker() == "x"]
    assert sum(len(line.get_xdata()) for line in crosses) == table.groupby(["method", "depth"]).ngroups


def test_accuracy_is_the_mean_of_the_runs_that_finished():
    rows = [(0, "finished", 0.8), (1, "finished", 0.9), (2, "diverged", 0.1)]
    table = pd.DataFrame(rows, columns=["seed", "status", "test_accuracy"]).assign(
        method="dropout", budget=0.5, depth=3, test_accuracy_sampled=np.nan
    )
    left = figure("accuracy", table, chance=0.1).axes[0]
    assert left.lines[0].get_ydata() == pytest.approx([0.85])
    assert left.collections[0].get_segments()[0][:, 1] == pytest.approx([0.8, 0.9])
    assert "chance 0.1" in words(left.figure)


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (0.0, "exact zeros: not drawn"),
        (np.inf, "infinite values: not drawn"),
        (-1.0, "negative values: not drawn"),
    ],
)
def test_what_a_log_axis_cannot_show_is_said(value, note):
    assert note in words(figure("compounding", one_layer(prediction=value)))
    assert note not in words(figure("compounding", one_layer()))


def test_nothing_to_draw_is_said():
    missing = dict.fromkeys(("prediction", "simulated", "ci_low", "ci_high", "training"), np.nan)
    assert "no finite value" in words(figure("compounding", one_layer(**missing)))


def test_an_interval_that_reaches_zero_runs_to_the_edge():
    axes = figure("compounding", one_layer(ci_low=0.0)).axes[0]
    low, high = axes.collections[0].get_segments()[0][:, 1]
    assert low < axes.get_ylim()[0]
    assert high == 1.2


def test_extreme_values():
    table = pd.concat([one_layer(simulated=1e-320), one_layer(layer=2, simulated=1e307, ci_high=np.inf)])
    assert "values beyond 1e±150: not drawn" in words(figure("compounding", table))
    figure("compounding", pd.concat([one_layer(simulated=1e-149), one_layer(layer=2, simulated=1e149, ci_high=1e149)]))


def test_output_error_takes_the_last_layer(study):
    drawn = figure("output_error", study.tables["compounding"])
    table = study.tables["compounding"].query("method == 'dropout' and layer == depth")
    expected = table["prediction"].where(table["prediction"] > 0).to_numpy()
    np.testing.assert_array_equal(drawn.axes[0].lines[0].get_ydata(), expected)


def test_a_method_looks_the_same_in_every_figure(study):
    styles = method_styles(study.tables)
    assert len({(s.colour, s.marker) for s in styles.values()}) == len(styles)
    some = method_styles({"accuracy": study.tables["accuracy"]})
    assert all(styles[name] == style for name, style in some.items())


def test_series_are_told_apart_by_budget_and_options():
    table = pd.DataFrame({"method": ["a", "a", "exact"], "budget": [0.1, 20, 1.0], "options": ["", "uniform", np.nan]})
    series = list(series_of(table, method_styles({"t": table})))
    assert [s.label for s in series] == ["a, budget 0.1", "a, budget 20, uniform", "exact"]
    assert [s.line for s in series] == ["-", "--", "-"]


def test_chance_needs_a_known_number_of_classes(study, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("approxmm.reporting.figures.save", lambda drawn, *_: (seen.append(words(drawn)), None))
    for settings in ({"data": "digits"}, {"classes": 4}, {"data": "mine"}):
        table = {"accuracy": study.tables["accuracy"].drop(columns="multiplications")}  # for one figure
        draw_figures(Study("s", "t", "u", table, {}, [], settings), tmp_path)
    assert ["chance" in text for text in seen] == [True, True, False]
    assert "chance 0.25" in seen[1]


def test_drawing_leaves_matplotlib_as_it_was_and_works_in_threads(study, tmp_path):
    before = dict(mpl.rcParams)
    small = Study("s", "t", "u", {"law": study.tables["law"]}, {}, [])
    workers = [threading.Thread(target=draw_figures, args=(small, tmp_path / str(i))) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert dict(mpl.rcParams) == before
    assert len({(tmp_path / str(i) / "law.svg").read_bytes() for i in range(3)}) == 1
    ET.fromstring((tmp_path / "0" / "law.svg").read_text())


def test_heavy_libraries_wait_for_the_first_report():
    heavy = ("matplotlib", "pandas", "jinja2", "latex2mathml")
    code = f"import sys, approxmm.reporting; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
