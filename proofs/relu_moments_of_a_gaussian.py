"""Mean and second moment of a rectified Gaussian."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .calculus import Integration
from .domain import above, at_least, integers, real
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def density(x: sp.Expr) -> sp.Expr:
    """Return the standard normal density."""
    return sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)


def distribution(x: sp.Expr) -> sp.Expr:
    """Return the standard normal distribution function."""
    return sp.erfc(-x / sp.sqrt(2)) / 2


def relu_mean(m: sp.Expr) -> sp.Expr:
    """Return E max(m + t, 0) for a standard normal t."""
    return m * distribution(m) + density(m)


def relu_square(m: sp.Expr) -> sp.Expr:
    """Return E max(m + t, 0)^2 for a standard normal t."""
    return (m**2 + 1) * distribution(m) + m * density(m)


def theorem() -> Theorem:
    """Return the theorem."""
    t, m = sp.symbols("t m", real=True)
    s, n, i = (
        sp.Symbol("sigma", positive=True),
        sp.Symbol("n", integer=True, positive=True),
        sp.Symbol("i", integer=True),
    )
    below = -sp.erfc(t / sp.sqrt(2)) / 2
    half_mean = Integration(
        name="mean of a centred unit",
        explanation="The density's derivative is -t times the density, so the mean over the positive half is the "
        "density at 0.",
        label=r"\mathbb{E}\,\mathrm{relu}(t)",
        integrand=t * density(t),
        variable=t,
        low=0,
        high=sp.oo,
        antiderivative=-density(t),
        value=1 / sp.sqrt(2 * sp.pi),
    )
    half_square = Integration(
        name="second moment of a centred unit",
        explanation="By symmetry half of the variance lies on each side.",
        label=r"\mathbb{E}\,\mathrm{relu}(t)^2",
        integrand=t**2 * density(t),
        variable=t,
        low=0,
        high=sp.oo,
        antiderivative=-t * density(t) + below,
        value=sp.Rational(1, 2),
    )
    mean = Integration(
        name="mean with any centre",
        explanation="With centre m (in units of the standard deviation) the unit is active for t above -m.",
        label=r"\mathbb{E}\,\mathrm{relu}(m + t)",
        integrand=(m + t) * density(t),
        variable=t,
        low=-m,
        high=sp.oo,
        antiderivative=m * below - density(t),
        value=relu_mean(m),
        domain={m: real()},
    )
    square = Integration(
        name="second moment with any centre",
        explanation="The same for the square; variance and closure formulas follow from these two.",
        label=r"\mathbb{E}\,\mathrm{relu}(m + t)^2",
        integrand=(m + t) ** 2 * density(t),
        variable=t,
        low=-m,
        high=sp.oo,
        antiderivative=(m**2 + 1) * below - (2 * m + t) * density(t),
        value=relu_square(m),
        domain={m: real()},
    )
    slope = Identity(
        name="the two are consistent",
        explanation="The derivative of relu squared is twice relu: so is that of the second moment, twice the mean.",
        label=r"\partial_m \mathbb{E}\,\mathrm{relu}(m+t)^2",
        left=sp.diff(relu_square(m), m),
        right=2 * relu_mean(m),
        domain={m: real()},
    )
    return Theorem(
        title="Moments of a rectified Gaussian",
        statement=r"For $z \sim N(\mu, \sigma^2)$ and $m = \mu/\sigma$: $\mathbb{E}\,\mathrm{relu}(z) = "
        r"\sigma(m\Phi(m) + \varphi(m))$ and $\mathbb{E}\,\mathrm{relu}(z)^2 = \sigma^2((m^2+1)\Phi(m) + "
        r"m\varphi(m))$. For $\mu = 0$ the squared mean is $1/\pi$ of the second moment.",
        assumptions=["z is Gaussian with positive variance"],
        sources=["Wright, Nakahira, Moura, AISTATS 2024 (arXiv 2403.16163)"],
        steps=[
            half_mean,
            half_square,
            Identity(
                name="ratio 1/pi",
                explanation="For n centred units of any standard deviation, the squared sum of the means over n "
                "times the sum of the second moments: the constant in the growth factor of norm-optimal sampling.",
                label=r"\frac{\left(\sum_i \mathbb{E}\,a_i\right)^2}{n \sum_i \mathbb{E}\,a_i^2}",
                left=sp.Sum(s * relu_mean(sp.Integer(0)), (i, 1, n)) ** 2
                / (n * sp.Sum(s**2 * relu_square(sp.Integer(0)), (i, 1, n))),
                right=1 / sp.pi,
                domain={n: integers(1), s: above(0)},
            ),
            mean,
            square,
            slope,
            Inequality(
                name="the mean exceeds the rectified mean",
                explanation="For m at least 0, E relu(m+t) - m is positive: rectifying noise adds a positive bias "
                "(for negative m the rectified mean is 0 and E relu is positive anyway).",
                left=density(m) - m * sp.erfc(m / sp.sqrt(2)) / 2,
                relation=">",
                right=0,
                domain={m: at_least(0)},
            ),
        ],
        mutations=[
            Mutation("1/pi as the mean", replace(half_mean, value=1 / sp.pi)),
            Mutation("the whole variance", replace(half_square, value=1)),
            Mutation("sign of the density term", replace(mean, value=m * distribution(m) - density(m))),
            Mutation("m^2 instead of m^2 + 1", replace(square, value=m**2 * distribution(m) + m * density(m))),
            Mutation("derivative without the factor 2", replace(slope, right=relu_mean(m))),
        ],
    )
