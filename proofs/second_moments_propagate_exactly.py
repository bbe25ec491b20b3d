"""Exact second moments of a stack of linear layers whose scales do not depend on the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import sympy as sp

from .domain import integers
from .finite import Exhaustive
from .model import Mutation, Theorem
from .steps import Identity

_WEIGHTS = (((1, 2), (-1, 1)), ((2, -1), (1, 3)))
_INPUT = (Fraction(1), Fraction(-2))


def _layer(vector: list[Fraction], weights: tuple[tuple[int, ...], ...]) -> list[Fraction]:
    return [sum((vector[k] * weights[k][j] for k in range(2)), Fraction(0)) for j in range(2)]


def _enumerated(keep: Fraction) -> Fraction:
    """Return the mean squared norm of the output over all 16 outcomes of two layers of Bernoulli scales."""
    total = Fraction(0)
    for outcome in product((0, 1), repeat=4):
        chance, vector = Fraction(1), list(_INPUT)
        for layer, weights in enumerate(_WEIGHTS):
            kept = outcome[2 * layer : 2 * layer + 2]
            for b in kept:
                chance *= keep if b else 1 - keep
            vector = _layer([v * b / keep for v, b in zip(vector, kept, strict=True)], weights)
        total += chance * sum(v * v for v in vector)
    return total


def _propagated(keep: Fraction) -> Fraction:
    moment = [[a * b for b in _INPUT] for a in _INPUT]
    for w in _WEIGHTS:
        grown = [[moment[k][u] * (1 / keep if k == u else 1) for u in range(2)] for k in range(2)]
        moment = [
            [sum((w[k][i] * grown[k][u] * w[u][j] for k in range(2) for u in range(2)), Fraction(0)) for j in range(2)]
            for i in range(2)
        ]
    return moment[0][0] + moment[1][1]


def _instances() -> Iterator[tuple[object, bool]]:
    for keep in (Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(7, 9)):
        yield f"keep probability {keep}", _enumerated(keep) == _propagated(keep)


def theorem() -> Theorem:
    """Return the theorem."""
    n, m = sp.symbols("n m", integer=True, positive=True)
    i, j, k, u = sp.symbols("i j k u", integer=True)
    bases = {name: sp.IndexedBase(name, real=True) for name in ("a", "W", "xi", "Sigma", "M", "mu", "z", "e", "K")}
    a, w, xi, cov, moment, mu, z, e, cross = bases.values()
    sizes = {n: integers(1), m: integers(1)}
    expanded = Identity(
        name="the product of two outputs is a double sum",
        explanation="Two entries of the sampled product, multiplied: scales, inputs and weights come as separate "
        "factors, so means can be taken factor by factor (the scales are independent of the inputs).",
        label=r"\hat z_i \hat z_j",
        left=sp.Sum(xi[k] * a[k] * w[k, i], (k, 1, n)) * sp.Sum(xi[k] * a[k] * w[k, j], (k, 1, n)),
        right=sp.Sum(w[k, i] * w[u, j] * (xi[k] * xi[u]) * (a[k] * a[u]), (k, 1, n), (u, 1, n)),
        domain={**sizes, i: integers(1, m), j: integers(1, m)},
    )
    decomposed = Identity(
        name="error from moments",
        explanation="With z' = z + e, the squared error is the squared norm of z' minus twice the cross term plus "
        "the exact squared norm.",
        label=r"\|\hat z - z\|^2",
        left=sp.Sum(e[j] ** 2, (j, 1, m)),
        right=sp.Sum((z[j] + e[j]) ** 2, (j, 1, m))
        - 2 * sp.Sum(z[j] * (z[j] + e[j]), (j, 1, m))
        + sp.Sum(z[j] ** 2, (j, 1, m)),
        domain={m: integers(1)},
    )
    single = Identity(
        name="one layer gives the one-step error",
        explanation="With a known input the moments before the layer are the products of its entries; the trace of "
        "the moments after it, minus the exact squared norm, is the covariance's part alone.",
        label=r"\operatorname{tr} M_1 - \|z\|^2",
        left=sp.Sum(w[k, j] * w[u, j] * (1 + cov[k, u]) * a[k] * a[u], (k, 1, n), (u, 1, n), (j, 1, m))
        - sp.Sum(sp.Sum(a[k] * w[k, j], (k, 1, n)) ** 2, (j, 1, m)),
        right=sp.Sum(cov[k, u] * a[k] * a[u] * w[k, j] * w[u, j], (k, 1, n), (u, 1, n), (j, 1, m)),
        domain=sizes,
    )
    return Theorem(
        title="Second moments propagate exactly through sampled linear layers",
        statement=r"For $\hat a_k = (\hat a_{k-1} \circ \xi_k) W_k$ with independent scales, $\mathbb{E}\,\xi_k = "
        r"\mu_k$, $\operatorname{Cov}(\xi_k) = \Sigma_k$, the moments $M_k = \mathbb{E}\,\hat a_k^T \hat a_k$ obey "
        r"$M_k = W_k^T\left(M_{k-1} \circ (\mu_k\mu_k^T + \Sigma_k)\right) W_k$; for unbiased scales "
        r"$\mathbb{E}\|\hat a_L - a_L\|^2 = \operatorname{tr} M_L - \|a_L\|^2$.",
        assumptions=[
            "linear activations",
            "the scales of a layer are independent of all earlier ones, and of the data",
        ],
        sources=["Derived here"],
        steps=[
            expanded,
            Identity(
                name="take the mean",
                explanation="Replace the product of two scales by its mean mu mu + Sigma and the product of two "
                "inputs by M: one entry of the recursion, as sum over k of W_ki times the row sum over u.",
                label=r"\mathbb{E}\,\hat z_i \hat z_j",
                left=sp.Sum(w[k, i] * w[u, j] * (mu[k] * mu[u] + cov[k, u]) * moment[k, u], (k, 1, n), (u, 1, n)),
                right=sp.Sum(
                    w[k, i] * sp.Sum((mu[k] * mu[u] + cov[k, u]) * moment[k, u] * w[u, j], (u, 1, n)), (k, 1, n)
                ),
                domain={**sizes, i: integers(1, m), j: integers(1, m)},
            ),
            decomposed,
            Identity(
                name="unbiased scales",
                explanation="If the mean of z' is z the mean cross term is the exact squared norm; so trace minus "
                "squared norm is left.",
                label=r"\mathbb{E}\|\hat z - z\|^2",
                left=sp.Sum(moment[j, j] - 2 * z[j] * z[j] + z[j] ** 2, (j, 1, m)),
                right=sp.Sum(moment[j, j], (j, 1, m)) - sp.Sum(z[j] ** 2, (j, 1, m)),
                domain={m: integers(1)},
            ),
            single,
            Identity(
                name="cross moments of biased methods",
                explanation="The cross moments K = E a'^T a with the exact network need only the mean scales; with "
                "both recursions the error of any biased method is known.",
                label=r"\mathbb{E}\,\hat z_i z_j",
                left=sp.Sum(w[k, i] * mu[k] * cross[k, u] * w[u, j], (k, 1, n), (u, 1, n)),
                right=sp.Sum(w[k, i] * mu[k] * sp.Sum(cross[k, u] * w[u, j], (u, 1, n)), (k, 1, n)),
                domain={**sizes, i: integers(1, m), j: integers(1, m)},
            ),
            Exhaustive(
                name="against enumeration",
                explanation="Two layers of two nodes with Bernoulli scales: the recursion equals the average over "
                "all 16 outcomes, exactly.",
                claim=r"\sum_{\text{outcomes}} P\,\|\hat a_2\|^2 = \operatorname{tr} M_2",
                cases=_instances,
                complete=False,
            ),
        ],
        mutations=[
            Mutation(
                "cross term counted once", replace(decomposed, right=decomposed.right + sp.Sum(z[j] * e[j], (j, 1, m)))
            ),
            Mutation(
                "covariance only on the diagonal", replace(single, right=sp.Sum(cov[k, k] * a[k] ** 2, (k, 1, n)))
            ),
            Mutation("scales squared separately", replace(expanded, right=expanded.right.xreplace({xi[u]: xi[k]}))),
        ],
    )
