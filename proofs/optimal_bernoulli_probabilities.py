"""The keep probabilities that minimise the error of Bernoulli sampling for a given expected count, with clipping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import sympy as sp

from .calculus import Optimum
from .domain import Range, above, at_least, integers
from .finite import Exhaustive
from .model import Mutation, Theorem
from .steps import Identity, Inequality

_NORMS = (Fraction(4), Fraction(2), Fraction(1), Fraction(1))
_BUDGET = 2
_GRID = 24


def water_filled(norms: tuple[Fraction, ...], budget: int) -> list[Fraction]:
    """Return min(1, tau x_i) with tau such that the probabilities add up to the budget, in exact arithmetic."""
    sure: set[int] = set()
    while True:
        rest = [i for i in range(len(norms)) if i not in sure]
        tau = (budget - len(sure)) / sum((norms[i] for i in rest), Fraction(0))
        over = {i for i in rest if tau * norms[i] > 1}
        if not over:
            return [Fraction(1) if i in sure else tau * norms[i] for i in range(len(norms))]
        sure |= over


def _grid() -> Iterator[tuple[object, bool]]:
    def error(p: tuple[Fraction, ...]) -> Fraction:
        return sum(((1 / q - 1) * x * x for q, x in zip(p, _NORMS, strict=True)), Fraction(0))

    best = error(tuple(water_filled(_NORMS, _BUDGET)))
    for parts in product(range(1, _GRID + 1), repeat=len(_NORMS)):
        if sum(parts) == _BUDGET * _GRID:
            p = tuple(Fraction(part, _GRID) for part in parts)
            yield p, error(p) >= best


def theorem() -> Theorem:
    """Return the theorem."""
    n = sp.Symbol("n", integer=True, positive=True)
    i, j = sp.symbols("i j", integer=True)
    x_i, p_i, root, k = sp.symbols("x_i p_i s k", positive=True)
    x, p = sp.IndexedBase("x", positive=True), sp.IndexedBase("p", positive=True)
    unit = Range(sp.Integer(0), sp.Integer(1), low_open=True, high_open=False)
    total = sp.Sum(x[j], (j, 1, n))
    term = (1 / p_i - 1) * x_i**2 + root**2 * p_i
    interior = Optimum(
        name="unclipped indices",
        explanation="With the multiplier s^2 each term of the Lagrangian is convex in p_i and stationary at x_i/s, "
        "that is tau x_i with tau = 1/s.",
        objective=term,
        variable=p_i,
        at=x_i / root,
        domain={x_i: above(0), root: above(0), p_i: above(0)},
    )
    clipped = Inequality(
        name="clipped indices",
        explanation="If x_i is at least s, the stationary point lies beyond 1; the term decreases on all of (0, "
        "1], so p_i = 1 is its minimum there: the index is kept surely.",
        left=sp.expand(sp.diff(term, p_i)),
        relation="<=",
        right=0,
        domain={root: above(0), x_i: at_least(root), p_i: unit},
    )
    value = Identity(
        name="value without clipping",
        explanation="With p_i = k x_i / sum x the expected count is k and the error a difference of squares.",
        label=r"\sum_i (1/p_i - 1) x_i^2",
        left=sp.Sum((total / (k * x[i]) - 1) * x[i] ** 2, (i, 1, n)),
        right=total**2 / k - sp.Sum(x[i] ** 2, (i, 1, n)),
        domain={n: integers(1), k: above(0)},
    )
    return Theorem(
        title="Water-filling is optimal for Bernoulli sampling",
        statement=r"Among all $p \in (0,1]^n$ with $\sum_i p_i = k$, the error $\sum_i (1/p_i - 1)x_i^2$ is "
        r"smallest for $p_i = \min(1, \tau x_i)$ with $\tau$ such that they add up to $k$; clipped entries are kept "
        "surely and contribute 0.",
        assumptions=[r"$x_i = \|A^i\|\|W_i\| > 0$ and $0 < k \le n$", "independent decisions"],
        sources=[
            "Karush-Kuhn-Tucker conditions for separable convex problems: Boyd, Vandenberghe, Convex Optimization "
            "(2004), 5.5.3"
        ],
        steps=[
            interior,
            clipped,
            Identity(
                name="the budget fixes tau",
                explanation="Without clipping the probabilities x_i k / sum x add up to k.",
                label=r"\sum_i p_i",
                left=sp.Sum(k * x[i] / total, (i, 1, n)),
                right=k,
                domain={n: integers(1), k: above(0)},
            ),
            value,
            Identity(
                name="distance from the optimum",
                explanation="For any p with sum p = k, the excess over (sum x)^2/k is 1/k times a sum of squares, "
                "which is 0 only if p is proportional to x: a second proof, for the case without clipping.",
                left=sp.Sum(x[i] ** 2 / p[i], (i, 1, n)) * sp.Sum(p[i], (i, 1, n)) - sp.Sum(x[i], (i, 1, n)) ** 2,
                right=sp.Sum(p[i] * p[j] * (x[i] / p[i] - x[j] / p[j]) ** 2, (i, 1, n), (j, 1, n)) / 2,
                domain={n: integers(1)},
            ),
            Exhaustive(
                name="against every law on a grid",
                explanation="For norms 4, 2, 1, 1 and k = 2 the first index is clipped; no probabilities in "
                "multiples of 1/24 do better.",
                claim=r"\sum_i (1/p_i - 1)x_i^2 \ge \text{water-filled value},\quad x = (4,2,1,1),\ k = 2",
                cases=_grid,
                complete=False,
            ),
        ],
        mutations=[
            Mutation("p proportional to the square root", replace(interior, at=sp.sqrt(x_i / root))),
            Mutation(
                "clip although x_i may be below s", replace(clipped, domain={root: above(0), x_i: above(0), p_i: unit})
            ),
            Mutation("error without the subtracted squares", replace(value, right=total**2 / k)),
        ],
    )
