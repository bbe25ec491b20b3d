"""First two moments of winner-take-all column-row sampling."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import inside, integers
from .model import Mutation, Theorem
from .steps import Identity


def theorem() -> Theorem:
    """Return the theorem."""
    r, m = sp.symbols("r m", integer=True, positive=True)
    kept = sp.Symbol("P", positive=True)
    i, j, t, u = sp.symbols("i j t u", integer=True)
    p, x, delta = sp.IndexedBase("p", positive=True), sp.IndexedBase("x", real=True), sp.KroneckerDelta
    rest = {m: integers(1), r: integers(1), kept: inside(0, 1), i: integers(1, m), j: integers(1, m)}
    chance_i, chance_j = p[i] / (1 - kept), p[j] / (1 - kept)
    scale_i, scale_j = (1 - kept) / (r * p[i]), (1 - kept) / (r * p[j])
    together = delta(t, u) * delta(i, j) * chance_i + (1 - delta(t, u)) * chance_i * chance_j
    covariance = (delta(i, j) * (1 - kept) / p[i] - 1) / r
    sizes = {m: integers(1), r: integers(1), kept: inside(0, 1)}
    mean = Identity(
        name="mean of a scale on the rest",
        explanation="Each of the r draws gives i with probability p_i/(1-P); sum and multiply with the scale of "
        "one draw.",
        label=r"\mathbb{E}\,\xi_i",
        left=scale_i * sp.Sum(chance_i, (t, 1, r)),
        right=1,
        domain=rest,
    )
    spread = Identity(
        name="covariance on the rest",
        explanation="Sum over ordered pairs of draws: the same draw gives both only if i = j, different ones are "
        "independent.",
        label=r"\operatorname{Cov}(\xi_i, \xi_j)",
        left=scale_i * scale_j * sp.Sum(together, (t, 1, r), (u, 1, r)) - 1,
        right=covariance,
        domain=rest,
    )
    summed = Identity(
        name="variance of the sampled sum",
        explanation="Terms of the kept set do not vary. On the rest insert the covariance into the double sum.",
        label=r"\operatorname{Var}\,\hat{s}",
        left=sp.Sum(x[i] * x[j] * covariance, (i, 1, m), (j, 1, m)),
        right=((1 - kept) * sp.Sum(x[i] ** 2 / p[i], (i, 1, m)) - sp.Sum(x[i], (i, 1, m)) ** 2) / r,
        domain=sizes,
    )
    return Theorem(
        title="Winner-take-all sampling is unbiased; only what is not kept varies",
        statement="Keep a set $C$ of total probability $P$ surely, and give the remaining $r = c - |C|$ draws to "
        r"the rest, with probabilities $p_i/(1-P)$ and scales $\xi_i = n_i(1-P)/(r\,p_i)$. Then $\mathbb{E}\,\xi = "
        r"1$, and on the rest $\operatorname{Cov}(\xi) = \frac{1}{r}\left(\operatorname{diag}((1-P)/p_i) - "
        r"\mathbf{1}\mathbf{1}^{T}\right)$.",
        assumptions=[r"$0 < P < 1$, and $r \ge 1$ draws are left", r"$p_i > 0$ on the rest, adding up to $1 - P$"],
        sources=["Liu et al., NeurIPS 2023 (arXiv 2305.15265): winner-take-all column-row sampling"],
        steps=[
            mean,
            spread,
            Identity(
                name="the rest is rescaled to its own total",
                explanation="The probabilities of the rest, divided by 1 - P, add up to 1, so they are a law.",
                label=r"\sum_{i} \frac{p_i}{1-P}",
                left=sp.Sum(p[i] / sp.Sum(p[j], (j, 1, m)), (i, 1, m)),
                right=1,
                domain={m: integers(1)},
            ),
            summed,
        ],
        mutations=[
            Mutation("scales without the factor 1 - P", replace(mean, left=mean.left / (1 - kept))),
            Mutation(
                "covariance of plain sampling with replacement", replace(spread, right=(delta(i, j) / p[i] - 1) / r)
            ),
            Mutation("variance without the factor 1 - P", replace(summed, right=summed.right / (1 - kept))),
        ],
    )
