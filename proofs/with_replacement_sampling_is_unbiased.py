"""First two moments of the scales of column-row sampling with replacement, for any number of draws."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import Simplex, inside, integers
from .model import Mutation, Theorem
from .steps import Identity, Where


def theorem() -> Theorem:
    """Return the theorem."""
    n, c = sp.symbols("n c", integer=True, positive=True)
    i, j, k, t, u = sp.symbols("i j k t u", integer=True)
    s, a = sp.symbols("s a", positive=True)
    p, delta = sp.IndexedBase("p", positive=True), sp.KroneckerDelta
    members: Where = {n: integers(2), c: integers(1), i: integers(1, n), j: integers(1, n), p: Simplex(n)}
    together = delta(t, u) * delta(i, j) * p[i] + (1 - delta(t, u)) * p[i] * p[j]
    product_moment = c * p[i] * delta(i, j) + c * (c - 1) * p[i] * p[j]
    generating = (a * s + 1 - a) ** c
    covariance = Identity(
        name="covariance of the scales",
        explanation="Divide by the normalisation c p_i of each scale and subtract the product of the means, which "
        "is 1.",
        label=r"\operatorname{Cov}(\xi_i, \xi_j)",
        left=product_moment / (c**2 * p[i] * p[j]) - 1,
        right=(delta(i, j) / p[i] - 1) / c,
        domain=members,
    )
    mean = Identity(
        name="mean of a scale",
        explanation="Sum the chance of i over the c draws and divide by c p_i.",
        label=r"\mathbb{E}\,\xi_i",
        left=sp.Sum(p[i], (t, 1, c)) / (c * p[i]),
        right=1,
        domain=members,
    )
    pairs = Identity(
        name="second moments of the counts",
        explanation="The same draw gives both i and j only if i = j; two different draws are independent. Sum over all "
        "ordered pairs of draws.",
        label=r"\mathbb{E}\,n_i n_j",
        left=sp.Sum(together, (t, 1, c), (u, 1, c)),
        right=product_moment,
        domain=members,
    )
    mixed = Identity(
        name="the same from the generating function",
        explanation="A second route for i = j: a count has the generating function of c independent draws with "
        "chance a; differentiating twice at s = 1 gives its second moment.",
        label=rf"\left.\partial_s\, s\, \partial_s {sp.latex(generating)}\right|_{{s=1}}",
        left=sp.diff(s * sp.diff(generating, s), s).subs(s, 1),
        right=c * a + c * (c - 1) * a**2,
        domain={c: integers(1), a: inside(0, 1)},
    )
    return Theorem(
        title="Sampling with replacement is unbiased, with a known covariance",
        statement=r"If $i$ is drawn $n_i$ times in $c$ independent draws from $p$ and $\xi_i = n_i/(c\,p_i)$, then "
        r"$\mathbb{E}\,\xi_i = 1$ and $\operatorname{Cov}(\xi) = \frac{1}{c}\left(\operatorname{diag}(1/p) - "
        r"\mathbf{1}\mathbf{1}^{T}\right)$, for every $n$ and $c$.",
        assumptions=[r"$p_i > 0$ and $\sum_i p_i = 1$", "the draws are independent and identically distributed"],
        sources=["Drineas, Kannan, Mahoney, SIAM J. Comput. 36 (2006), Fast Monte Carlo algorithms for matrices I"],
        steps=[
            Identity(
                name="chance of one draw",
                explanation="The indicator that a draw gives i averages to p_i: the Kronecker delta picks one term.",
                label=r"\mathbb{E}\,[I = i]",
                left=sp.Sum(p[k] * delta(k, i), (k, 1, n)),
                right=p[i],
                domain=members,
            ),
            mean,
            pairs,
            mixed,
            covariance,
            Identity(
                name="the scales balance",
                explanation="The draws always number c, so the p-weighted scales do not vary: each row of the "
                "covariance, weighted by p, adds up to 0.",
                label=r"\sum_j p_j \operatorname{Cov}(\xi_i, \xi_j)",
                left=sp.Sum(p[j] * (delta(i, j) / p[i] - 1) / c, (j, 1, n)),
                right=0,
                domain={n: integers(2), c: integers(1), i: integers(1, n), p: Simplex(n)},
            ),
        ],
        mutations=[
            Mutation(
                "c^2 pairs of different draws instead of c(c-1)", replace(pairs, right=product_moment + c * p[i] * p[j])
            ),
            Mutation("covariance without the minus one", replace(covariance, right=delta(i, j) / p[i] / c)),
        ],
    )
