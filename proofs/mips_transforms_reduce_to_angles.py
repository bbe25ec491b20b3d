"""Three transforms that turn maximum inner product into distance or angle, for any number of extra coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from .calculus import Limit
from .domain import above, inside, integers, real
from .finite import Exhaustive
from .induction import Induction
from .model import Mutation, Theorem
from .signed_projections_collide_with_angle import collision
from .steps import Identity, Inequality


def _tail() -> Iterator[tuple[object, bool]]:
    yield "U = 0.83, m = 3", Fraction(83, 100) ** 16 < Fraction(51, 1000)


def theorem() -> Theorem:
    """Return the theorem."""
    m, d = sp.Symbol("m", integer=True, nonnegative=True), sp.Symbol("d", integer=True, positive=True)
    i, power = sp.Symbol("i", integer=True), sp.Symbol("N", positive=True)
    r, v, t = sp.Symbol("r", positive=True), sp.Symbol("v", positive=True), sp.Symbol("t", real=True)
    w, q = sp.IndexedBase("w", real=True), sp.IndexedBase("q", real=True)
    half = sp.Rational(1, 2)
    distance = Induction(
        name="L2-ALSH: distance",
        explanation="Let r = |w|^2 and t = q.w with |q| = 1. Without extra coordinates |w - q|^2 = r - 2t + 1. The "
        "coordinate m+1 is r^(2^m) against 1/2: its square cancels the last power and adds the next one. So the "
        "distance depends on t up to a vanishing power.",
        k=m,
        closed=1 + m / 4 - 2 * t + r ** (2**m),
        initial=r - 2 * t + 1,
        advance=lambda value, k: value + (r ** (2**k) - half) ** 2,
        domain={r: inside(0, 1), t: real()},
    )
    norm = Induction(
        name="Sign-ALSH: norm",
        explanation="With coordinates 1/2 - r^(2^m) against 0, the inner product stays t, and the squared norm "
        "telescopes in the same way: nearly equal for all w, so the angle orders by t up to a vanishing power.",
        k=m,
        closed=m / 4 + r ** (2**m),
        initial=r,
        advance=lambda value, k: value + (half - r ** (2**k)) ** 2,
        domain={r: inside(0, 1)},
    )
    simple = Identity(
        name="Simple-LSH: exact",
        explanation="One coordinate, the root of 1 - |w|^2 against 0, makes the norm 1; for a unit query the "
        "squared distance is 2 - 2t without remainder.",
        label=r"\|P(w) - Q(q)\|^2",
        left=sp.Sum((w[i] - q[i]) ** 2, (i, 1, d)) + (1 - sp.Sum(w[i] ** 2, (i, 1, d))),
        right=1 + sp.Sum(q[i] ** 2, (i, 1, d)) - 2 * sp.Sum(q[i] * w[i], (i, 1, d)),
        domain={d: integers(1)},
    )
    rising = Inequality(
        name="collision grows with the inner product",
        explanation="For unit vectors the angle is arccos t, and 1 - arccos(t)/pi increases strictly with t.",
        left=sp.diff(collision(sp.acos(t)), t),
        relation=">",
        right=0,
        domain={t: inside(-1, 1)},
    )
    return Theorem(
        title="Inner products become distances or angles by three transforms",
        statement=r"For unit $q$ and $\|w\| \le U < 1$: L2-ALSH, $P(w) = [w; \|w\|^2; \dots; \|w\|^{2^m}]$, $Q(q) = "
        r"[q; \tfrac12; \dots; \tfrac12]$, has $\|P(w) - Q(q)\|^2 = 1 + m/4 - 2\,q\cdot w + \|w\|^{2^{m+1}}$; "
        r"Sign-ALSH, $P(w) = [w; \tfrac12 - \|w\|^2; \dots]$, $Q(q) = [q; 0; \dots; 0]$, has $\|P(w)\|^2 = m/4 + "
        r"\|w\|^{2^{m+1}}$; Simple-LSH, $P(w) = [w; \sqrt{1 - \|w\|^2}]$, $Q(q) = [q; 0]$, has unit norms and $P "
        r"\cdot Q = q\cdot w$.",
        assumptions=["unit queries", r"weights scaled to norms below 1 (for hashing only)"],
        sources=[
            "Shrivastava, Li, NIPS 2014 (L2-ALSH)",
            "Shrivastava, Li, UAI 2015 (Sign-ALSH)",
            "Neyshabur, Srebro, ICML 2015 (Simple-LSH)",
        ],
        steps=[
            distance,
            norm,
            Limit(
                name="the remainder vanishes",
                explanation="For |w|^2 = 1/(1+v) below 1 the remainder is (1+v)^(-N) with N = 2^m: it falls doubly "
                "exponentially in m.",
                body=(1 + v) ** (-power),
                variable=power,
                to=sp.oo,
                value=0,
                domain={v: above(0)},
            ),
            Exhaustive(
                name="its size as published",
                explanation="For U = 0.83 and m = 3 the remainder is at most 0.83^16, below 0.051.",
                claim=r"0.83^{16} < 0.051",
                cases=_tail,
                complete=True,
            ),
            simple,
            rising,
        ],
        mutations=[
            Mutation("m/2 instead of m/4", replace(distance, closed=1 + m / 2 - 2 * t + r ** (2**m))),
            Mutation("remainder one power too low", replace(norm, closed=m / 4 + r ** (2 ** (m - 1)))),
            Mutation(
                "coordinates against 1/2 for Sign-ALSH", replace(norm, advance=lambda value, k: value + r ** (2**k) / 2)
            ),
            Mutation("query's norm forgotten", replace(simple, right=2 - 2 * sp.Sum(q[i] * w[i], (i, 1, d)))),
            Mutation("collision claimed to fall", replace(rising, relation="<")),
        ],
    )
