"""The two questions: the cheapest budgets for an error, and the least error for a cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from approxmm.profile import ErrorProfile
from approxmm.propagation.advice import BudgetPlan
from approxmm.propagation.advice_bench import Bench
from approxmm.propagation.advice_menu import Counts
from approxmm.propagation.advice_model import BudgetModel
from approxmm.propagation.advice_search import Family, largest_allowed, output_error

__all__ = ["ForCost", "ForTarget"]

_PREDICTED_TOLERANCE = 0.003
_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class ForTarget:
    """Budgets whose error is at most the target."""

    target: float
    bench: Bench

    def error(self, model: BudgetModel, equal: BudgetPlan | None) -> float:
        """Return the error that is aimed at."""
        return self.target

    def equal(self, model: BudgetModel) -> BudgetPlan | None:
        """Return the smallest equal budget."""
        return self._settled(model, model.equal_family(), start=1.0, ask_engine=True)

    def unequal(self, model: BudgetModel, equal: BudgetPlan | None) -> BudgetPlan | None:
        """Return the cheapest budgets by the model, first where it meets the target if it errs as with equal ones."""
        family = model.unequal_family(self.target)
        if family is None:
            return None
        start = self.target
        if equal is not None and 0.0 < equal.error < math.inf:
            start *= model.error(equal.counts) / equal.error
        return self._settled(model, family, start, ask_engine=self.bench.follows_errors)

    def better(self, unequal: BudgetPlan | None, equal: BudgetPlan | None) -> BudgetPlan | None:
        """Return the cheaper one: budgets that may differ may also be equal."""
        if unequal is None or (equal is not None and equal.counted < unequal.counted):
            return equal
        return unequal

    def _settled(self, model: BudgetModel, family: Family, start: float, *, ask_engine: bool) -> BudgetPlan | None:
        """Return the member that the engine, or else the start, proposes, corrected by simulation if need be."""
        bench, aim, position, searched = self.bench, self.target, family.clip(start), False
        counts = family.counts(position)
        if ask_engine:
            found = largest_allowed(family, bench.predict, aim, start, _PREDICTED_TOLERANCE)
            position, counts = (family.span[0], None) if found is None else (found.position, found.counts)
        proposed = counts
        for _ in range(_ROUNDS):
            if counts is not None:
                simulated = bench.verify(counts)
                if not self._contradicts(simulated, searched):
                    return bench.plan_of(model, counts, simulated, corrected=counts != proposed)
                ratio = self.target / max(output_error(simulated), self.target * 1e-3)
                position *= ratio
                aim *= ratio if searched else 1.0
            searched = True
            found = largest_allowed(family, bench.simulate_counts, aim, position, bench.precision)
            if found is None:
                return None
            position, counts = found.position, found.counts
        return None

    def _contradicts(self, simulated: ErrorProfile, searched: bool) -> bool:
        """Return whether the interval lies above the target; before any search, also whether it lies far below."""
        error = output_error(simulated)
        low, high = simulated.layers[-1].output.ci95 or (error, error)
        too_cautious = high < self.target * (1.0 - self.bench.precision)
        return low > self.target or (too_cautious and not searched)


@dataclass(frozen=True, eq=False)
class ForCost:
    """Budgets whose cost is at most the limit."""

    limit: float
    bench: Bench

    def error(self, model: BudgetModel, equal: BudgetPlan | None) -> float:
        """Return the error that is aimed at: that of the best equal budget, without knowledge of gains."""
        counts = model.most_accurate(self.limit) if equal is None else equal.counts
        return 1.0 if counts is None else model.error(counts)

    def equal(self, model: BudgetModel) -> BudgetPlan | None:
        """Return the largest equal budget."""
        share = model.largest_share(self.limit)
        return None if share is None else self._verified(model, model.equal(share))

    def unequal(self, model: BudgetModel, equal: BudgetPlan | None) -> BudgetPlan | None:
        """Return the budgets of least error by the model."""
        counts = model.most_accurate(self.limit)
        return None if counts is None else self._verified(model, counts)

    def better(self, unequal: BudgetPlan | None, equal: BudgetPlan | None) -> BudgetPlan | None:
        """Return the one of smaller error: budgets that may differ may also be equal."""
        if unequal is None or (equal is not None and equal.error < unequal.error):
            return equal
        return unequal

    def _verified(self, model: BudgetModel, counts: Counts) -> BudgetPlan:
        return self.bench.plan_of(model, counts, self.bench.verify(counts))
