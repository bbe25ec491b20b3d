"""The page "Add your own method" is run as it stands, and its method is driven from the law to the report's study."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import approxmm as amm
from approxmm.methods import registry
from approxmm.studies.quick import quick_study
from approxmm.studies.settings import QuickSettings
from approxmm.testing import check_method

PAGE = Path(__file__).parents[2] / "docs" / "add-a-method.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page's code as one module, run from top to bottom."""
    path = tmp_path_factory.mktemp("page") / "toy_stride.py"
    path.write_text("\n".join(BLOCKS), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("toy_stride", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_stride"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["toy_stride"]


@pytest.fixture
def registered(page, monkeypatch):
    """The method under its name, as if another package had declared it."""
    point = EntryPoint("stride", "toy_stride:Stride", "approxmm.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    registry._plugins.cache_clear()
    registry.method_class.cache_clear()
    yield "stride"
    registry._plugins.cache_clear()
    registry.method_class.cache_clear()


def test_the_page_has_its_three_blocks():
    assert len(BLOCKS) == 3


def test_the_method_conforms(page):
    for budget in (0.5, 0.25, 2, 1.0):
        assert "draws follow the law" in check_method(page.Stride(budget=budget))


def test_it_is_known_by_name(registered):
    assert registered in amm.available_methods()
    assert amm.get_method(registered, 0.5).stride(10) == 2


def test_theory_meets_simulation(page):
    network = amm.Network.random([20, 30, 10], activation="linear", bias_std=0.2, seed=2)
    x = np.random.default_rng(2).standard_normal((4, 20))
    law = page.Stride(budget=0.25)
    exact = amm.exact_moments(network, law, x, sample_output=True).relative_error
    measured = amm.simulate(network, law, x, trials=4000, sample_output=True, confidence=1 - 1e-9)
    for value, layer in zip(exact, measured.layers, strict=True):
        low, high = layer.output.ci95
        assert low <= value <= high


def test_the_study_picks_it_up(registered):
    settings = QuickSettings(
        methods=("exact", registered),
        depths=(1,),
        width=20,
        epochs=1,
        seeds=1,
        budget=0.5,
        trials=10,
        linear_trials=10,
        linear_inputs=2,
        probe=20,
        theorems=(),
    )
    study = quick_study(settings, workers=1)
    assert set(study.tables["accuracy"]["method"]) == {"exact", registered}
    assert (study.tables["compounding"]["method"] == registered).all()


def test_a_broken_law_is_refused(page):
    class Twice(page.Stride):
        def moments_of(self, importance):
            law = super().moments_of(importance)
            return amm.methods.ScaleMoments(2 * law.mean, law.diagonal, law.common, law.support, law.dense)

    with pytest.raises(AssertionError, match=r"stride.*moments are those of the outcomes.*the mean"):
        check_method(Twice(budget=0.5))
