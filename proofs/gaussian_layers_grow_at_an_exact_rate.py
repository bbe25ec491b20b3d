"""Exact exponential growth of the expected error in stacks of i.i.d. Gaussian linear layers."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .calculus import Limit
from .domain import above, inside, integers
from .finite import Cited
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity


def theorem() -> Theorem:
    """Return the theorem."""
    n, c = sp.symbols("n c", integer=True, positive=True)
    layers = sp.Symbol("k", integer=True, nonnegative=True)
    i, j, k, u = sp.symbols("i j k u", integer=True)
    s, t, v, keep, g = sp.symbols("s t v p g", positive=True)
    x, cov, delta = sp.IndexedBase("X", real=True), sp.IndexedBase("Sigma", real=True), sp.KroneckerDelta
    size = {n: integers(2)}
    isotropic = Identity(
        name="a Gaussian layer makes moments isotropic",
        explanation="Entries of W are independent with variance s^2: E W_ki W_uj is s^2 if k = u and i = j, else "
        "0. So for any matrix X of moments the mean of W^T X W is s^2 times the trace of X times the identity.",
        label=r"\mathbb{E}\,(W^T X W)_{ij}",
        left=sp.Sum(s**2 * delta(k, u) * delta(i, j) * x[k, u], (k, 1, n), (u, 1, n)),
        right=s**2 * delta(i, j) * sp.Sum(x[k, k], (k, 1, n)),
        domain={**size, s: above(0), i: integers(1, n), j: integers(1, n)},
    )
    step = Identity(
        name="one layer on isotropic moments",
        explanation="With moments t times the identity, the scales contribute 1 + Sigma_kk on the diagonal, and "
        "nothing off it.",
        label=r"t'",
        left=s**2 * sp.Sum((1 + cov[k, k]) * t, (k, 1, n)),
        right=s**2 * t * (n + sp.Sum(cov[k, k], (k, 1, n))),
        domain={**size, s: above(0), t: above(0)},
    )
    growth = Induction(
        name="growth with depth",
        explanation="With the same mean variance v of the scales in every layer, each layer multiplies t by s^2 n "
        "(1 + v); put g = 1 + v.",
        k=layers,
        closed=t * (s**2 * n * g) ** layers,
        initial=t,
        advance=lambda value, _: s**2 * n * g * value,
        domain={**size, s: above(0), t: above(0), g: above(1)},
    )
    relative = Identity(
        name="relative error",
        explanation="The exact network grows by s^2 n a layer; the error of unbiased scales is the difference of "
        "second moments.",
        label=r"\mathbb{E}\|\hat a_k - a_k\|^2 / \mathbb{E}\|a_k\|^2",
        left=(t * (s**2 * n * g) ** layers - t * (s**2 * n) ** layers) / (t * (s**2 * n) ** layers),
        right=g**layers - 1,
        domain={**size, s: above(0), t: above(0), g: above(1), layers: integers(0)},
    )
    uniform = Identity(
        name="uniform with replacement",
        explanation="With p = 1/n the variance of each scale is (1/c)(1/p - 1), so g = 1 + (n-1)/c.",
        label="g",
        left=1 + sp.Sum((1 / (1 / n) - 1) / c, (k, 1, n)) / n,
        right=1 + (n - 1) / c,
        domain={**size, c: integers(1)},
    )
    return Theorem(
        title="In i.i.d. Gaussian linear layers the expected error is exactly g^k - 1",
        statement="For $k$ independent layers with i.i.d. centred Gaussian weights and unbiased scales of mean "
        r"variance $v$ per layer, $\mathbb{E}\|\hat a_k - a_k\|^2/\mathbb{E}\|a_k\|^2 = g^k - 1$ with $g = 1 + v$: "
        "$1/p$ for Bernoulli sampling, $1 + (n-1)/c$ for $c$ uniform draws with replacement.",
        assumptions=[
            "linear activations, all widths n, weights i.i.d. centred with variance $s^2$ (only these two moments "
            "are used)",
            "the scales are unbiased and independent between layers; the first layer's input is isotropic or its "
            "scales have equal variances",
            "means are over weights and scales together",
        ],
        sources=["Derived here"],
        steps=[
            isotropic,
            step,
            growth,
            relative,
            uniform,
            Identity(
                name="Bernoulli",
                explanation="The variance of a scale is (1-p)/p, so g = 1/p.",
                label="g",
                left=1 + (1 - keep) / keep,
                right=1 / keep,
                domain={keep: inside(0, 1)},
            ),
            Limit(
                name="rate",
                explanation="The logarithm of the error per layer tends to log g = log(1 + v) for every v > 0.",
                body=sp.log((1 + v) ** layers - 1) / layers,
                variable=layers,
                to=sp.oo,
                value=sp.log(1 + v),
                domain={v: above(0)},
            ),
            Cited(
                name="means and typical values differ",
                explanation="For one fixed draw of the weights at fixed width, the growth per layer of a product "
                "of random matrices tends to a Lyapunov exponent, which lies below the growth of the mean by "
                "O(1/n).",
                claim=r"\lim_{k\to\infty} \tfrac1k \log\|a W_1\cdots W_k\|^2 = \log s^2 + \psi(n/2) + \log 2 "
                r"\quad\text{almost surely}",
                source="Cohen, Newman, Annals of Probability 12 (1984), The stability of large random matrices and "
                "their products",
            ),
        ],
        mutations=[
            Mutation("isotropic for all pairs of indices", replace(isotropic, right=isotropic.right / delta(i, j))),
            Mutation("n instead of n - 1", replace(uniform, right=1 + n / c)),
            Mutation("g^(2k): amplitude instead of energy", replace(relative, right=g ** (2 * layers) - 1)),
            Mutation("growth without the width", replace(growth, closed=t * (s**2 * g) ** layers)),
        ],
    )
