"""When keeping a heavy set surely varies less than sampling everything with replacement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from .calculus import Limit
from .domain import above, at_least, inside, integers, real
from .finite import Exhaustive
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def _worse_example() -> Iterator[tuple[object, bool]]:
    """Yield an instance below the threshold in which winner-take-all varies more."""
    p = [Fraction(1, 5), Fraction(2, 5), Fraction(2, 5)]
    x = [Fraction(1, 5), Fraction(1), Fraction(-1)]
    draws, kept = 2, [0]
    plain = (sum(v * v / q for v, q in zip(x, p, strict=True)) - sum(x) ** 2) / draws
    heavy = sum(p[i] for i in kept)
    rest = [i for i in range(3) if i not in kept]
    own = ((1 - heavy) * sum(x[i] ** 2 / p[i] for i in rest) - sum(x[i] for i in rest) ** 2) / (draws - len(kept))
    yield "p = (1/5, 2/5, 2/5), x = (1/5, 1, -1), c = 2, C = {1}", heavy < Fraction(1, 2) and own > plain


def theorem() -> Theorem:
    """Return the theorem."""
    i = sp.Symbol("i", integer=True)
    m, k = sp.symbols("m k", integer=True, positive=True)
    kept, rate = sp.symbols("P c", positive=True)
    inner, outer = sp.symbols("V_C V_R", nonnegative=True)
    d = sp.Symbol("d", real=True)
    x, y = sp.IndexedBase("x", real=True), sp.IndexedBase("y", real=True)
    p, q = sp.IndexedBase("p", positive=True), sp.IndexedBase("q", positive=True)
    square_c, sum_c = sp.Sum(q[i] * y[i] ** 2, (i, 1, k)), sp.Sum(q[i] * y[i], (i, 1, k))
    square_r, sum_r = sp.Sum(p[i] * x[i] ** 2, (i, 1, m)), sp.Sum(p[i] * x[i], (i, 1, m))
    within_c, within_r = square_c / kept - (sum_c / kept) ** 2, square_r / (1 - kept) - (sum_r / (1 - kept)) ** 2
    split = Identity(
        name="variance of one draw, split by the kept set",
        explanation="One draw has the value y_i on the kept set C (probability P) and x_i on the rest. Its "
        "variance is the mean of the variances within C and within the rest, plus the variance between their means.",
        label=r"V",
        left=square_c + square_r - (sum_c + sum_r) ** 2,
        right=kept * within_c + (1 - kept) * within_r + kept * (1 - kept) * (sum_c / kept - sum_r / (1 - kept)) ** 2,
        domain={k: integers(1), m: integers(1), kept: inside(0, 1)},
    )
    dropped = Inequality(
        name="drop two nonnegative terms",
        explanation="So the variance of one draw is at least (1-P) times the variance within the rest (d is the "
        "difference of the two means).",
        left=kept * inner + (1 - kept) * outer + kept * (1 - kept) * d**2,
        relation=">=",
        right=(1 - kept) * outer,
        domain={kept: inside(0, 1), inner: at_least(0), outer: at_least(0), d: real()},
    )
    threshold = Identity(
        name="the threshold",
        explanation="Winner-take-all has variance (1-P)^2 V_R/(c-|C|), plain sampling V/c with V at least (1-P) "
        "V_R: the ratio is at most (1-P) c/(c-|C|), which is at most 1 exactly if P is at least |C|/c.",
        label=r"1 - \frac{(1-P)^2 V_R/(c-|C|)}{(1-P)V_R/c}",
        left=1 - (1 - kept) ** 2 / (rate - k) * rate / (1 - kept),
        right=(rate * kept - k) / (rate - k),
        domain={k: integers(1), kept: inside(0, 1), rate: above(k)},
    )
    return Theorem(
        title="Winner-take-all varies less than sampling with replacement once the kept set is heavy enough",
        statement="With $c$ draws, a kept set of $|C|$ indices and probability $P$: "
        r"$\operatorname{Var}_{\mathrm{WTA}} \le \frac{(1-P)\,c}{c-|C|}\operatorname{Var}_{\mathrm{CRS}}$, so "
        r"keeping pays if $P \ge |C|/c$, for every probability law and every summand.",
        assumptions=[r"$0 < P < 1$ and $|C| < c$", "the summands do not depend on the draws"],
        sources=["Liu et al., NeurIPS 2023 (arXiv 2305.15265), theorem 2: the condition P > |C|/c"],
        steps=[
            Inequality(
                name="variance within a group",
                explanation="A variance within a group is a sum of squares with positive weights.",
                left=sp.Sum(q[i] * (y[i] - d) ** 2, (i, 1, k)),
                relation=">=",
                right=0,
                domain={k: integers(1), d: real()},
            ),
            split,
            dropped,
            threshold,
            Exhaustive(
                name="the condition cannot be dropped",
                explanation="Below the threshold there are instances where keeping a set surely is worse; here is one.",
                claim=r"\exists\, p, x, C:\quad P < |C|/c \ \text{ and }\ "
                r"\operatorname{Var}_{\mathrm{WTA}} > \operatorname{Var}_{\mathrm{CRS}}",
                cases=_worse_example,
                complete=True,
            ),
            Limit(
                name="with many draws the gain is the rest's share",
                explanation="For a fixed kept set, the bound on the ratio of variances tends to 1 - P as the draws "
                "grow.",
                body=(1 - kept) * rate / (rate - k),
                variable=rate,
                to=sp.oo,
                value=1 - kept,
                domain={k: integers(1), kept: inside(0, 1)},
            ),
        ],
        mutations=[
            Mutation(
                "the variance between the groups forgotten",
                replace(split, right=kept * within_c + (1 - kept) * within_r),
            ),
            Mutation(
                "1 - P not squared", replace(threshold, left=1 - (1 - kept) ** 3 / (rate - k) * rate / (1 - kept))
            ),
            Mutation("the whole variance within the rest kept", replace(dropped, right=outer)),
        ],
    )
