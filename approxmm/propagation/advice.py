"""Advice: budgets for a target error, what they cost, and up to which depth they pay."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.methods.contract import Cost
from approxmm.profile import ErrorProfile, Interval
from approxmm.propagation.advice_menu import Counts
from approxmm.propagation.advice_search import output_error
from approxmm.propagation.plan import Plan

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Advice", "BudgetPlan", "DepthCurve"]


@dataclass(frozen=True, eq=False)
class BudgetPlan:
    """Budgets for every layer, with what they cost and the error that they make.

    Attributes
    ----------
    methods : tuple of Method or None
        One a layer, ready for `simulate`, `propagate` and the other engines; None where the product is exact.
    counts : tuple of int or None
        Their budgets in items of the sampled side.
    layer_costs : tuple of float
        What is counted of each layer's cost, as a fraction of the layer's exact product.
    cost : Cost
        Multiplications of the whole network, as fractions of the exact network's.
    counted : float
        The part of it that is counted.
    predicted : ErrorProfile
        By the engine of the advice.
    simulated : ErrorProfile
        With draws that no search has seen.
    corrected : bool
        Whether the simulation contradicted the first budgets, so that these were searched by simulation.
    bound : float or None
        By the model of the search, no choice of budgets with as small an error costs less (fraction); None for equal
        budgets.
    """

    methods: Plan
    counts: Counts
    layer_costs: tuple[float, ...]
    cost: Cost
    counted: float
    predicted: ErrorProfile
    simulated: ErrorProfile
    corrected: bool = False
    bound: float | None = None

    @property
    def error(self) -> float:
        """The simulated relative error at the output."""
        return output_error(self.simulated)

    @property
    def interval(self) -> Interval:
        """Its 95 % interval: a single point where nothing is random."""
        return self.simulated.layers[-1].output.ci95 or (self.error, self.error)

    @property
    def samples_something(self) -> bool:
        """Whether any product is left to the method."""
        return any(count is not None for count in self.counts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "budgets": list(self.counts),
            "layer_costs": list(self.layer_costs),
            "cost": self.counted,
            "cost_product": self.cost.product,
            "cost_selection": self.cost.selection,
            "cost_upkeep": self.cost.upkeep,
            "cost_bound": self.bound,
            "predicted_error": _finite(output_error(self.predicted)),
            "simulated_error": _finite(self.error),
            "ci95": [_finite(bound) for bound in self.interval],
            "trials": self.simulated.settings.get("trials"),
            "corrected": self.corrected,
        }


@dataclass(frozen=True, eq=False)
class DepthCurve:
    """The error by depth of equal budgets, from small to large, and where they stop to pay.

    Attributes
    ----------
    shares : (S,) array
        Budgets as fractions of the sampled side.
    costs : (S,) array
        Counted cost of the network, as a fraction of the exact one.
    errors : (S, L) array
        Predicted relative error of each layer's output.
    largest : BudgetPlan or None
        The largest equal budget that costs less than the exact products; None if there is none.
    """

    shares: np.ndarray
    costs: np.ndarray
    errors: np.ndarray
    largest: BudgetPlan | None

    def paying_depth(self, target: float) -> int:
        """Return the last layer up to which an equal budget below the exact cost keeps the error (simulated)."""
        if self.largest is None:
            return 0
        fails = np.flatnonzero(~(self.largest.simulated.relative_error <= target))
        return int(fails[0]) if fails.size else self.largest.simulated.depth

    def share_needed(self, target: float) -> np.ndarray:
        """Return the predicted equal budget that keeps each layer's error at the target, (L,); NaN beyond the curve."""
        needed = np.full(self.errors.shape[1], np.nan)
        for k, column in enumerate(self.errors.T):
            meets = np.flatnonzero(column <= target)
            if not meets.size:
                continue
            i = int(meets[0])
            needed[k] = self.shares[i]
            if i > 0 and math.isfinite(column[i - 1]):
                part = _part(target, column[i], column[i - 1])
                needed[k] = self.shares[i] ** (1.0 - part) * self.shares[i - 1] ** part
        return needed


@dataclass(frozen=True, eq=False)
class Advice:
    """Budgets for a target error, or for a total cost.

    Attributes
    ----------
    network : str
        What the advice is for.
    method : str
    sizes : tuple of int or None
        Items on the sampled side of each layer; None where the product was to stay exact.
    target, cost_limit : float or None
        What was asked for: one of them.
    engine : str
        What predicts the error of given budgets.
    counts_upkeep : bool
        Whether the counted cost includes what keeps norms and indexes true after a change of all weights.
    equal, unequal : BudgetPlan or None
        The cheapest with one fraction for all layers, and with a budget, or an exact product, for each; None where
        no budget meets the target.
    gains : (L,) array
        How much of a layer's own error reaches the output, measured with that layer alone sampled; 1 where unknown.
    depths : DepthCurve
    draws : float or None
        For laws whose error is inverse to the draws: cost of the best unequal budgets that sample every layer, at one
        product of a pair for each draw, also beyond the number of pairs (fraction of the exact products).
    trade : (S, 2) array
        Error and cost of the best unequal budgets over a range of targets, by the model scaled to the simulation.
    seconds : float
    settings : dict
        Seed, batch, inputs, precision.
    """

    network: str
    method: str
    sizes: tuple[int | None, ...]
    target: float | None
    cost_limit: float | None
    engine: str
    counts_upkeep: bool
    equal: BudgetPlan | None
    unequal: BudgetPlan | None
    gains: np.ndarray
    depths: DepthCurve
    draws: float | None
    trade: np.ndarray
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> BudgetPlan | None:
        """The cheapest budgets found: the unequal ones, which may be equal."""
        return self.unequal

    @property
    def pays(self) -> bool:
        """Whether the best budgets cost less than the exact products."""
        return self.best is not None and self.best.counted < 1.0

    @property
    def statements(self) -> tuple[str, ...]:
        """What follows from the figures, one sentence each."""
        from approxmm.propagation.advice_text import statements

        return statements(self)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a layer, indexed by ``layer``: size, gain, and for both plans budget, share and cost."""
        import pandas as pd

        rows = []
        for k, size in enumerate(self.sizes):
            row: dict[str, Any] = {"layer": k + 1, "size": size, "gain": math.nan if size is None else self.gains[k]}
            for name, plan in (("equal", self.equal), ("unequal", self.unequal)):
                count = None if plan is None else plan.counts[k]
                row[f"{name}_budget"] = math.nan if count is None else count
                row[f"{name}_share"] = math.nan if count is None or size is None else count / size
                row[f"{name}_cost"] = math.nan if plan is None else plan.layer_costs[k]
            rows.append(row)
        return pd.DataFrame(rows).set_index("layer")

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON form (finite numbers or null)."""
        depths: dict[str, Any] = {
            "budget_below_exact_cost": None,
            "shares": self.depths.shares.tolist(),
            "costs": self.depths.costs.tolist(),
            "predicted_errors": [[_finite(error) for error in row] for row in self.depths.errors],
        }
        if self.depths.largest is not None:
            depths["budget_below_exact_cost"] = self.depths.largest.to_dict()
        if self.target is not None:
            depths["paying_depth"] = self.depths.paying_depth(self.target)
            depths["share_needed"] = [_finite(share) for share in self.depths.share_needed(self.target)]
        return {
            "network": self.network,
            "method": self.method,
            "target": self.target,
            "cost_limit": self.cost_limit,
            "engine": self.engine,
            "counted": "product, selection and upkeep" if self.counts_upkeep else "product and selection",
            "sizes": list(self.sizes),
            "gains": [_finite(gain) for gain in self.gains],
            "equal": None if self.equal is None else self.equal.to_dict(),
            "unequal": None if self.unequal is None else self.unequal.to_dict(),
            "pays": self.pays,
            "draws_cost": self.draws,
            "depths": depths,
            "trade_off": self.trade.tolist(),
            "statements": list(self.statements),
            "settings": self.settings,
            "seconds": self.seconds,
        }

    def plot(self) -> Figure:
        """Draw cost against error and, for a target, the budget needed against depth."""
        from approxmm.propagation.advice_plot import draw_advice

        return draw_advice(self)

    def __str__(self) -> str:
        from approxmm.propagation.advice_text import described

        return described(self)

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in self.statements)
        table = self.to_pandas().to_html(float_format="%.4g", na_rep="–")
        return f"<p><b>{html.escape(self.method)}</b></p><ul>{lines}</ul>{table}"


def _part(target: float, low: float, high: float) -> float:
    """Return where the target lies between two errors, on a log scale unless the lower one is zero."""
    if low > 0.0:
        return math.log(target / low) / math.log(high / low)
    return target / high


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
