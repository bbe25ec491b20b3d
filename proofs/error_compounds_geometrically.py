"""The negative result: with a perfect selection of active nodes, the error still grows like ((c+1)/c)^k with depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from .calculus import Limit
from .domain import above, integers
from .finite import Exhaustive
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity, Inequality

TABLE = ("0.2", "0.44", "0.728", "1.0736", "1.48832", "1.985984", "2.5831808")


def relative_to_estimate(ratio: sp.Expr, depth: sp.Expr) -> sp.Expr:
    """Return ((c+1)/c)^k - 1."""
    return ((ratio + 1) / ratio) ** depth - 1


def relative_to_exact(ratio: sp.Expr, depth: sp.Expr) -> sp.Expr:
    """Return 1 - (c/(c+1))^k."""
    return 1 - (ratio / (ratio + 1)) ** depth


def _table() -> Iterator[tuple[object, bool]]:
    for depth, decimal in enumerate(TABLE, 1):
        yield f"k = {depth}: {decimal}", bool(relative_to_estimate(sp.Integer(5), depth) == sp.Rational(decimal))


def theorem() -> Theorem:
    """Return the theorem."""
    c, s, lam = sp.Symbol("c", positive=True), sp.Symbol("s", real=True), sp.Symbol("lambda", real=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    i = sp.Symbol("i", integer=True)
    n = sp.Symbol("n", integer=True, positive=True)
    a, w, d = sp.IndexedBase("a", real=True), sp.IndexedBase("w", real=True), sp.IndexedBase("d", real=True)
    ratio, depth = {c: above(0)}, {c: above(0), k: integers(0)}
    shrink = c / (c + 1)
    estimate, exact = relative_to_estimate(c, k), relative_to_exact(c, k)
    part = sp.Sum(d[i] * a[i] * w[i], (i, 1, n))
    rest = sp.Sum((1 - d[i]) * a[i] * w[i], (i, 1, n))
    keeps = Identity(
        name="one node keeps the fraction c/(c+1)",
        explanation="Call s the inactive nodes' weighted sum. By assumption the active nodes' sum is c s, so the "
        "exact value is c s + s, and the active sum c s is the fraction c/(c+1) of it.",
        left=shrink * (c * s + s),
        right=c * s,
        domain=ratio,
    )
    induction = Induction(
        name="induction over the layers",
        explanation="Before the first layer nothing is lost: the factor is 1. If after k layers every value is the "
        "factor times the exact value, one more layer multiplies the factor by c/(c+1). So after k layers it is "
        "(c/(c+1))^k.",
        k=k,
        closed=shrink**k,
        initial=1,
        advance=lambda value, _: shrink * value,
        domain=ratio,
    )
    relative = Identity(
        name="error relative to the estimate",
        explanation="The estimate is r = (c/(c+1))^k times the exact value, so |exact - estimate| / |estimate| = "
        "1/r - 1.",
        label=r"\frac{|a_k - \hat a_k|}{|\hat a_k|}",
        left=(1 - shrink**k) / shrink**k,
        right=estimate,
        domain=depth,
    )
    bernoulli = Induction(
        name="at least linear in the depth",
        explanation="With the increment 1/c at each layer, (1 + 1/c)^k is at least 1 + k/c (Bernoulli's "
        "inequality, by induction): the error is at least k/c, whatever the ratio, and so exceeds every bound.",
        k=k,
        closed=1 + k / c,
        initial=1,
        advance=lambda value, _: (1 + 1 / c) * value,
        relation=">=",
        domain=ratio,
    )
    rate = Limit(
        name="rate",
        explanation="The error grows exponentially: its logarithm per layer tends to log(1 + 1/c).",
        body=sp.log(estimate) / k,
        variable=k,
        to=sp.oo,
        value=sp.log(1 + 1 / c),
        domain={c: above(0)},
    )
    return Theorem(
        title="The error of deterministic node selection compounds geometrically with depth",
        statement="If in every layer and at every node the active nodes' weighted sum is $c$ times that of the "
        r"inactive nodes, then after $k$ linear layers $\hat a_k = \left(\frac{c}{c+1}\right)^k a_k$: the error "
        r"relative to the estimate is $\left(\frac{c+1}{c}\right)^k - 1$, relative to the exact value $1 - "
        r"\left(\frac{c}{c+1}\right)^k$.",
        assumptions=[
            "linear activations; the inactive nodes of a layer are replaced by 0",
            r"a perfect selection: at every node the active part is the same multiple $c > 0$ of the inactive part "
            r"(the source takes $c \ge 1$)",
            r"the exact values are not 0, so that relative errors exist",
        ],
        sources=["Ebrahimi, Advani, Asudeh 2023 (arXiv 2306.09293; EDBT 2025): the form relative to the estimate"],
        steps=[
            Identity(
                name="a node's value splits in two",
                explanation="Mark the n nodes of the layer before by d = 1 (active) or 0 (inactive). A node's "
                "exact value a', the weighted sum of all, is the active part plus the inactive part.",
                label=r"a'",
                left=sp.Sum(a[i] * w[i], (i, 1, n)),
                right=part + rest,
                domain={n: integers(1)},
            ),
            keeps,
            Identity(
                name="a common factor passes through",
                explanation="If every input of a layer already is a factor lambda times its exact value, the "
                "active sum is lambda times the exact active sum, whichever nodes are active. So each layer "
                "multiplies the factor by c/(c+1).",
                left=sp.Sum(d[i] * (lam * a[i]) * w[i], (i, 1, n)),
                right=lam * part,
                domain={n: integers(1)},
            ),
            induction,
            relative,
            Identity(
                name="error relative to the exact value",
                explanation="With the same factor r = (c/(c+1))^k, |exact - estimate| / |exact| = 1 - r. The two "
                "normalisations carry the same information: with e relative to the estimate this is e/(1+e).",
                label=r"\frac{|a_k - \hat a_k|}{|a_k|}",
                left=estimate / (1 + estimate),
                right=exact,
                domain=depth,
            ),
            Inequality(
                name="every layer adds error",
                explanation="From layer k to k+1 the error relative to the estimate grows strictly: by the factor "
                "1 + 1/c on 1 + error.",
                left=((c + 1) / c) ** k / c,
                relation=">",
                right=0,
                domain=depth,
            ),
            Identity(
                name="the increment of a layer",
                explanation="That increment is the difference of two successive errors.",
                label=r"E_{k+1} - E_k",
                left=estimate.subs(k, k + 1) - estimate,
                right=((c + 1) / c) ** k / c,
                domain=depth,
            ),
            bernoulli,
            rate,
            Limit(
                name="no signal survives",
                explanation="Relative to the exact value the error tends to 1: the estimate tends to 0.",
                body=exact.subs(c, 5),
                variable=k,
                to=sp.oo,
                value=1,
            ),
            Exhaustive(
                name="the seven values for c = 5",
                explanation="For c = 5 and k = 1..7, the values that the source tabulates, in exact arithmetic.",
                claim=r"\left(\tfrac65\right)^k - 1 = " + r",\ ".join(TABLE) + r"\quad (k = 1,\dots,7)",
                cases=_table,
                complete=True,
            ),
        ],
        mutations=[
            Mutation("fraction 1/(c+1) instead of c/(c+1)", replace(keeps, left=(c * s + s) / (c + 1))),
            Mutation("exponent k+1 instead of k", replace(induction, closed=shrink ** (k + 1))),
            Mutation("(c+1)/c replaced by (c+2)/c", replace(relative, right=((c + 2) / c) ** k - 1)),
            Mutation("twice the linear lower bound", replace(bernoulli, closed=1 + 2 * k / c)),
            Mutation("rate 1/c instead of log(1 + 1/c)", replace(rate, value=1 / c)),
            Mutation("ratio c = 0 allowed", replace(relative, domain={k: integers(0), c: above(-1)})),
        ],
    )
