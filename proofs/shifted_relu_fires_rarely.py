"""How rarely a shifted ReLU unit fires at initialisation, and the m^(4/5) bound that follows."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .calculus import Integration, Limit, Optimum
from .domain import above, integers
from .model import Mutation, Theorem
from .relu_moments_of_a_gaussian import density
from .steps import Identity, Inequality


def shift(m: sp.Expr) -> sp.Expr:
    """Return the shift b = sqrt(0.4 log m)."""
    return sp.sqrt(sp.Rational(2, 5) * sp.log(m))


def theorem() -> Theorem:
    """Return the theorem."""
    x = sp.Symbol("x", real=True)
    t, b, m, y = sp.symbols("t b m y", positive=True)
    units, r = sp.Symbol("m", integer=True, positive=True), sp.Symbol("r", integer=True)
    generating = Integration(
        name="exponential moment",
        explanation="With unit inputs a pre-activation is a standard Gaussian; what is left of exp(t x) times its "
        "density integrates to exp(t^2/2).",
        label=r"\mathbb{E}\,e^{tX}",
        integrand=sp.exp(t * x) * density(x),
        variable=x,
        low=-sp.oo,
        high=sp.oo,
        antiderivative=-sp.exp(t**2 / 2) * sp.erfc((x - t) / sp.sqrt(2)) / 2,
        value=sp.exp(t**2 / 2),
        domain={t: above(0)},
    )
    best = Optimum(
        name="best exponent",
        explanation="So P(X > b) is at most exp(t^2/2 - t b) for every t > 0; the exponent is smallest at t = b.",
        objective=t**2 / 2 - t * b,
        variable=t,
        at=b,
        domain={b: above(0), t: above(0)},
    )
    square = Identity(
        name="completing the square",
        explanation="The exponent t x - x^2/2 of the weighted density is that of a Gaussian centred at t, times "
        "exp(t^2/2).",
        left=t * x - x**2 / 2,
        right=t**2 / 2 - (x - t) ** 2 / 2,
        domain={t: above(0)},
    )
    expected = Identity(
        name="expected number of firing units",
        explanation="At t = b the bound is exp(-b^2/2), with b^2 = 0.4 log m: that is m^(-1/5). Add it up over the "
        "m units.",
        label=r"\sum_{r} P(\langle w_r, x\rangle > b)\ \le\ \sum_r e^{-b^2/2}",
        left=sp.Sum(sp.exp(-(shift(units) ** 2) / 2), (r, 1, units)),
        right=units ** sp.Rational(4, 5),
        domain={units: integers(2)},
    )
    sharper = Inequality(
        name="the bound holds with room to spare",
        explanation="The tail is at most the density divided by b (the difference falls to 0 at infinity), which "
        "for b at least 1 is below the bound used.",
        left=sp.erfc(b / sp.sqrt(2)) / 2,
        relation="<",
        right=density(b) / b,
        domain={b: above(0)},
    )
    return Theorem(
        title="Shifted ReLU units fire rarely",
        statement=r"For $w \sim N(0, I)$, $\|x\| = 1$ and the shift $b = \sqrt{0.4 \log m}$: $P(\langle w, x\rangle "
        r"> b) \le m^{-1/5}$, so in expectation at most $m^{4/5}$ of $m$ units fire for a data point.",
        assumptions=[
            "Gaussian initialisation, unit inputs",
            r"$m > 1$",
            "at initialisation; training moves weights, which the source bounds separately",
        ],
        sources=[
            "Alman, Liang, Song, Zhang, Zhuo, NeurIPS 2023 (arXiv 2211.14227)",
            "Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622)",
        ],
        steps=[
            square,
            generating,
            Inequality(
                name="Markov's inequality",
                explanation="Above b the factor exp(t (X - b)) is at least 1 (write X = b + y), elsewhere "
                "positive: its mean bounds the chance.",
                left=sp.exp(t * y),
                relation=">=",
                right=1,
                domain={t: above(0), y: above(0)},
            ),
            best,
            expected,
            sharper,
            Limit(
                name="a vanishing share",
                explanation="The share of units that fire vanishes as the layer grows.",
                body=m ** sp.Rational(4, 5) / m,
                variable=m,
                to=sp.oo,
                value=0,
            ),
        ],
        mutations=[
            Mutation("exp(t^2) instead of exp(t^2/2)", replace(generating, value=sp.exp(t**2))),
            Mutation("exponent 2b", replace(best, at=2 * b)),
            Mutation("m^(3/5)", replace(expected, right=units ** sp.Rational(3, 5))),
            Mutation("sign of the square", replace(square, right=t**2 / 2 + (x - t) ** 2 / 2)),
            Mutation("tail above the density over b", replace(sharper, relation=">")),
        ],
    )
