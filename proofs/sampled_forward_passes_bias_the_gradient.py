"""Why unbiased products do not give unbiased networks or gradients when the forward pass is sampled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import sympy as sp

from .calculus import Limit
from .domain import above, at_least, inside, integers, real
from .finite import Exhaustive
from .induction import Induction
from .model import Mutation, Theorem
from .relu_moments_of_a_gaussian import density, relu_mean
from .steps import Identity, Inequality


def _relu_example() -> Iterator[tuple[object, bool]]:
    """Yield a two-layer ReLU network with Bernoulli scales whose mean output is not its exact output."""
    inputs, weights, keep = (Fraction(2), Fraction(-1)), (Fraction(1), Fraction(1)), Fraction(1, 2)
    mean = Fraction(0)
    for bits in product((0, 1), repeat=2):
        z = sum((x * w * b / keep for x, w, b in zip(inputs, weights, bits, strict=True)), Fraction(0))
        mean += max(z, Fraction(0)) / 4
    exact = max(sum((x * w for x, w in zip(inputs, weights, strict=True)), Fraction(0)), Fraction(0))
    yield f"mean {mean}, exact {exact}", mean == Fraction(3, 2) and exact == 1


def theorem() -> Theorem:
    """Return the theorem."""
    z, d, target, y = sp.symbols("z d t y", real=True)
    p, g, w, v = sp.symbols("p g w v", positive=True)
    m = sp.Symbol("m", real=True)
    size, k = sp.Symbol("L", integer=True, positive=True), sp.Symbol("k", integer=True, nonnegative=True)
    b = sp.Symbol("b", integer=True)
    jensen = Identity(
        name="a square",
        explanation="Two equally likely values z + d and z - d have the mean z; their mean square exceeds z^2 by "
        "the variance d^2.",
        label=r"\mathbb{E}\,\hat z^2 - z^2",
        left=sp.Sum((z + (2 * b - 1) * d) ** 2 / 2, (b, 0, 1)) - z**2,
        right=d**2,
        domain={z: real(), d: real()},
    )
    relu_bias = Identity(
        name="ReLU of a Gaussian",
        explanation="For a pre-activation m (in standard deviations of the sampling noise), E relu - m is the "
        "density minus m times the upper tail, by the theorem on rectified Gaussians.",
        label=r"\mathbb{E}\,\mathrm{relu}(m + t) - m",
        left=relu_mean(m) - m,
        right=density(m) - m * sp.erfc(m / sp.sqrt(2)) / 2,
        domain={m: at_least(0)},
    )
    second = Induction(
        name="second moment of a sampled chain",
        explanation="In a chain of linear units with independent Bernoulli scales, E of the squared scale is 1/p = "
        "g at each layer, so E y_hat^2 = g^k y^2.",
        k=k,
        closed=g**k * y**2,
        initial=y**2,
        advance=lambda value, _: g * value,
        domain={g: above(1), y: real()},
    )
    gradient = Identity(
        name="bias of the gradient",
        explanation="For the squared loss (y - t)^2/2 the gradient of the last weight is (y_hat - t) y_hat / w. "
        "Its mean differs from the exact gradient by (g^L - 1) y^2 / w, although y_hat is unbiased.",
        label=r"\mathbb{E}\,\partial_w - \partial_w",
        left=(g**size * y**2 - target * y) / w - (y - target) * y / w,
        right=(g**size - 1) * y**2 / w,
        domain={g: above(1), size: integers(1), w: above(0), y: real(), target: real()},
    )
    return Theorem(
        title="A sampled forward pass biases activations and gradients",
        statement=r"Unbiased $\hat z$ and convex $\phi$ give $\mathbb{E}\,\phi(\hat z) \ge \phi(z)$, strictly where "
        r"$\phi$ bends. Even in a linear chain of $L$ sampled layers the gradient of the squared loss has the bias "
        r"$(g^L - 1)\,y^2/w$, which grows geometrically with depth.",
        assumptions=["unbiased scales, independent between layers", "squared loss, for the gradient"],
        sources=["Jensen's inequality; derived here"],
        steps=[
            jensen,
            Exhaustive(
                name="a ReLU unit",
                explanation="Inputs 2 and -1, weights 1, keep probability 1/2: over the four outcomes the mean "
                "output is 3/2, the exact output 1.",
                claim=r"\mathbb{E}\,\mathrm{relu}(\hat z) = \tfrac32 \ne 1 = \mathrm{relu}(z)",
                cases=_relu_example,
                complete=True,
            ),
            relu_bias,
            Inequality(
                name="that bias is positive",
                explanation="So sampled ReLU activations are too large on average, by an amount that falls with m "
                "but is never 0.",
                left=density(m) - m * sp.erfc(m / sp.sqrt(2)) / 2,
                relation=">",
                right=0,
                domain={m: at_least(0)},
            ),
            Identity(
                name="growth of a Bernoulli scale",
                explanation="The mean squared scale b/p over both outcomes.",
                label="g",
                left=sp.Sum((b / p) ** 2 * (b * p + (1 - b) * (1 - p)), (b, 0, 1)),
                right=1 / p,
                domain={p: inside(0, 1)},
            ),
            second,
            gradient,
            Limit(
                name="rate of the bias",
                explanation="With g = 1 + v the bias grows exponentially, at the rate log(1 + v) per layer.",
                body=sp.log((1 + v) ** k - 1) / k,
                variable=k,
                to=sp.oo,
                value=sp.log(1 + v),
                domain={v: above(0)},
            ),
        ],
        mutations=[
            Mutation("no bias for a square", replace(jensen, right=0)),
            Mutation(
                "the lower tail instead of the upper",
                replace(relu_bias, right=density(m) - m * sp.erfc(-m / sp.sqrt(2)) / 2),
            ),
            Mutation("bias linear in depth", replace(gradient, right=size * (g - 1) * y**2 / w)),
            Mutation("p instead of 1/p", replace(second, advance=lambda value, _: value / g)),
        ],
    )
