"""The probabilities that minimise the error of sampling with replacement."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .calculus import Optimum
from .domain import Simplex, above, integers
from .model import Mutation, Theorem
from .steps import Identity, Inequality, Where


def theorem() -> Theorem:
    """Return the theorem."""
    n = sp.Symbol("n", integer=True, positive=True)
    i, j = sp.symbols("i j", integer=True)
    x_i, p_i, root = sp.symbols("x_i p_i s", positive=True)
    x, p = sp.IndexedBase("x", positive=True), sp.IndexedBase("p", positive=True)
    total = sp.Sum(x[i], (i, 1, n))
    on_simplex: Where = {n: integers(1), p: Simplex(n)}
    stationary = Optimum(
        name="each term of the Lagrangian",
        explanation="The objective sum x_i^2/p_i and the constraint sum p_i = 1 are separable: with the multiplier "
        "s^2 every term is convex in p_i, so a stationary feasible point is the global minimum.",
        objective=x_i**2 / p_i + root**2 * p_i,
        variable=p_i,
        at=x_i / root,
        domain={x_i: above(0), root: above(0), p_i: above(0)},
    )
    value = Identity(
        name="value at the optimum",
        explanation="At p_i = x_i / sum x the objective is the squared sum.",
        label=r"\sum_i x_i^2/p_i",
        left=sp.Sum(x[i] ** 2 / (x[i] / sp.Sum(x[j], (j, 1, n))), (i, 1, n)),
        right=total**2,
        domain={n: integers(1)},
    )
    gap = sp.Sum(p[i] * p[j] * (x[i] / p[i] - x[j] / p[j]) ** 2, (i, 1, n), (j, 1, n)) / 2
    lagrange = Identity(
        name="Lagrange's identity",
        explanation="A second proof without calculus: the distance from the optimum is a sum of squares.",
        label=r"\sum_i x_i^2/p_i - \left(\sum_i x_i\right)^2",
        left=sp.Sum(x[i] ** 2 / p[i], (i, 1, n)) - total**2,
        right=gap,
        domain=on_simplex,
    )
    nonnegative = Inequality(
        name="the distance is nonnegative",
        explanation="So no law beats the norm-proportional one; the distance is 0 only if all ratios x_i/p_i agree.",
        left=gap,
        relation=">=",
        right=0,
        domain=on_simplex,
    )
    return Theorem(
        title="Norm-proportional probabilities are optimal with replacement",
        statement=r"Among all $p > 0$ with $\sum_i p_i = 1$, the error $\frac1c\left(\sum_i x_i^2/p_i - "
        r"\|Z\|^2\right)$ with $x_i = \|A^i\|\|W_i\|$ is smallest for $p_i = x_i/\sum_j x_j$, where it is "
        r"$\frac1c\left(\left(\sum_i x_i\right)^2 - \|Z\|^2\right)$.",
        assumptions=[
            r"$x_i > 0$: indices with $x_i = 0$ contribute nothing and are left out",
            "the number of draws is fixed",
        ],
        sources=["Drineas, Kannan, Mahoney, SIAM J. Comput. 36 (2006), lemma 4"],
        steps=[
            stationary,
            Identity(
                name="the multiplier",
                explanation="The stationary p_i = x_i/s add up to 1 exactly if s is the sum of the x_j.",
                label=r"\sum_i x_i/s",
                left=sp.Sum(x[i] / sp.Sum(x[j], (j, 1, n)), (i, 1, n)),
                right=1,
                domain={n: integers(1)},
            ),
            value,
            lagrange,
            nonnegative,
            Identity(
                name="what uniform probabilities lose",
                explanation="With p_i = 1/n the distance from the optimum is n squared times the variance of the x_i.",
                label=r"n\sum_i x_i^2 - \left(\sum_i x_i\right)^2",
                left=n * sp.Sum(x[i] ** 2, (i, 1, n)) - total**2,
                right=n * sp.Sum((x[i] - total.xreplace({i: j}) / n) ** 2, (i, 1, n)),
                domain={n: integers(1)},
            ),
        ],
        mutations=[
            Mutation("p proportional to x squared", replace(stationary, at=x_i**2 / root)),
            Mutation("the sum of squares as the value", replace(value, right=sp.Sum(x[i] ** 2, (i, 1, n)))),
            Mutation("constraint dropped: p need not add up to 1", replace(lagrange, domain={n: integers(1)})),
            Mutation("strict, although the optimum has distance 0", replace(nonnegative, relation="<")),
        ],
    )
