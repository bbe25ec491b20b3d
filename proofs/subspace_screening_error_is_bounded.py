"""How far scores from a projected input can be from the true pre-activations."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import at_least, between, integers, real
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def theorem() -> Theorem:
    """Return the theorem."""
    n, r = sp.symbols("n r", integer=True, positive=True)
    i, j, k = sp.symbols("i j k", integer=True)
    a, w, u, rest = (sp.IndexedBase(name, real=True) for name in ("a", "W", "U", "e"))
    bound, first, second, x, y = sp.symbols("B s_1 s_2 x y", real=True)
    coordinates = sp.Sum(a[j] * u[j, k], (j, 1, n))
    score = sp.Sum(coordinates * sp.Sum(u[i, k] * w[i], (i, 1, n)), (k, 1, r))
    residual = a[i] - sp.Sum(coordinates * u[i, k], (k, 1, r))
    difference = Identity(
        name="the error is the residual's inner product",
        explanation="The score is the inner product of the projected coordinates aU with the projected weights U^T "
        "W; what it misses is the inner product of the residual (I - U U^T) a with W.",
        label=r"z - s",
        left=sp.Sum(a[i] * w[i], (i, 1, n)) - score,
        right=sp.Sum(residual * w[i], (i, 1, n)),
        domain={n: integers(1), r: integers(1)},
    )
    squares = sp.Sum((rest[i] * w[j] - rest[j] * w[i]) ** 2, (i, 1, n), (j, 1, n)) / 2
    cauchy = Identity(
        name="Lagrange's identity",
        explanation="For the residual e: its squared norm times that of W exceeds the squared inner product by a "
        "sum of squares (Cauchy and Schwarz).",
        label=r"\|e\|^2\|W\|^2 - \langle e, W\rangle^2",
        left=sp.Sum(rest[i] ** 2, (i, 1, n)) * sp.Sum(w[i] ** 2, (i, 1, n)) - sp.Sum(rest[i] * w[i], (i, 1, n)) ** 2,
        right=squares,
        domain={n: integers(1)},
    )
    nonnegative = Inequality(
        name="it is nonnegative",
        explanation="So |z - s| is at most the norm of the residual times the norm of the weights.",
        left=squares,
        relation=">=",
        right=0,
        domain={n: integers(1)},
    )
    order = Inequality(
        name="clear winners keep their place",
        explanation="If both errors x and y are at most B in size, and the scores differ by at least 2B, the true "
        "pre-activations are in the same order.",
        left=(first + x) - (second + y),
        relation=">=",
        right=0,
        domain={
            bound: at_least(0),
            second: real(),
            first: at_least(second + 2 * bound),
            x: between(-bound, bound),
            y: between(-bound, bound),
        },
    )
    return Theorem(
        title="Subspace screening errs by at most the energy outside the subspace",
        statement=r"For scores $s = (aU)(U^T W_j)$ with any $U$: $|s_j - z_j| \le \|(I - UU^T)a\|\,\|W_j\|$; nodes "
        "whose scores differ by more than twice the bound are ordered correctly.",
        assumptions=["the same input and weights in score and pre-activation (no staleness)", "exact arithmetic"],
        sources=["Cauchy-Schwarz inequality; the method is this package's own"],
        steps=[difference, cauchy, nonnegative, order],
        mutations=[
            Mutation("norms not squared", replace(cauchy, left=cauchy.left + sp.Sum(rest[i] * w[i], (i, 1, n)))),
            Mutation(
                "scores that differ by B only", replace(order, domain={**order.domain, first: at_least(second + bound)})
            ),
            Mutation("projection counted twice", replace(difference, left=difference.left - score)),
        ],
    )
