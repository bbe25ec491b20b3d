"""The model that budgets are chosen by: costs that add over layers, and error factors that multiply.

The error at the output is taken as Π(1 + s_k e_k(c_k)) − 1 with each layer's own error e_k and a gain s_k, how much
of it reaches the output. The model only ranks: what a choice really does is asked of an engine and of the simulation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from approxmm.methods.contract import Cost
from approxmm.network import Network
from approxmm.propagation.advice_allocation import allocate, inverse_law_budgets
from approxmm.propagation.advice_menu import Counts, LayerMenu, budgeted, layer_cost
from approxmm.propagation.advice_search import Family
from approxmm.propagation.plan import Plan

__all__ = ["BudgetModel"]

_MOST_DRAWS = 4  # a pair, where a law takes more draws than there are pairs
_REACH = 1e4  # how far from the target the model's own error may have to be


@dataclass(frozen=True, eq=False)
class BudgetModel:
    """Costs and errors of all choices of budgets.

    Attributes
    ----------
    network, plan, batch
        The plan's own budgets play no part.
    menus : tuple of LayerMenu
        One for each sampled layer.
    upkeep : bool
        Whether upkeep is counted.
    exact_allowed : bool
        Whether a layer may be given back to the exact product.
    gains : (L,) array
        s_k of each layer; those of layers that are not sampled play no part.
    bounds : dict
        What `unequal` has proved: budgets to the least cost (fraction) that reaches their error by the model.
    """

    network: Network
    plan: Plan
    menus: tuple[LayerMenu, ...]
    batch: int
    upkeep: bool
    exact_allowed: bool
    gains: np.ndarray
    bounds: dict[Counts, float] = field(init=False, repr=False, default_factory=dict)
    costs: tuple[np.ndarray, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "costs", tuple(self._menu_costs(menu) for menu in self.menus))

    @property
    def most_share(self) -> float:
        """The largest equal budget, in items for each item of the sampled side."""
        beyond = all(menu.inverse is not None and menu.accepts(_MOST_DRAWS * menu.size) for menu in self.menus)
        return float(_MOST_DRAWS) if beyond else 1.0

    def equal(self, share: float) -> Counts:
        """Return the same fraction for every sampled layer, rounded to counts of at least 1."""
        counts: list[int | None] = [None] * len(self.plan)
        for menu in self.menus:
            most = int(self.most_share * menu.size)
            counts[menu.layer - 1] = min(max(1, math.floor(share * menu.size + 0.5)), most)
        return tuple(counts)

    def equal_family(self) -> Family:
        """Return equal budgets as a family in 1/share."""
        return Family(
            lambda position: self.equal(1.0 / position),
            (1.0 / self.most_share, float(max(menu.size for menu in self.menus))),
        )

    def unequal_family(self, target: float) -> Family | None:
        """Return the cheapest budgets as a family in the model's own error; None where no error is finite."""
        least = sum(float(np.min(weights)) for weights in self._weights())
        if not math.isfinite(least):
            return None
        first = max(target / _REACH, math.expm1(least) * (1.0 + 1e-9))
        return Family(self.cheapest, (first, max(first, target * _REACH)))

    def cheapest(self, error: float) -> Counts | None:
        """Return the cheapest budgets whose error is at most `error` by the model, None if there are none."""
        found = allocate(self.costs, self._weights(), math.log1p(error))
        if found is None:
            return None
        counts = self._chosen(found.choice)
        self.bounds[counts] = (found.bound + self._fixed) / self._exact
        return counts

    def most_accurate(self, cost: float) -> Counts | None:
        """Return the budgets of least error by the model whose counted cost is at most `cost` (fraction), or None."""
        limit = cost * self._exact - self._fixed
        found = allocate(self._weights(), self.costs, limit)
        return None if found is None else self._chosen(found.choice)

    def error(self, counts: Counts) -> float:
        """Return the model's error of given budgets."""
        factors = 0.0
        for menu in self.menus:
            count = counts[menu.layer - 1]
            if count is not None:
                factors += math.log1p(self.gains[menu.layer - 1] * menu.error_at(count))
        return math.expm1(factors) if factors < 700.0 else math.inf

    def even(self, error: float) -> Counts:
        """Return budgets that give each sampled layer the same own error, together about `error`."""
        share = math.log1p(error) / len(self.menus)
        counts: list[int | None] = [None] * len(self.plan)
        for menu in self.menus:
            enough = np.flatnonzero(menu.errors <= share)
            counts[menu.layer - 1] = int(menu.counts[enough[0] if enough.size else -1])
        return tuple(counts)

    def draws(self, error: float) -> float | None:
        """Return the cost of the best draws for all sampled layers, each at one pair's product (fraction).

        None unless every layer's error is inverse to its draws. It has no cap at the number of pairs.
        """
        if any(menu.inverse is None for menu in self.menus):
            return None
        alpha = np.array([self.gains[menu.layer - 1] * (menu.inverse or 0.0) for menu in self.menus])
        unit = np.array([float(self.batch * menu.shape[1]) for menu in self.menus])
        return float(inverse_law_budgets(alpha, unit, error) @ unit + self._fixed) / self._exact

    def layer_costs(self, counts: Counts) -> tuple[Cost, ...]:
        """Return each layer's multiplications."""
        plan = budgeted(self.plan, counts)
        return tuple(layer_cost(m, self.batch, W.shape) for m, W in zip(plan, self.network.weights, strict=True))

    def fractions(self, counts: Counts) -> tuple[float, ...]:
        """Return each layer's counted cost as a fraction of its exact product."""
        costs = zip(self.layer_costs(counts), self.network.weights, strict=True)
        return tuple(self.counted(cost) / (self.batch * W.size) for cost, W in costs)

    def cost(self, counts: Counts) -> Cost:
        """Return the network's multiplications as fractions of the exact network's."""
        layers = self.layer_costs(counts)
        return Cost(
            sum(cost.product for cost in layers) / self._exact,
            sum(cost.selection for cost in layers) / self._exact,
            sum(cost.upkeep for cost in layers) / self._exact,
        )

    def counted(self, cost: Cost) -> float:
        """Return the part of a cost that counts."""
        return cost.total if self.upkeep else cost.product + cost.selection

    def largest_share(self, cost: float, *, strictly: bool = False) -> float | None:
        """Return the largest equal budget of at most one item an item whose counted cost is at most `cost`, or None."""
        size = max(menu.size for menu in self.menus)

        def affordable(items: int) -> bool:
            counted = self.counted(self.cost(self.equal(items / size)))
            return counted < cost if strictly else counted <= cost

        if not affordable(1):
            return None
        low, high = 1, size + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if affordable(middle) else (low, middle)
        return low / size

    @property
    def _exact(self) -> float:
        return float(self.batch * sum(W.size for W in self.network.weights))

    @property
    def _fixed(self) -> float:
        """Multiplications of the layers that are not sampled."""
        sampled = {menu.layer for menu in self.menus}
        return float(self.batch * sum(W.size for k, W in enumerate(self.network.weights, start=1) if k not in sampled))

    def _menu_costs(self, menu: LayerMenu) -> np.ndarray:
        methods = (budgeted((menu.method,), (int(count),))[0] for count in menu.counts)
        costs = [self.counted(layer_cost(method, self.batch, menu.shape)) for method in methods]
        return np.array([*self._exact_option(self.counted(layer_cost(None, self.batch, menu.shape))), *costs])

    def _exact_option(self, value: float) -> list[float]:
        """Return what stands before a menu's budgets: the exact product, if it may be chosen. It wins every tie."""
        return [value] if self.exact_allowed else []

    def _weights(self) -> Sequence[np.ndarray]:
        return [
            np.array([*self._exact_option(0.0), *np.log1p(self.gains[menu.layer - 1] * menu.errors)])
            for menu in self.menus
        ]

    def _chosen(self, choice: Sequence[int]) -> Counts:
        counts: list[int | None] = [None] * len(self.plan)
        first = len(self._exact_option(0.0))
        for menu, option in zip(self.menus, choice, strict=True):
            if option >= first:
                counts[menu.layer - 1] = int(menu.counts[option - first])
        return tuple(counts)
