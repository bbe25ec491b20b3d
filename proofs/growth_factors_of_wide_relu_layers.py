"""The factor by which one sampled layer multiplies the second moment in wide ReLU networks."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import above, inside, integers
from .finite import Cited
from .model import Mutation, Theorem
from .relu_moments_of_a_gaussian import relu_square
from .steps import Identity, Inequality


def growth_uniform(n: sp.Expr, c: sp.Expr) -> sp.Expr:
    """Return the growth factor of c uniform draws with replacement of n nodes."""
    return 1 + (n - 1) / c


def growth_norm_optimal(n: sp.Expr, c: sp.Expr) -> sp.Expr:
    """Return the growth factor of c norm-proportional draws with replacement of n nodes."""
    return 1 + (n / sp.pi - 1) / c


def theorem() -> Theorem:
    """Return the theorem."""
    n, c = sp.symbols("n c", integer=True, positive=True)
    i, j = sp.symbols("i j", integer=True)
    keep, k, q, square = sp.symbols("p k q S_2", positive=True)
    a = sp.IndexedBase("a", positive=True)
    total, squares = sp.Sum(a[j], (j, 1, n)), sp.Sum(a[i] ** 2, (i, 1, n))
    size = {n: integers(2), c: integers(1)}
    proportional = Identity(
        name="norm-proportional draws",
        explanation="All rows of W have equal expected norms, so p_i is proportional to the activation a_i. The "
        "scale's variance (1/p_i - 1)/c on each squared activation adds up to a difference of squares.",
        label=r"\sum_i a_i^2\,\Sigma_{ii}",
        left=sp.Sum(a[i] ** 2 * (total / a[i] - 1) / c, (i, 1, n)),
        right=(total**2 - squares) / c,
        domain=size,
    )
    optimal = Identity(
        name="growth factor of norm-optimal draws",
        explanation="Write S_2 for the sum of squares; the squared sum is n S_2/pi. Divide what the layer passes "
        "on by what came in.",
        label="g",
        left=(square + (n * square / sp.pi - square) / c) / square,
        right=growth_norm_optimal(n, c),
        domain={**size, square: above(0)},
    )
    uniform = Identity(
        name="uniform draws",
        explanation="With p_i = 1/n the variance of every scale is (n-1)/c.",
        label="g",
        left=sp.Sum(a[i] ** 2 * (1 + (n - 1) / c), (i, 1, n)) / squares,
        right=growth_uniform(n, c),
        domain=size,
    )
    bernoulli = Identity(
        name="norm-optimal Bernoulli without clipping",
        explanation="With keep probabilities k a_i / sum a, the mean of the squared scale is 1/p_i: together the "
        "squared sum over k, so g = n/(pi k) when the sums are replaced by their means.",
        label=r"\sum_i a_i^2/p_i",
        left=sp.Sum(a[i] ** 2 * total / (k * a[i]), (i, 1, n)),
        right=total**2 / k,
        domain={n: integers(2), k: above(0)},
    )
    return Theorem(
        title="Growth factors of sampling in wide ReLU networks",
        statement="With He initialisation and ReLU, one layer of unbiased inner sampling multiplies the second "
        "moment of the pre-activations by $g = 1/p$ (Bernoulli), $1 + (n-1)/c$ (uniform with replacement), $1 + "
        r"(n/\pi - 1)/c$ (norm-optimal with replacement), $n/(\pi k)$ (norm-optimal Bernoulli, unclipped).",
        assumptions=[
            "width n large: sums over nodes are replaced by n times their mean (law of large numbers)",
            "pre-activations are centred Gaussian over the weights; rows of the weights have equal norms",
            "unbiased scales, independent of the weights of their layer",
        ],
        sources=[
            "Derived here; mean-field setting as in Schoenholz, Gilmer, Ganguli, Sohl-Dickstein, ICLR 2017 (arXiv "
            "1611.01232)"
        ],
        steps=[
            Identity(
                name="He initialisation keeps the exact second moment",
                explanation="Weights of variance 2/n on n rectified units with second moment q/2 each give q again.",
                label="q'",
                left=sp.Sum(2 / n * (q * relu_square(sp.Integer(0))), (i, 1, n)),
                right=q,
                domain={n: integers(1), q: above(0)},
            ),
            Identity(
                name="Bernoulli",
                explanation="The mean of the squared scale is 1 + (1-p)/p.",
                label="g",
                left=1 + (1 - keep) / keep,
                right=1 / keep,
                domain={keep: inside(0, 1)},
            ),
            uniform,
            proportional,
            Cited(
                name="sums concentrate",
                explanation="The squared sum of n independent rectified Gaussians is about n/pi times the sum of "
                "squares: the ratio of their means is 1/pi (theorem on rectified Gaussians), and sums concentrate "
                "about means.",
                claim=r"\frac{\left(\sum_i a_i\right)^2}{n\sum_i a_i^2} \to \frac1\pi \quad \text{almost surely as "
                r"} n \to \infty",
                source="Strong law of large numbers, e.g. Durrett, Probability: Theory and Examples, theorem 2.4.1",
            ),
            optimal,
            bernoulli,
            Inequality(
                name="norm-optimal draws beat uniform draws",
                explanation="For every n and c the growth is smaller.",
                left=growth_norm_optimal(n, c),
                relation="<",
                right=growth_uniform(n, c),
                domain={n: integers(2), c: integers(1)},
            ),
        ],
        mutations=[
            Mutation("n/pi without the minus one", replace(optimal, right=1 + n / sp.pi / c)),
            Mutation("2/pi: the ratio of a two-sided Gaussian", replace(optimal, right=1 + (2 * n / sp.pi - 1) / c)),
            Mutation("n draws instead of n - 1", replace(uniform, right=1 + n / c)),
            Mutation("sum of squares instead of squared sum", replace(bernoulli, right=squares / k)),
            Mutation("squares not subtracted", replace(proportional, right=total**2 / c)),
        ],
    )
