"""The converse of the negative result: what ratio a depth needs, and what depth a ratio allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from .calculus import Limit
from .domain import above, at_least
from .finite import Exhaustive
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def needed_ratio(tolerance: sp.Expr, depth: sp.Expr) -> sp.Expr:
    """Return the ratio c for which ((c+1)/c)^L - 1 is exactly the tolerance."""
    return 1 / ((1 + tolerance) ** (1 / depth) - 1)


def allowed_depth(tolerance: sp.Expr, ratio: sp.Expr) -> sp.Expr:
    """Return the real depth at which the error reaches the tolerance."""
    return sp.log(1 + tolerance) / sp.log(1 + 1 / ratio)


def _deepest() -> Iterator[tuple[object, bool]]:
    for ratio, depth in ((1, 1), (5, 3), (10, 7), (100, 69)):
        growth = 1 + Fraction(1, ratio)
        yield f"c = {ratio}: depth {depth}", growth**depth <= 2 < growth ** (depth + 1)


def theorem() -> Theorem:
    """Return the theorem."""
    eps, c, size = sp.symbols("epsilon c L", positive=True)
    x = sp.Symbol("x", nonnegative=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    both = {eps: above(0), size: above(0)}
    solved = Identity(
        name="solve for the ratio",
        explanation="Insert c = 1/((1+eps)^(1/L) - 1): then (c+1)/c is the L-th root of 1 + eps, so the error "
        "after L layers is eps.",
        label=r"\left(1 + \tfrac1c\right)^{L} - 1",
        left=((c + 1) / c).subs(c, needed_ratio(eps, size)) ** size - 1,
        right=eps,
        domain=both,
    )
    decreasing = Inequality(
        name="a larger ratio means a smaller error",
        explanation="The derivative of the error with respect to c is negative, so the solved c is the smallest "
        "that suffices.",
        left=sp.simplify(sp.diff((1 + 1 / c) ** size, c)),
        relation="<",
        right=0,
        domain={c: above(0), size: above(0)},
    )
    depth = Identity(
        name="solve for the depth",
        explanation="At L = log(1+eps)/log(1+1/c) the logarithm of 1 + error is log(1+eps): beyond that depth the "
        "tolerance is exceeded.",
        label=r"L\,\log\left(1 + \tfrac1c\right)",
        left=allowed_depth(eps, c) * sp.log((c + 1) / c),
        right=sp.log(1 + eps),
        domain={eps: above(0), c: above(0)},
    )
    linear = Limit(
        name="linear growth of the ratio with depth",
        explanation="Per layer of depth, the ratio must grow by 1/log(1+eps).",
        body=needed_ratio(eps, size) / size,
        variable=size,
        to=sp.oo,
        value=1 / sp.log(1 + eps),
        domain={eps: above(0)},
    )
    return Theorem(
        title="To keep an error at depth L, the ratio must grow in proportion to L",
        statement=r"The error relative to the estimate after $L$ layers is at most $\varepsilon$ exactly if $c \ge "
        r"1/\left((1+\varepsilon)^{1/L} - 1\right)$, which lies between $L/\varepsilon$ and "
        r"$L/\log(1+\varepsilon)$. A ratio $c$ allows at most $\log(1+\varepsilon)/\log(1+1/c)$ layers.",
        assumptions=["the assumptions of the geometric law with a constant ratio", r"$\varepsilon > 0$"],
        sources=["Ebrahimi, Advani, Asudeh 2023 (arXiv 2306.09293) state the law; the converse is derived here"],
        steps=[
            solved,
            decreasing,
            depth,
            linear,
            Induction(
                name="lower bound",
                explanation="Bernoulli's inequality with the increment x per layer: (1+x)^L is at least 1 + L x. "
                "With x = 1/c the error is at least L/c, so c must be at least L/eps.",
                k=k,
                closed=1 + k * x,
                initial=1,
                advance=lambda value, _: (1 + x) * value,
                relation=">=",
                x=sp.Symbol("y", real=True),
                domain={x: at_least(0)},
            ),
            Inequality(
                name="upper bound",
                explanation="exp(x) - 1 is at least x; with x = log(1+eps)/L the denominator of the ratio is at "
                "least that, so the ratio is at most L/log(1+eps).",
                left=sp.exp(x) - 1,
                relation=">=",
                right=x,
                domain={x: at_least(0)},
            ),
            Identity(
                name="share of the sum that must be selected",
                explanation="As a share of a node's whole weighted sum, the active nodes must carry (1+eps)^(-1/L) "
                "of it.",
                label=r"\frac{c}{c+1}",
                left=needed_ratio(eps, size) / (needed_ratio(eps, size) + 1),
                right=(1 + eps) ** (-1 / size),
                domain=both,
            ),
            Exhaustive(
                name="deepest networks with error at most 1",
                explanation="The estimate stays within a factor 2 of the exact value for 1, 3, 7 and 69 layers at "
                "the ratios 1, 5, 10, 100.",
                claim=r"\max\{L : (1+1/c)^L \le 2\} = 1, 3, 7, 69 \quad (c = 1, 5, 10, 100)",
                cases=_deepest,
                complete=True,
            ),
        ],
        mutations=[
            Mutation("root of eps instead of 1 + eps", replace(solved, left=(1 + eps ** (1 / size)) ** size - 1)),
            Mutation("error claimed to grow with the ratio", replace(decreasing, relation=">")),
            Mutation("log(eps) instead of log(1 + eps)", replace(depth, right=sp.log(eps))),
            Mutation("slope 1/eps instead of 1/log(1+eps)", replace(linear, value=1 / eps)),
        ],
    )
