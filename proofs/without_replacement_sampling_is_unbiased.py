"""First two moments of uniform sampling without replacement, from counting subsets."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import integers
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def theorem() -> Theorem:
    """Return the theorem."""
    n, k = sp.symbols("n k", integer=True, positive=True)
    i, j = sp.symbols("i j", integer=True)
    x, delta = sp.IndexedBase("x", real=True), sp.KroneckerDelta
    sizes = {k: integers(2), n: integers(k)}
    variance, covariance = n / k - 1, n * (k - 1) / (k * (n - 1)) - 1
    law = delta(i, j) * variance + (1 - delta(i, j)) * covariance
    total, squares = sp.Sum(x[i], (i, 1, n)), sp.Sum(x[i] ** 2, (i, 1, n))
    single = Identity(
        name="chance of one index",
        explanation="Of all k-subsets, those that contain i are as many as the (k-1)-subsets of the others.",
        label=r"P(i \in S)",
        left=sp.binomial(n - 1, k - 1) / sp.binomial(n, k),
        right=k / n,
        domain=sizes,
    )
    both = Identity(
        name="chance of two indices",
        explanation="The same count for two different indices.",
        label=r"P(i, j \in S)",
        left=sp.binomial(n - 2, k - 2) / sp.binomial(n, k),
        right=k * (k - 1) / (n * (n - 1)),
        domain=sizes,
    )
    negative = Inequality(
        name="different scales are negatively correlated",
        explanation="Taking one index leaves less room for another.",
        left=covariance,
        relation="<=",
        right=0,
        domain=sizes,
    )
    return Theorem(
        title="Uniform sampling without replacement is unbiased, and exact when every index is taken",
        statement=r"If $S$ is a uniform $k$-subset of $\{1,\dots,n\}$ and $\xi_i = n/k$ on $S$, else 0, then "
        r"$\mathbb{E}\,\xi_i = 1$, $\operatorname{Var}\,\xi_i = n/k - 1$ and for $i \ne j$ "
        r"$\operatorname{Cov}(\xi_i,\xi_j) = \frac{n(k-1)}{k(n-1)} - 1$.",
        assumptions=[r"$2 \le k \le n$", "every k-subset is equally likely"],
        sources=["Cochran, Sampling Techniques, 3rd ed. (1977), chapter 2"],
        steps=[
            single,
            both,
            Identity(
                name="mean of a scale",
                explanation="The scale n/k times the chance of being taken.",
                label=r"\mathbb{E}\,\xi_i",
                left=n / k * sp.binomial(n - 1, k - 1) / sp.binomial(n, k),
                right=1,
                domain=sizes,
            ),
            Identity(
                name="variance of a scale",
                explanation="The squared scale times the chance, minus the squared mean.",
                label=r"\operatorname{Var}\,\xi_i",
                left=(n / k) ** 2 * sp.binomial(n - 1, k - 1) / sp.binomial(n, k) - 1,
                right=variance,
                domain=sizes,
            ),
            Identity(
                name="covariance of two scales",
                explanation="The squared scale times the chance of both, minus the product of the means.",
                label=r"\operatorname{Cov}(\xi_i, \xi_j)",
                left=(n / k) ** 2 * sp.binomial(n - 2, k - 2) / sp.binomial(n, k) - 1,
                right=covariance,
                domain=sizes,
            ),
            negative,
            Identity(
                name="variance of the sampled sum",
                explanation="Insert the covariance into the double sum over all pairs; what is left is the "
                "variance about the average term, so equal terms cost nothing, and neither does k = n.",
                label=r"\operatorname{Var}\sum_i \xi_i x_i",
                left=sp.Sum(x[i] * x[j] * law, (i, 1, n), (j, 1, n)),
                right=n * (n - k) / (k * (n - 1)) * (squares - total**2 / n),
                domain=sizes,
            ),
        ],
        mutations=[
            Mutation("k/n squared for a pair, as if independent", replace(both, right=(k / n) ** 2)),
            Mutation("off by one in the chance", replace(single, right=k / (n + 1))),
            Mutation("strictly negative, although k = n gives 0", replace(negative, relation="<")),
        ],
    )
