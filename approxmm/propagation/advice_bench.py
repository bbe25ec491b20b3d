"""What every step of finding budgets needs: the network, its inputs, and how errors are predicted and simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from approxmm.errors import InputError, NotAvailableError
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.propagation.advice import BudgetPlan
from approxmm.propagation.advice_menu import Counts, budgeted
from approxmm.propagation.advice_model import BudgetModel
from approxmm.propagation.engines import ENGINES, Task
from approxmm.propagation.plan import Plan
from approxmm.propagation.simulate import simulate

__all__ = ["Bench", "Progress", "with_engine"]

_PREFERRED = ("exact", "onestep", "simulate")
_OTHER_DRAWS = 1 << 62  # flips one bit of the seed: a search does not see the draws that verify its result
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True, eq=False)
class Bench:
    """A network with its inputs, and the ways to get the error of given budgets.

    Attributes
    ----------
    network, plan, inputs, sample_output
        As for `simulate`; the plan's budgets play no part.
    simulation : dict
        Trials, batch and workers.
    precision : float
        Of a verification.
    seed : int
    progress : callable (done, total, what)
    engine : str
        What predicts.
    """

    network: Network
    plan: Plan
    inputs: np.ndarray
    sample_output: bool
    simulation: dict[str, Any]
    precision: float
    seed: int
    progress: Progress
    engine: str = "simulate"

    @property
    def follows_errors(self) -> bool:
        """Whether the engine follows an error to the output: one-step errors know nothing of what becomes of it."""
        return self.engine != "onestep"

    def tally(self, what: str) -> Callable[[float, float], None]:
        """Return a progress function of two numbers."""
        return lambda done, total: self.progress(done, total, what)

    def predict(self, counts: Counts) -> ErrorProfile:
        """Return the engine's error of given budgets."""
        settings = {**self.simulation, "precision": None, "seed": self.seed ^ _OTHER_DRAWS, "progress": None}
        task = Task(self.network, budgeted(self.plan, counts), self.inputs, self.sample_output, settings)
        return ENGINES[self.engine](task)

    def simulate_plan(self, plan: Plan) -> ErrorProfile:
        """Return a plan's error by the draws of the search."""
        return simulate(self.network, plan, self.inputs, seed=self.seed ^ _OTHER_DRAWS, **self.simulation)

    def simulate_counts(self, counts: Counts) -> ErrorProfile:
        """Return the error of given budgets by the draws of the search."""
        report = self.tally("simulating budgets")
        plan = budgeted(self.plan, counts)
        return simulate(
            self.network, plan, self.inputs, seed=self.seed ^ _OTHER_DRAWS, progress=report, **self.simulation
        )

    def verify(self, counts: Counts, *, precisely: bool = True) -> ErrorProfile:
        """Return the error of given budgets by draws that no search has seen."""
        return simulate(
            self.network,
            budgeted(self.plan, counts),
            self.inputs,
            seed=self.seed,
            precision=self.precision if precisely else None,
            progress=self.tally("verifying"),
            **self.simulation,
        )

    def plan_of(
        self, model: BudgetModel, counts: Counts, simulated: ErrorProfile, *, corrected: bool = False
    ) -> BudgetPlan:
        """Return budgets with everything that is known of them."""
        cost = model.cost(counts)
        return BudgetPlan(
            methods=budgeted(self.plan, counts),
            counts=counts,
            layer_costs=model.fractions(counts),
            cost=cost,
            counted=model.counted(cost),
            predicted=self.predict(counts),
            simulated=simulated,
            corrected=corrected,
            bound=model.bounds.get(counts),
        )


def with_engine(bench: Bench, engine: str | None, model: BudgetModel) -> Bench:
    """Return the bench with the engine asked for, if it applies, or with the first of those preferred that does."""
    if engine is not None and engine not in ENGINES:
        raise InputError(f"engine={engine!r} is unknown; choose one of {', '.join(ENGINES)}")
    trial = model.equal(0.5)
    if engine is not None:
        chosen = replace(bench, engine=engine)
        chosen.predict(trial)
        return chosen
    for name in _PREFERRED[:-1]:
        chosen = replace(bench, engine=name)
        try:
            chosen.predict(trial)
        except NotAvailableError:
            continue
        return chosen
    return replace(bench, engine=_PREFERRED[-1])
