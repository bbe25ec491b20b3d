"""What is measured around the chosen budgets: gains of layers, error by depth, cost against error."""

from __future__ import annotations

import math

import numpy as np

from approxmm.propagation.advice import BudgetPlan, DepthCurve
from approxmm.propagation.advice_bench import Bench
from approxmm.propagation.advice_menu import budgeted
from approxmm.propagation.advice_model import BudgetModel
from approxmm.propagation.advice_search import output_error
from approxmm.propagation.onestep import one_step_errors

__all__ = ["best_draws", "depth_curve", "layer_gains", "trade_off"]

_TRADE_POINTS, _TRADE_REACH = 13, 30.0
_SMALLEST_SHARE, _FINE_FROM, _FEW = 0.005, 0.15, 5


def layer_gains(bench: Bench, model: BudgetModel, error: float) -> np.ndarray:
    """Return how much of each layer's own error reaches the output, with that layer alone sampled.

    It is measured at errors of the size that each layer may have if the output is to have `error`.
    """
    counts = model.even(error)
    own = one_step_errors(bench.network, budgeted(bench.plan, counts), bench.inputs, batch=bench.simulation["batch"])
    gains = np.ones(len(counts))
    for done, menu in enumerate(model.menus, start=1):
        alone: list[int | None] = [None] * len(counts)
        alone[menu.layer - 1] = counts[menu.layer - 1]
        arrived = output_error((bench.predict if bench.follows_errors else bench.simulate_counts)(tuple(alone)))
        if own[menu.layer - 1] > 0.0 and 0.0 < arrived < math.inf:
            gains[menu.layer - 1] = arrived / own[menu.layer - 1]
        bench.progress(done, len(model.menus), "gains of layers")
    return gains


def depth_curve(bench: Bench, model: BudgetModel) -> DepthCurve:
    """Return the errors by depth of equal budgets: predicted for a range, simulated for the largest that pays."""
    smallest = max(_SMALLEST_SHARE, 1.0 / max(menu.size for menu in model.menus))
    small = np.geomspace(smallest, max(smallest, _FINE_FROM), _FEW, endpoint=False)
    large = np.linspace(max(smallest, _FINE_FROM), 1.0, 2 * _FEW)
    shares = np.unique([*small, *large, *np.geomspace(1.0, model.most_share, _FEW)])
    errors = []
    for done, share in enumerate(shares, start=1):
        errors.append(bench.predict(model.equal(share)).relative_error)
        bench.progress(done, len(shares), "errors by depth")
    costs = np.array([model.counted(model.cost(model.equal(share))) for share in shares])
    share_below = model.largest_share(1.0, strictly=True)
    largest = None
    if share_below is not None:
        counts = model.equal(share_below)
        largest = bench.plan_of(model, counts, bench.verify(counts, precisely=False))
    return DepthCurve(shares, costs, np.array(errors), largest)


def best_draws(model: BudgetModel, target: float, equal: BudgetPlan | None) -> float | None:
    """Return the cost of the best draws for every layer, at the model's error where the simulation meets the target."""
    calibrated = target
    if equal is not None and 0.0 < equal.error < math.inf:
        calibrated *= model.error(equal.counts) / equal.error
    return model.draws(calibrated)


def trade_off(model: BudgetModel, unequal: BudgetPlan | None) -> np.ndarray:
    """Return (error, cost) of the best unequal budgets for errors around that of `unequal`, (S, 2)."""
    centre = 0.0 if unequal is None else model.error(unequal.counts)
    if unequal is None or not (centre > 0.0 and unequal.error > 0.0):
        return np.empty((0, 2))
    rows = []
    for error in np.geomspace(centre / _TRADE_REACH, centre * _TRADE_REACH, _TRADE_POINTS):
        counts = model.cheapest(error)
        if counts is not None:
            scaled = model.error(counts) * unequal.error / centre
            rows.append((scaled, model.counted(model.cost(counts))))
    return np.array(rows).reshape(-1, 2)
