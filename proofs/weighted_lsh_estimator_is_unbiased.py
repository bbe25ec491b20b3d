"""Hash retrieval weighted by the inverse retrieval probability is an unbiased estimator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from .domain import Range, above, inside, integers
from .finite import Exhaustive
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def _biased_example() -> Iterator[tuple[object, bool]]:
    probabilities, terms = (Fraction(1, 2), Fraction(1, 4)), (Fraction(1), Fraction(3))
    plain = sum((p * x for p, x in zip(probabilities, terms, strict=True)), Fraction(0))
    yield f"mean {plain} instead of {sum(terms)}", plain != sum(terms)


def theorem() -> Theorem:
    """Return the theorem."""
    n = sp.Symbol("n", integer=True, positive=True)
    i, j, b = sp.symbols("i j b", integer=True)
    p, q, joint, bucket = sp.symbols("P_i P_j S_ij s", positive=True)
    x, s = sp.IndexedBase("x", real=True), sp.IndexedBase("S", real=True)
    chance = sp.IndexedBase("P", positive=True)
    tables = sp.Symbol("L", integer=True, positive=True)
    unit = Range(sp.Integer(0), sp.Integer(1), low_open=True, high_open=False)
    mean = Identity(
        name="mean of a weight",
        explanation="A retrieved node has the weight 1/P, others 0: average over both outcomes.",
        label=r"\mathbb{E}\,\xi_i",
        left=sp.Sum(b / p * (b * p + (1 - b) * (1 - p)), (b, 0, 1)),
        right=1,
        domain={p: unit},
    )
    covariance = Identity(
        name="covariance of two weights",
        explanation="The product of two weights is 1/(P_i P_j) if both are retrieved (probability S_ij), else 0.",
        label=r"\operatorname{Cov}(\xi_i, \xi_j)",
        left=joint / (p * q) - 1,
        right=(joint - p * q) / (p * q),
        domain={p: unit, q: unit, joint: inside(0, p)},
    )
    variance = Identity(
        name="variance of the estimate",
        explanation="Insert the covariance into the double sum.",
        label=r"\operatorname{Var}\sum_i \xi_i x_i",
        left=sp.Sum((s[i, j] - chance[i] * chance[j]) / (chance[i] * chance[j]) * x[i] * x[j], (i, 1, n), (j, 1, n)),
        right=sp.Sum(s[i, j] * (x[i] / chance[i]) * (x[j] / chance[j]), (i, 1, n), (j, 1, n))
        - sp.Sum(x[i], (i, 1, n)) ** 2,
        domain={n: integers(1)},
    )
    price = Inequality(
        name="the price of rare nodes",
        explanation="The variance of one weight is (1-P)/P. With P at most L s (union bound) it is at least 1/(L "
        "s) - 1: nodes that are hardly ever retrieved make the estimator's variance explode.",
        left=(1 - p) / p,
        relation=">=",
        right=1 / (tables * bucket) - 1,
        domain={bucket: above(0), tables: integers(1), p: inside(0, tables * bucket)},
    )
    return Theorem(
        title="Inverse-probability weights make hash retrieval unbiased",
        statement="If node $i$ is retrieved with probability $P_i > 0$ and then weighted by $1/P_i$, every sum "
        "over nodes is estimated without bias, with covariance $(S_{ij} - P_iP_j)/(P_iP_j)$ of the weights.",
        assumptions=[
            r"$P_i > 0$ for every node with a nonzero term",
            "retrieval probabilities are known (theorem on retrieval probabilities)",
        ],
        sources=[
            "Horvitz, Thompson, JASA 47 (1952)",
            "Charikar, Siminelakis, FOCS 2017",
            "Chen, Xu, Shrivastava, NeurIPS 2019",
        ],
        steps=[
            mean,
            covariance,
            variance,
            price,
            Exhaustive(
                name="without weights the estimate is biased",
                explanation="With P = (1/2, 1/4) and terms 1 and 3 the unweighted sum has the mean 5/4 instead of 4.",
                claim=r"\sum_i P_i x_i = \tfrac54 \ne 4 = \sum_i x_i",
                cases=_biased_example,
                complete=True,
            ),
        ],
        mutations=[
            Mutation("P = 0 allowed", replace(mean, domain={p: Range(sp.Integer(0), sp.Integer(1), False, False)})),
            Mutation("weights 1/P^2", replace(mean, left=sp.Sum(b / p**2 * (b * p + (1 - b) * (1 - p)), (b, 0, 1)))),
            Mutation("covariance not divided", replace(covariance, right=joint - p * q)),
            Mutation(
                "square of the sum added", replace(variance, right=variance.right + 2 * sp.Sum(x[i], (i, 1, n)) ** 2)
            ),
            Mutation("upper instead of lower bound", replace(price, relation="<=")),
        ],
    )
