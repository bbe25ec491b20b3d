"""The cheapest budgets per layer for a target error at depth L."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .calculus import Limit, Optimum
from .domain import above, integers
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def optimal_budget(error: sp.Expr, price: sp.Expr, multiplier: sp.Expr) -> sp.Expr:
    """Return the budget c of a layer with the error e/c and the cost w c, for a multiplier of log(1 + error)."""
    return (-error + sp.sqrt(error**2 + 4 * multiplier * error / price)) / 2


def equal_budget(error: sp.Expr, depth: sp.Expr, tolerance: sp.Expr) -> sp.Expr:
    """Return the budget of each of L equal layers for the error eps at depth L."""
    return error / ((1 + tolerance) ** (1 / depth) - 1)


def theorem() -> Theorem:
    """Return the theorem."""
    e, w, lam, c, eps, size, n = sp.symbols("e w mu c epsilon L n", positive=True)
    layers = sp.Symbol("L", integer=True, positive=True)
    i, j = sp.symbols("i j", integer=True)
    a, b, g = (sp.IndexedBase(name, positive=True) for name in ("a", "b", "c"))
    total = sp.Sum(a[j] * b[j], (j, 1, layers))
    positive = {e: above(0), w: above(0), lam: above(0), c: above(0)}
    exact = Optimum(
        name="each layer of the Lagrangian",
        explanation="Errors multiply, so their logarithms add: minimise the cost sum w c + mu sum log(1 + e/c). "
        "Each term is convex in its c, so the positive root of c^2 + e c = mu e/w is the optimum; mu is set by the "
        "target.",
        objective=w * c + lam * sp.log(1 + e / c),
        variable=c,
        at=optimal_budget(e, w, lam),
        domain=positive,
    )
    equal = Identity(
        name="equal layers",
        explanation="With equal layers all budgets are equal, and 1 + e/c is the L-th root of 1 + eps at c = "
        "e/((1+eps)^(1/L) - 1); any smaller budget misses the target.",
        left=1 + e / c - (1 + eps) ** (1 / size),
        right=((1 + eps) ** (1 / size) - 1) * (equal_budget(e, size, eps) - c) / c,
        domain={e: above(0), c: above(0), eps: above(0), size: above(0)},
    )
    small = Identity(
        name="cost for a small target",
        explanation="For small errors they add: with e = a^2 and w = b^2 the budgets c = (a/b) S/eps, S = sum a b, "
        "meet the target sum e/c = eps at the cost S^2/eps.",
        label=r"\sum_i w_i c_i",
        left=sp.Sum(b[i] ** 2 * (a[i] / b[i] * total / eps), (i, 1, layers)),
        right=sp.Sum(a[i] * b[i], (i, 1, layers)) ** 2 / eps,
        domain={layers: integers(1), eps: above(0)},
    )
    gap = Identity(
        name="nothing is cheaper",
        explanation="For any budgets, cost times error exceeds S^2 by a sum of squares.",
        label=r"\sum_i w_i c_i \sum_i e_i/c_i - S^2",
        left=sp.Sum(b[i] ** 2 * g[i], (i, 1, layers)) * sp.Sum(a[i] ** 2 / g[i], (i, 1, layers))
        - sp.Sum(a[i] * b[i], (i, 1, layers)) ** 2,
        right=sp.Sum(g[i] * g[j] * (b[i] * a[j] / g[j] - b[j] * a[i] / g[i]) ** 2, (i, 1, layers), (j, 1, layers)) / 2,
        domain={layers: integers(1)},
    )
    growth = Limit(
        name="cost grows linearly in depth, per layer",
        explanation="Each layer's budget grows in proportion to the depth, so the total cost grows with its square.",
        body=equal_budget(e, size, eps) / size,
        variable=size,
        to=sp.oo,
        value=e / sp.log(1 + eps),
        domain={e: above(0), eps: above(0)},
    )
    return Theorem(
        title="Optimal allocation of budgets over layers",
        statement="If layer $k$ has the error $e_k/c_k$ at the cost $w_k c_k$, the cheapest budgets with "
        r"$\prod_k(1 + e_k/c_k) = 1 + \varepsilon$ are $c_k = \tfrac12\left(-e_k + \sqrt{e_k^2 + 4\mu "
        r"e_k/w_k}\right)$ with one multiplier $\mu$; for small errors $c_k \propto \sqrt{e_k/w_k}$ at the cost "
        r"$\left(\sum_k\sqrt{w_k e_k}\right)^2/\varepsilon$; for equal layers $c = e/((1+\varepsilon)^{1/L} - 1)$.",
        assumptions=[
            r"errors of the form $e_k/c_k$ that multiply over the layers",
            "costs proportional to budgets, which may be fractional",
        ],
        sources=["Derived here; the square-root rule is Neyman's allocation, J. Royal Stat. Soc. 97 (1934)"],
        steps=[
            exact,
            equal,
            small,
            Identity(
                name="the target is met",
                explanation="The same budgets have errors that add up to eps.",
                label=r"\sum_i e_i/c_i",
                left=sp.Sum(a[i] ** 2 / (a[i] / b[i] * total / eps), (i, 1, layers)),
                right=eps,
                domain={layers: integers(1), eps: above(0)},
            ),
            gap,
            Inequality(
                name="that sum is nonnegative",
                explanation="So at the error eps every allocation costs at least S^2/eps.",
                left=gap.right,
                relation=">=",
                right=0,
                domain={layers: integers(1)},
            ),
            growth,
            Identity(
                name="where sampling stops paying",
                explanation="The budget reaches the n of the exact product at the depth log(1+eps)/log(1 + e/n): "
                "in deeper networks the exact product is cheaper (at equal prices).",
                left=sp.log(1 + eps) / sp.log(1 + e / n) * sp.log((n + e) / n),
                right=sp.log(1 + eps),
                domain={e: above(0), n: above(0), eps: above(0)},
            ),
        ],
        mutations=[
            Mutation("4 mu e w instead of 4 mu e/w", replace(exact, at=optimal_budget(e, 1 / w, lam))),
            Mutation("maximum instead of minimum", replace(exact, sense="max")),
            Mutation(
                "sum of w e instead of the squared sum of roots",
                replace(small, right=sp.Sum((a[i] * b[i]) ** 2, (i, 1, layers)) / eps),
            ),
            Mutation("eps instead of log(1 + eps)", replace(growth, value=e / eps)),
            Mutation("half the distance", replace(gap, right=gap.right / 2)),
        ],
    )
