"""The cheapest budgets for a target error, proposed by theory and verified by simulation.

A model (each layer's own error, its gain to the output, the cost of its budgets) proposes budgets; an engine predicts
their error; the simulation has the last word. Where it contradicts the prediction, the budgets are searched by
simulation, along the family that the model orders.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.propagation.advice import Advice
from approxmm.propagation.advice_bench import Bench, Progress, with_engine
from approxmm.propagation.advice_curves import best_draws, depth_curve, layer_gains, trade_off
from approxmm.propagation.advice_menu import make_menus
from approxmm.propagation.advice_model import BudgetModel
from approxmm.propagation.advice_question import ForCost, ForTarget
from approxmm.propagation.plan import Plan, make_plan

__all__ = ["advise"]


def advise(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    target: float | None = None,
    cost: float | None = None,
    sample_output: bool = False,
    engine: str | None = None,
    exact_allowed: bool = True,
    upkeep: bool = False,
    batch: int = 1,
    trials: int = 200,
    precision: float = 0.03,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Advice:
    """Return the cheapest budgets for a target error at the output, or the least error for a total cost.

    Parameters
    ----------
    network, method, inputs, sample_output, batch, seed, workers
        As for `simulate`; budgets given with the method play no part.
    target : float, optional
        Relative squared error E‖ŷ − y‖²/E‖y‖² of the output.
    cost : float, optional
        Instead of a target: multiplications as a fraction of the exact network's.
    engine : str, optional
        What predicts errors, a name from `ENGINES`; by default the first of exact, onestep, simulate that applies.
    exact_allowed : bool
        Whether unequal budgets may leave layers exact.
    upkeep : bool
        Count also what keeps norms and indexes true after a change of all weights, as in training.
    trials : int
        Of the simulations that search; those that verify start from as many.
    precision : float
        The verification's interval is at most ± this fraction of the error; budgets are corrected where it lies above
        the target, or further below it than this fraction.
    progress : callable (done, total, what), optional

    Raises
    ------
    InputError
        If an argument is out of range, the method is exact, or no layer is sampled.
    NotAvailableError
        If the engine asked for does not apply.

    Notes
    -----
    Verified means: the 95 % interval of a simulation with fresh draws does not lie above the target. Not claimed: that
    no other budgets are cheaper. The choice is the cheapest by a model (`BudgetPlan.bound` is what it proves), and
    errors of layers do not add exactly as it says.
    """
    started = time.perf_counter()
    _check(target, cost, precision, batch)
    network = network.astype(np.float64)
    plan, x = make_plan(network, method, sample_output=sample_output), network.check_inputs(inputs)
    simulation = {"trials": trials, "batch": batch, "workers": workers}
    bench = Bench(network, plan, x, sample_output, simulation, precision, seed, progress or _silent)
    bench.verify((None,) * network.depth)  # one exact pass checks the simulation's arguments before any long work
    menus, lawful = make_menus(network, plan, x, batch, bench.simulate_plan, bench.tally("errors of single layers"))
    model = BudgetModel(network, plan, tuple(menus), batch, upkeep, exact_allowed, np.ones(network.depth))
    advice = _answered(with_engine(bench, engine, model), model, target, cost, lawful)
    return replace(advice, seconds=time.perf_counter() - started)


def _answered(bench: Bench, model: BudgetModel, target: float | None, cost: float | None, lawful: bool) -> Advice:
    """Return the advice, with gains measured if the menus' errors are those of single products."""
    question = ForCost(cost, bench) if cost is not None else ForTarget(target or 0.0, bench)
    depths = depth_curve(bench, model)
    equal = question.equal(model)
    if lawful:
        model = replace(model, gains=layer_gains(bench, model, question.error(model, equal)))
    unequal = question.better(question.unequal(model, equal), equal)
    return Advice(
        network=repr(bench.network),
        method=_method_name(bench.plan),
        sizes=_sizes(model),
        target=target,
        cost_limit=cost,
        engine=bench.engine,
        counts_upkeep=model.upkeep,
        equal=equal,
        unequal=unequal,
        gains=model.gains,
        depths=depths,
        draws=None if target is None else best_draws(model, target, equal),
        trade=trade_off(model, unequal),
        settings={
            "seed": bench.seed,
            "batch": model.batch,
            "inputs": len(bench.inputs),
            "precision": bench.precision,
        },
    )


def _check(target: float | None, cost: float | None, precision: float, batch: int) -> None:
    if (target is None) == (cost is None):
        raise InputError(f"target={target}, cost={cost}: give one of them, the error to reach or the cost to spend")
    if target is not None and not (math.isfinite(target) and target > 0):
        raise InputError(f"target={target} must be positive and finite: 0.1 is a relative squared error of 10 %")
    if cost is not None and not 0 < cost <= 1:
        raise InputError(f"cost={cost} must lie in (0, 1]: it is a fraction of the exact network's multiplications")
    if batch < 1:
        raise InputError(f"batch={batch} must be a whole number of at least 1")
    if not (math.isfinite(precision) and 0 < precision < 1):
        raise InputError(f"precision={precision} must lie in (0, 1): 0.03 means ± 3 % of the error")


def _silent(done: float, total: float, what: str) -> None:
    """Report nothing."""


def _method_name(plan: Plan) -> str:
    names = []
    for method in plan:
        if method is not None:
            options = {k: v for k, v in method.describe().items() if k not in ("name", "budget")}
            text = method.name + (f" ({', '.join(f'{k} {v}' for k, v in options.items())})" if options else "")
            if text not in names:
                names.append(text)
    return ", ".join(names)


def _sizes(model: BudgetModel) -> tuple[int | None, ...]:
    sizes: list[int | None] = [None] * model.network.depth
    for menu in model.menus:
        sizes[menu.layer - 1] = menu.size
    return tuple(sizes)
