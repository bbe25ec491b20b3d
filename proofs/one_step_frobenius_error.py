"""The expected squared Frobenius error of one sampled product, for any batch, any size and any law of the scales."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import Simplex, integers
from .model import Mutation, Theorem
from .steps import Identity


def theorem() -> Theorem:
    """Return the theorem."""
    n, m, rows, c, k = sp.symbols("n m B c k", integer=True, positive=True)
    i, j, u, b = sp.symbols("i j u b", integer=True)
    a, w, cov = sp.IndexedBase("A", real=True), sp.IndexedBase("W", real=True), sp.IndexedBase("Sigma", real=True)
    p, keep, delta = sp.IndexedBase("p", positive=True), sp.IndexedBase("q", positive=True), sp.KroneckerDelta
    sizes = {n: integers(2), m: integers(1), rows: integers(1)}

    def error(law: sp.Expr) -> sp.Expr:
        term = a[b, i] * a[b, u] * w[i, j] * w[u, j] * law
        return sp.Sum(term, (i, 1, n), (u, 1, n), (b, 1, rows), (j, 1, m))

    column = sp.Sum(a[b, i] ** 2, (b, 1, rows))
    row = sp.Sum(w[i, j] ** 2, (j, 1, m))
    exact = sp.Sum(sp.Sum(a[b, i] * w[i, j], (i, 1, n)) ** 2, (b, 1, rows), (j, 1, m))
    norms = sp.Sum(column * row, (i, 1, n))
    replacement = Identity(
        name="with replacement",
        explanation="Insert the covariance of sampling with replacement. The diagonal part gives norms over "
        "probabilities, the constant part the exact product.",
        label=r"\mathbb{E}\|\hat Z - Z\|_F^2",
        left=error((delta(i, u) / p[i] - 1) / c),
        right=(sp.Sum(column * row / p[i], (i, 1, n)) - exact) / c,
        domain={**sizes, c: integers(1), p: Simplex(n)},
    )
    bernoulli = Identity(
        name="Bernoulli",
        explanation="The covariance is diagonal: only the norms are left.",
        label=r"\mathbb{E}\|\hat Z - Z\|_F^2",
        left=error(delta(i, u) * (1 / keep[i] - 1)),
        right=sp.Sum((1 / keep[i] - 1) * column * row, (i, 1, n)),
        domain=sizes,
    )
    subset = Identity(
        name="uniform without replacement",
        explanation="Two values of the covariance, on and off the diagonal.",
        label=r"\mathbb{E}\|\hat Z - Z\|_F^2",
        left=error(delta(i, u) * (n / k - 1) + (1 - delta(i, u)) * (n * (k - 1) / (k * (n - 1)) - 1)),
        right=(n - k) / (k * (n - 1)) * (n * norms - exact),
        domain={m: integers(1), rows: integers(1), k: integers(1), n: integers(k + 1)},
    )
    return Theorem(
        title="The one-step error of a sampled product",
        statement=r"For $\hat Z = A\operatorname{diag}(\xi) W$ with $\mathbb{E}\,\xi = 1$, $\operatorname{Cov}(\xi) "
        r"= \Sigma$: $\mathbb{E}\|\hat Z - Z\|_F^2 = \sum_{i,u} \Sigma_{iu}\,(A^TA)_{iu}(WW^T)_{iu}$. With "
        r"replacement this is $\frac1c\left(\sum_i \|A^i\|^2\|W_i\|^2/p_i - \|Z\|_F^2\right)$, for Bernoulli "
        r"sampling $\sum_i (1/p_i - 1)\|A^i\|^2\|W_i\|^2$.",
        assumptions=[
            r"$\mathbb{E}\,\xi = 1$ and $\operatorname{Cov}(\xi) = \Sigma$",
            "$A$ and $W$ do not depend on the draws",
        ],
        sources=[
            "Drineas, Kannan, Mahoney, SIAM J. Comput. 36 (2006), lemma 4",
            "Adelman et al., NeurIPS 2021 (arXiv 1805.08079)",
        ],
        steps=[
            Identity(
                name="any covariance",
                explanation="Write the square of each entry's error as a double sum over inner indices, take the "
                "mean of the product of two scales' deviations, and exchange the order of summation.",
                label=r"\mathbb{E}\|\hat Z - Z\|_F^2",
                left=error(cov[i, u]),
                right=sp.Sum(
                    cov[i, u] * sp.Sum(a[b, i] * a[b, u], (b, 1, rows)) * sp.Sum(w[i, j] * w[u, j], (j, 1, m)),
                    (i, 1, n),
                    (u, 1, n),
                ),
                domain=sizes,
            ),
            replacement,
            bernoulli,
            subset,
            Identity(
                name="norm-proportional probabilities",
                explanation="With p_i proportional to x_i, the product of the norms, the first sum becomes a "
                "square: the value that no other law with replacement improves on.",
                label=r"\sum_i x_i^2/p_i",
                left=sp.Sum(_x[i] ** 2 / (_x[i] / sp.Sum(_x[u], (u, 1, n))), (i, 1, n)),
                right=sp.Sum(_x[i], (i, 1, n)) ** 2,
                domain={n: integers(1)},
            ),
        ],
        mutations=[
            Mutation(
                "the exact product added instead of subtracted",
                replace(replacement, right=replacement.right + 2 * exact / c),
            ),
            Mutation("1/p instead of 1/p - 1", replace(bernoulli, right=sp.Sum(column * row / keep[i], (i, 1, n)))),
            Mutation("no correction for the finite population", replace(subset, right=(n * norms - exact) / k)),
        ],
    )


_x = sp.IndexedBase("x", positive=True)
