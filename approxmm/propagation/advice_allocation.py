"""Cheapest budgets for a sum of errors: one option from each layer's list, at the lowest total cost.

Costs add over layers, and so do the logarithms of error factors, so the problem is: choose one option j_k a
layer, minimise Σ cost_k(j_k) subject to Σ weight_k(j_k) ≤ limit (a multiple-choice knapsack). Its Lagrangian dual is
solved exactly, by following the chord between the best allowed and the best forbidden choice; it bounds the cost of
every allowed choice from below. The gap to the bound then leaves few options a layer, and among these the search is
exhaustive (Dyer 1984, Zemel 1984; the core idea is Pisinger's, 1995).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from approxmm.errors import InputError

__all__ = ["Allocation", "allocate", "inverse_law_budgets"]

_MOST_STATES = 4096
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Allocation:
    """One option a layer.

    Attributes
    ----------
    choice : tuple of int
        Index of the option of each layer.
    cost, weight : float
        Their sums.
    bound : float
        No allowed choice costs less than this.
    proven : bool
        Whether the search was exhaustive, so that `choice` is a cheapest one.
    """

    choice: tuple[int, ...]
    cost: float
    weight: float
    bound: float
    proven: bool


def allocate(costs: Sequence[np.ndarray], weights: Sequence[np.ndarray], limit: float) -> Allocation | None:
    """Return the cheapest choice whose weights add up to at most `limit`, or None if there is none.

    Parameters
    ----------
    costs, weights : sequences of 1-D float arrays
        Those of each layer's options. An option of infinite cost or weight is never taken.
    limit : float

    Notes
    -----
    Where more than some thousand partial choices stay undominated, they are thinned; the result is then allowed but
    not proven cheapest, and `bound` says how far off it can be.
    """
    options = [_undominated(cost, weight) for cost, weight in zip(costs, weights, strict=True)]
    if not all(index.size for index in options):
        return None
    pruned_costs = [cost[index] for cost, index in zip(costs, options, strict=True)]
    pruned_weights = [weight[index] for weight, index in zip(weights, options, strict=True)]
    slack = _ROUNDING * max(1.0, abs(limit))
    dual = _dual(pruned_costs, pruned_weights, limit + slack)
    if dual is None:
        return None
    price, bound, best = dual
    chosen, proven = _search(pruned_costs, pruned_weights, limit + slack, price, bound, best)
    return Allocation(
        choice=tuple(int(index[j]) for index, j in zip(options, chosen, strict=True)),
        cost=_total(pruned_costs, chosen),
        weight=_total(pruned_weights, chosen),
        bound=bound,
        proven=proven,
    )


def inverse_law_budgets(errors: np.ndarray, unit_costs: np.ndarray, target: float) -> np.ndarray:
    """Return the real budgets c_k that minimise Σ γ_k c_k subject to Π(1 + α_k/c_k) − 1 = `target`.

    The stationary point of the Lagrangian has γ_k c_k (c_k + α_k) = λ α_k, a quadratic equation for each layer; the
    one λ that meets the target is found by bisection. To first order in the target it is the familiar
    c_k = √(α_k/γ_k) Σ_j √(α_j γ_j)/target.

    Parameters
    ----------
    errors : (L,) array
        α_k ≥ 0, the layer's error at a budget of one; a layer with 0 gets no budget.
    unit_costs : (L,) array
        γ_k > 0.
    target : float
        Positive.
    """
    alpha, gamma = np.asarray(errors, dtype=np.float64), np.asarray(unit_costs, dtype=np.float64)
    if not (target > 0 and (alpha >= 0).all() and (gamma > 0).all()):
        raise InputError(f"target={target}: it and all unit costs must be positive, and errors not negative")
    if not alpha.any():
        return np.zeros_like(alpha)

    def budgets(log_price: float) -> np.ndarray:
        # Written without the difference of two large numbers: c = 2q / (1 + √(1 + 4q/α)), q = λ/γ.
        q = np.exp(log_price) / gamma
        with np.errstate(divide="ignore"):
            root: np.ndarray = 2.0 * q / (1.0 + np.sqrt(1.0 + 4.0 * q / alpha))
        return root

    used, goal = alpha > 0, math.log1p(target)

    def excess(log_price: float) -> float:
        return float(np.log1p(alpha[used] / budgets(log_price)[used]).sum()) - goal

    # The first-order solution without the second-order term in the target needs at least as much as the true one.
    start = 2.0 * np.log(np.sqrt(alpha * gamma).sum() / goal)
    low = high = float(start)
    while excess(low) < 0:
        low -= 2.0
    while excess(high) > 0:
        high += 2.0
    return budgets(low if low == high else brentq(excess, low, high, xtol=1e-14, rtol=1e-14))


def _undominated(cost: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the indices of the options that no other beats in both cost and weight, by increasing cost."""
    order = np.lexsort((weight, cost))
    order = order[np.isfinite(cost[order]) & np.isfinite(weight[order])]
    ordered = weight[order]
    before = np.concatenate(([np.inf], np.minimum.accumulate(ordered)[:-1]))
    kept: np.ndarray = order[ordered < before]
    return kept


def _total(values: Sequence[np.ndarray], choice: np.ndarray) -> float:
    return math.fsum(value[j] for value, j in zip(values, choice, strict=True))


def _dual(costs: list[np.ndarray], weights: list[np.ndarray], limit: float) -> tuple[float, float, np.ndarray] | None:
    """Return the best price of a unit of weight, the bound that it proves, and the best allowed choice met."""
    forbidden = np.zeros(len(costs), dtype=np.int64)  # lists are ordered: the first option is the cheapest
    allowed = np.array([len(cost) - 1 for cost in costs])
    if _total(weights, forbidden) <= limit:
        return 0.0, _total(costs, forbidden), forbidden
    if _total(weights, allowed) > limit:
        return None
    while True:
        cost, weight = _total(costs, allowed), _total(weights, allowed)
        price = (cost - _total(costs, forbidden)) / (_total(weights, forbidden) - weight)
        choice = np.array([np.argmin(c + price * w) for c, w in zip(costs, weights, strict=True)])
        value = _total(costs, choice) + price * _total(weights, choice)
        if value >= (cost + price * weight) * (1 - _ROUNDING):  # on the chord: no price proves more
            return price, float(value - price * limit), allowed
        if _total(weights, choice) <= limit:
            allowed = choice
        else:
            forbidden = choice


def _search(
    costs: list[np.ndarray],
    weights: list[np.ndarray],
    limit: float,
    price: float,
    bound: float,
    best: np.ndarray,
) -> tuple[np.ndarray, bool]:
    """Return the cheapest allowed choice, and whether no partial choice had to be dropped to find it.

    What a choice costs above the bound is the sum of its options' reduced costs and price · (unused limit): an
    option, or a partial choice, whose reduced cost exceeds the gap of the best choice known is in no cheaper one.
    """
    gap = (_total(costs, best) - bound) * (1 + _ROUNDING) + _ROUNDING * abs(bound)
    reduced = [c + price * w for c, w in zip(costs, weights, strict=True)]
    reduced = [r - r.min() for r in reduced]
    rest = np.cumsum([0.0] + [w.min() for w in reversed(weights)])[::-1][1:]
    cost, weight, above = np.zeros(1), np.zeros(1), np.zeros(1)
    trail: list[tuple[np.ndarray, np.ndarray]] = []
    proven = True
    for k in range(len(costs)):
        kept = np.flatnonzero(reduced[k] <= gap)
        total = (weight[:, None] + weights[k][kept]).ravel()
        over = (above[:, None] + reduced[k][kept]).ravel()
        alive = np.flatnonzero((over <= gap) & (total + rest[k] <= limit))
        sums = (cost[:, None] + costs[k][kept]).ravel()[alive]
        front = _undominated(sums, total[alive])
        if front.size > _MOST_STATES:
            front = front[np.linspace(0, front.size - 1, _MOST_STATES).astype(np.int64)]
            proven = False
        picked = alive[front]
        cost, weight, above = sums[front], total[picked], over[picked]
        trail.append((picked // max(1, kept.size), kept[picked % max(1, kept.size)]))
    if not cost.size or cost[0] >= _total(costs, best):
        return best, proven
    choice, state = np.zeros(len(costs), dtype=np.int64), 0
    for k in range(len(costs) - 1, -1, -1):
        parents, taken = trail[k]
        choice[k], state = taken[state], parents[state]
    return choice, proven
