"""With an exact forward pass, sampling the backward products leaves the gradient unbiased at every depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import sympy as sp

from .domain import above, integers
from .finite import Exhaustive
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity

_KEEP = Fraction(1, 3)
_DELTA = (Fraction(1), Fraction(-2))
_BACK = (((1, 2), (-1, 3)), ((2, -1), (0, 1)), ((1, 1), (1, -2)))
_ACTIVE = ((1, 1), (0, 1), (1, 1))


def _backward(bits: tuple[int, ...] | None) -> list[Fraction]:
    """Return the error signal after three backward products, sampled by the bits or exact."""
    delta = list(_DELTA)
    for layer, (weights, active) in enumerate(zip(_BACK, _ACTIVE, strict=True)):
        scale = [Fraction(1)] * 2 if bits is None else [b / _KEEP for b in bits[2 * layer : 2 * layer + 2]]
        sums = [sum((delta[j] * scale[j] * weights[i][j] for j in range(2)), Fraction(0)) for i in range(2)]
        delta = [a * value for a, value in zip(active, sums, strict=True)]
    return delta


def _enumerated() -> Iterator[tuple[object, bool]]:
    mean = [Fraction(0), Fraction(0)]
    for bits in product((0, 1), repeat=6):
        chance = _KEEP ** sum(bits) * (1 - _KEEP) ** (6 - sum(bits))
        mean = [total + chance * value for total, value in zip(mean, _backward(bits), strict=True)]
    for index, value in enumerate(_backward(None)):
        yield f"component {index + 1}", mean[index] == value


def theorem() -> Theorem:
    """Return the theorem."""
    n, m, rows = sp.symbols("n m B", integer=True, positive=True)
    i, j, b, u = sp.symbols("i j b u", integer=True)
    v, k = sp.Symbol("v", positive=True), sp.Symbol("k", integer=True, nonnegative=True)
    bases = {name: sp.IndexedBase(name, real=True) for name in ("delta", "e", "W", "D", "A")}
    delta, bias, w, slope, a = bases.values()
    p = sp.IndexedBase("p", positive=True)
    sizes = {n: integers(1), m: integers(1), i: integers(1, n)}

    def mean_scale(index: sp.Expr) -> sp.Expr:
        return sp.Sum(u / p[index] * (u * p[index] + (1 - u) * (1 - p[index])), (u, 0, 1))

    product_mean = Identity(
        name="one backward product",
        explanation="The slopes D come from the exact forward pass, so they are constants. Scales are drawn "
        "afresh, so means of scales and of signals multiply: with the mean signal delta after the layer, averaging "
        "each Bernoulli scale over its two outcomes leaves the exact product.",
        label=r"\mathbb{E}\,\hat\delta'_i",
        left=sp.Sum(slope[i] * w[i, j] * mean_scale(j) * delta[j], (j, 1, m)),
        right=slope[i] * sp.Sum(w[i, j] * delta[j], (j, 1, m)),
        domain=sizes,
    )
    recursion = Identity(
        name="a bias would have to come from a layer above",
        explanation="So the bias e of the signal obeys the same linear recursion without a source. It is 0 at the "
        "output, where the signal is exact; hence it is 0 at every layer.",
        label=r"e'_i",
        left=sp.Sum(slope[i] * w[i, j] * (delta[j] + bias[j]), (j, 1, m))
        - slope[i] * sp.Sum(w[i, j] * delta[j], (j, 1, m)),
        right=slope[i] * sp.Sum(w[i, j] * bias[j], (j, 1, m)),
        domain=sizes,
    )
    weight = Identity(
        name="weight gradients",
        explanation="The weight gradient sums over the examples of the batch, with exact activations A. Sampling "
        "the examples with unbiased scales independent of the signals leaves the mean exact.",
        label=r"\mathbb{E}\,\hat G_{ij}",
        left=sp.Sum(a[b, i] * mean_scale(b) * delta[b, j], (b, 1, rows)),
        right=sp.Sum(a[b, i] * delta[b, j], (b, 1, rows)),
        domain={rows: integers(1), **sizes, j: integers(1, m)},
    )
    spread = Induction(
        name="what compounds is the variance",
        explanation="Unbiased does not mean accurate: with 1 + v for the mean squared scale, a chain of k backward "
        "products multiplies the second moment by (1 + v)^k.",
        k=k,
        closed=(1 + v) ** k,
        initial=1,
        advance=lambda value, _: (1 + v) * value,
        domain={v: above(0)},
    )
    return Theorem(
        title="With an exact forward pass sampled gradients stay unbiased",
        statement="If activations and slopes come from an exact forward pass, and only the backward products are "
        "sampled with unbiased, independent scales, then every gradient is unbiased, at any depth and for any "
        "activation function.",
        assumptions=[
            "exact forward pass",
            "unbiased scales (here Bernoulli), drawn afresh for each product, independent of the data",
        ],
        sources=[
            "Adelman, Levy, Hakimi, Silberstein, NeurIPS 2021 (arXiv 1805.08079)",
            "Liu et al., NeurIPS 2023 (arXiv 2305.15265)",
        ],
        steps=[
            product_mean,
            recursion,
            weight,
            spread,
            Exhaustive(
                name="against enumeration",
                explanation="Three backward products of two nodes with given slopes: the mean over all 64 outcomes "
                "is the exact signal.",
                claim=r"\sum_{\text{outcomes}} P\,\hat\delta_0 = \delta_0",
                cases=_enumerated,
                complete=False,
            ),
        ],
        mutations=[
            Mutation("scales without the factor 1/p", replace(product_mean, left=_unscaled(slope, w, delta, p))),
            Mutation("slopes applied twice", replace(recursion, right=slope[i] * recursion.right)),
            Mutation(
                "a weight gradient of absolute signals",
                replace(weight, right=sp.Sum(a[b, i] * delta[b, j] ** 2, (b, 1, rows))),
            ),
            Mutation("variance linear in depth", replace(spread, closed=1 + k * v)),
        ],
    )


def _unscaled(slope: sp.IndexedBase, w: sp.IndexedBase, delta: sp.IndexedBase, p: sp.IndexedBase) -> sp.Expr:
    i, j, m = sp.Symbol("i", integer=True), sp.Symbol("j", integer=True), sp.Symbol("m", integer=True, positive=True)
    return sp.Sum(slope[i] * w[i, j] * p[j] * delta[j], (j, 1, m))
