"""The correlation between the exact and the sampled ReLU network converges to a positive fixed point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import mpmath
import sympy as sp

from .arc_cosine_kernel import kernel
from .calculus import Limit
from .domain import above, between, integers
from .finite import Numeric
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def fixed_point(growth: float) -> Any:
    """Return the correlation rho with rho = f(rho)/sqrt(g), by iteration of the contraction (mpmath number)."""
    rho = mpmath.mpf(1)
    for _ in range(400):
        rho = (mpmath.sqrt(1 - rho**2) + rho * (mpmath.pi - mpmath.acos(rho))) / mpmath.pi / mpmath.sqrt(growth)
    return rho


def _fixed_points() -> Iterator[tuple[str, Any, Any]]:
    for growth in (1.5, 2, 4, 20):
        start = fixed_point(growth)

        def residual(theta: Any, growth: float = growth) -> Any:
            direct = mpmath.sin(theta) + (mpmath.pi - theta) * mpmath.cos(theta)
            return direct / mpmath.pi / mpmath.sqrt(growth) - mpmath.cos(theta)

        root = mpmath.findroot(residual, (mpmath.mpf("0.1"), mpmath.pi / 2), solver="anderson")
        yield f"g = {growth}", start, mpmath.cos(root)


def theorem() -> Theorem:
    """Return the theorem."""
    theta = sp.Symbol("theta", real=True)
    s, q, other, value, d = sp.symbols("s q q_hat F d", positive=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    n, i = sp.Symbol("n", integer=True, positive=True), sp.Symbol("i", integer=True)

    def total(twice: sp.Expr) -> sp.Expr:
        return sp.Sum(2 / n * (twice / 2), (i, 1, n))

    angles, grows = {theta: between(0, sp.pi)}, {s: above(1)}
    step = Identity(
        name="one layer maps the correlation",
        explanation="With weights of variance 2/n, n units contribute sqrt(q q_hat) F/2 each to the cross moment, "
        "where F = f(rho); q/2 each to the exact and g q_hat/2 each to the sampled second moment, g = s^2. Divide: "
        "the new correlation is F/s.",
        label=r"\rho'",
        left=total(sp.sqrt(q * other) * value) / sp.sqrt(total(q) * total(s**2 * other)),
        right=value / s,
        domain={n: integers(1), q: above(0), other: above(0), value: above(0), s: above(1)},
    )
    contraction = Inequality(
        name="contraction",
        explanation="The slope of f is (pi - theta)/pi, at most 1, so that of f/s is at most 1/s, which is below "
        "1: two correlations come closer by that factor in each layer.",
        left=(sp.pi - theta) / (sp.pi * s),
        relation="<=",
        right=1 / s,
        domain={**angles, **grows},
    )
    positive = Inequality(
        name="never below 1/(pi sqrt g)",
        explanation="From the second layer on the correlation is nonnegative (theta at most pi/2), and then f is "
        "at least 1/pi.",
        left=kernel(theta) / s,
        relation=">=",
        right=1 / (sp.pi * s),
        domain={theta: between(0, sp.pi / 2), s: above(1)},
    )
    converges = Induction(
        name="geometric convergence",
        explanation="The distance from the fixed point shrinks at least by the factor 1/s = 1/sqrt(g) a layer: "
        "after k layers by g^(-k/2).",
        k=k,
        closed=d * s**-k,
        initial=d,
        advance=lambda distance, _: distance / s,
        domain={d: above(0), s: above(1)},
    )
    return Theorem(
        title="In ReLU networks sampling never loses the direction; it settles at a positive correlation",
        statement=r"With growth factor $g > 1$ the correlation of exact and sampled pre-activations obeys $\rho' = "
        r"f(\rho)/\sqrt g$. It converges geometrically, from any start, to the only solution of $\rho^* = "
        r"f(\rho^*)/\sqrt g$, and $\frac{1}{\pi\sqrt g} \le \rho^* \le \frac{1}{\sqrt g} < 1$; the norm grows like "
        "$g^{k/2}$.",
        assumptions=[
            "wide ReLU network with He initialisation (Gaussian pre-activations)",
            "the growth factor $g > 1$ is the same in each layer",
        ],
        sources=[
            "Cho, Saul 2009 for the kernel",
            "Schoenholz et al., ICLR 2017 (arXiv 1611.01232) for the method",
            "Banach's fixed point theorem",
        ],
        steps=[
            step,
            Inequality(
                name="the map stays in the interval: below",
                explanation="f is nonnegative, so the correlation is nonnegative after one layer.",
                left=kernel(theta),
                relation=">=",
                right=0,
                domain=angles,
            ),
            Inequality(
                name="the map stays in the interval: above",
                explanation="f is at most 1, so the correlation is at most 1/sqrt(g) after one layer.",
                left=kernel(theta),
                relation="<=",
                right=1,
                domain=angles,
            ),
            contraction,
            converges,
            positive,
            Limit(
                name="linear networks lose the direction",
                explanation="Without the nonlinearity f(rho) = rho, and with sqrt(g) = 1 + d the correlation "
                "(1+d)^(-k) tends to 0: rectification is what saves the direction.",
                body=(1 + d) ** -k,
                variable=k,
                to=sp.oo,
                value=0,
                domain={d: above(0)},
            ),
            Numeric(
                name="fixed points by two routes",
                explanation="The limit of the iteration in rho against a bracketing root search in the angle.",
                claim=r"\lim_k \rho_k = \cos\theta^*,\quad f(\cos\theta^*)/\sqrt g = \cos\theta^*",
                points=_fixed_points,
                tolerance=1e-12,
            ),
        ],
        mutations=[
            Mutation("g instead of sqrt(g)", replace(step, right=value / s**2)),
            Mutation(
                "growth below 1 allowed", replace(contraction, right=1, domain={**angles, s: above(sp.Rational(1, 2))})
            ),
            Mutation("1/s claimed as lower bound", replace(positive, right=1 / s)),
            Mutation(
                "bound claimed for obtuse angles", replace(positive, domain={theta: between(0, sp.pi), s: above(1)})
            ),
            Mutation("convergence at twice the rate", replace(converges, closed=d * s ** (-2 * k))),
        ],
    )
