"""The negative result with a ratio of active to inactive sums that varies from layer to layer."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .calculus import Optimum
from .domain import above, at_least, integers
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def theorem() -> Theorem:
    """Return the theorem."""
    k, j = sp.Symbol("k", integer=True, nonnegative=True), sp.Symbol("j", integer=True)
    x, s, one = sp.Symbol("x", nonnegative=True), sp.Symbol("s", positive=True), sp.Symbol("c", positive=True)
    c = sp.IndexedBase("c", positive=True)
    growth = sp.Product(1 + 1 / c[j], (j, 1, k))
    estimate = Induction(
        name="the factors multiply",
        explanation="Exact over estimate starts at 1, and the layer k+1 multiplies it by (c+1)/c with that layer's "
        "own ratio.",
        k=k,
        closed=growth,
        initial=1,
        advance=lambda value, layer: (c[layer + 1] + 1) / c[layer + 1] * value,
    )
    below = Induction(
        name="at least the sum of the layers' errors",
        explanation="Expanding the product keeps 1 and the sum of 1/c_j, and all other terms are positive: by "
        "induction the error is at least the sum.",
        k=k,
        closed=1 + sp.Sum(1 / c[j], (j, 1, k)),
        initial=1,
        advance=lambda value, layer: (1 + 1 / c[layer + 1]) * value,
        relation=">=",
    )
    spread = Optimum(
        name="equal ratios are best for a given sum of ratios",
        explanation="log(1 + 1/c) is convex in c; with the multiplier 1/(s(s+1)) the optimum is c = s in every "
        "layer. So for a given mean ratio, variation from layer to layer only increases the error.",
        objective=sp.log(1 + 1 / one) + one / (s * (s + 1)),
        variable=one,
        at=s,
        domain={one: above(0), s: above(0)},
    )
    return Theorem(
        title="With ratios that vary by layer the errors multiply",
        statement="With the ratio $c_j$ at layer $j$, the error relative to the estimate after $k$ layers is "
        r"$\prod_{j=1}^{k}(1 + 1/c_j) - 1 \ge \sum_{j=1}^k 1/c_j$; it stays bounded with depth exactly if $\sum_j "
        "1/c_j$ does.",
        assumptions=[
            "linear activations",
            r"in layer $j$ the ratio is $c_j > 0$, the same at every node of that layer",
        ],
        sources=["Generalises Ebrahimi, Advani, Asudeh 2023 (arXiv 2306.09293)"],
        steps=[
            estimate,
            Identity(
                name="equal ratios give the power",
                explanation="If all c_j are equal to c this is the error of the theorem with a constant ratio.",
                left=sp.Product(1 + 1 / one, (j, 1, k)) - 1,
                right=((one + 1) / one) ** k - 1,
                domain={one: above(0), k: integers(0)},
            ),
            below,
            Inequality(
                name="at most the exponential of the sum",
                explanation="Each factor 1 + x is at most exp x, so the product is at most the exponential of the "
                "sum: bounded if the sum is.",
                left=1 + x,
                relation="<=",
                right=sp.exp(x),
                domain={x: at_least(0)},
            ),
            spread,
        ],
        mutations=[
            Mutation(
                "factors c/(c+1) instead of (c+1)/c", replace(estimate, closed=sp.Product(c[j] / (c[j] + 1), (j, 1, k)))
            ),
            Mutation("lower bound with 2/c", replace(below, closed=1 + sp.Sum(2 / c[j], (j, 1, k)))),
            Mutation("equal ratios claimed to be the worst", replace(spread, sense="max")),
        ],
    )
