"""First two moments of Bernoulli (inverted dropout) scales and of the product sampled with them."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import Range, inside, integers
from .model import Mutation, Theorem
from .steps import Identity


def theorem() -> Theorem:
    """Return the theorem."""
    p, q = sp.symbols("p q", positive=True)
    b, d, i, j = sp.symbols("b d i j", integer=True)
    n = sp.Symbol("n", integer=True, positive=True)
    x, keep = sp.IndexedBase("x", real=True), sp.IndexedBase("p", positive=True)
    half_open = {p: Range(sp.Integer(0), sp.Integer(1), low_open=True, high_open=False)}

    def law(chance: sp.Expr, kept: sp.Expr) -> sp.Expr:
        return kept * chance + (1 - kept) * (1 - chance)

    def mean_of(value: sp.Expr) -> sp.Expr:
        return sp.Sum(value * law(p, b), (b, 0, 1))

    pair = sp.Sum((b / p - 1) * (d / q - 1) * law(p, b) * law(q, d), (b, 0, 1), (d, 0, 1))
    variance = (1 - keep[i]) / keep[i]
    mean = Identity(
        name="mean of a scale",
        explanation="A scale is b/p with b = 1 with probability p and b = 0 otherwise; average over both outcomes.",
        label=r"\mathbb{E}\,\xi",
        left=mean_of(b / p),
        right=1,
        domain=half_open,
    )
    spread = Identity(
        name="variance of a scale",
        explanation="Average the square over both outcomes and subtract the square of the mean, which is 1.",
        label=r"\operatorname{Var}\,\xi",
        left=mean_of(b**2 / p**2) - 1,
        right=(1 - p) / p,
        domain=half_open,
    )
    return Theorem(
        title="Bernoulli sampling is unbiased, and its scales are uncorrelated",
        statement=r"If $\xi_i = b_i/p_i$ with independent $b_i$, $P(b_i = 1) = p_i$, then $\mathbb{E}\,\xi_i = 1$ "
        r"and $\operatorname{Cov}(\xi) = \operatorname{diag}((1-p_i)/p_i)$; hence $\mathbb{E}\sum_i \xi_i x_i = "
        r"\sum_i x_i$ and $\operatorname{Var}\sum_i \xi_i x_i = \sum_i \frac{1-p_i}{p_i} x_i^2$ for every $n$ and "
        "every $x$.",
        assumptions=[
            r"$0 < p_i \le 1$ for every $i$",
            "the decisions $b_i$ are independent",
            "$x$ does not depend on them",
        ],
        sources=["Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15 (2014): inverted dropout"],
        steps=[
            mean,
            spread,
            Identity(
                name="covariance of two scales",
                explanation="Two different scales are independent: average the product of deviations over all four "
                "outcomes.",
                label=r"\operatorname{Cov}(\xi_i, \xi_j)",
                left=pair,
                right=0,
                domain={p: inside(0, 1), q: inside(0, 1)},
            ),
            Identity(
                name="variance of the sampled sum",
                explanation="Only the diagonal of the covariance is left, for any number n of terms.",
                label=r"\operatorname{Var}\sum_i \xi_i x_i",
                left=sp.Sum(x[i] * x[j] * sp.KroneckerDelta(i, j) * variance, (i, 1, n), (j, 1, n)),
                right=sp.Sum(x[i] ** 2 / keep[i], (i, 1, n)) - sp.Sum(x[i] ** 2, (i, 1, n)),
                domain={n: integers(1)},
            ),
        ],
        mutations=[
            Mutation("variance 1/p instead of (1-p)/p", replace(spread, right=1 / p)),
            Mutation("scale 1/p^2 instead of 1/p", replace(mean, left=mean_of(b / p**2))),
            Mutation(
                "keep probability 0 allowed",
                replace(mean, domain={p: Range(sp.Integer(0), sp.Integer(1), False, False)}),
            ),
        ],
    )
