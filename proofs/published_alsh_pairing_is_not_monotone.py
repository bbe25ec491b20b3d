"""L2-ALSH hashed with signed projections does not order by inner product: a counterexample, found and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import sympy as sp

from .calculus import Limit
from .domain import between
from .finite import Exhaustive
from .model import Mutation, Theorem
from .steps import Identity, Inequality

_BOUND = Fraction(83, 100)
_GRID = range(-8, 9)
Vector = tuple[Fraction, Fraction]


def _parts(w: Vector) -> tuple[Fraction, Fraction]:
    """Return P(w).Q(q) and |P(w)|^2 for m = 3 and q = (1, 0)."""
    r = w[0] ** 2 + w[1] ** 2
    return w[0] + (r + r**2 + r**4) / 2, r + r**2 + r**4 + r**8


def _smaller_cosine(w: Vector, other: Vector) -> bool:
    """Whether w has the larger angle: an exact comparison of positive cosines by their squares."""
    (dot, square), (dot_other, square_other) = _parts(w), _parts(other)
    return dot > 0 and dot_other > 0 and dot**2 * square_other < dot_other**2 * square


def find_counterexample() -> tuple[Vector, Vector]:
    """Return (w, w') on a grid, q.w > q.w', whose angles are reversed, with the largest gap of inner products."""
    points = [(Fraction(x, 10), Fraction(y, 10)) for x, y in product(_GRID, repeat=2)]
    points = [w for w in points if 0 < w[0] ** 2 + w[1] ** 2 <= _BOUND**2]
    reversed_pairs = ((w, v) for w, v in product(points, repeat=2) if w[0] > v[0] and _smaller_cosine(w, v))
    return max(reversed_pairs, key=lambda pair: (pair[0][0] - pair[1][0], pair))


def _found() -> Iterator[tuple[object, bool]]:
    w, v = find_counterexample()
    shown = (f"({p[0]}, {p[1]})" for p in (w, v))
    yield (
        f"w = {next(shown)}, w' = {next(shown)}",
        w[0] > v[0] and _smaller_cosine(w, v) and w[0] ** 2 + w[1] ** 2 <= _BOUND**2,
    )


def cosine(dot: sp.Expr, square: sp.Expr) -> sp.Expr:
    """Return cos(P(w), Q(q)) for the published pairing with m = 3, from q.w and |w|^2."""
    powers = [square, square**2, square**4]
    norm = square + sum(power**2 for power in powers)
    return (dot + sum(powers) / 2) / (sp.sqrt(norm) * sp.sqrt(sp.Rational(7, 4)))


def theorem() -> Theorem:
    """Return the theorem."""
    size, c = sp.Symbol("lambda", positive=True), sp.Symbol("c", real=True)
    short = Limit(
        name="short vectors keep their angle",
        explanation="Let w have the length lambda and the cosine c with q, so that q.w = lambda c. As lambda falls "
        "to 0 the inner product vanishes, but the transformed angle's cosine tends to 2c/sqrt(7): length no longer "
        "counts.",
        body=cosine(size * c, size**2),
        variable=size,
        to=0,
        value=2 * c / sp.sqrt(7),
        domain={c: between(-1, 1)},
    )
    tenth, fifth = sp.Rational(1, 10), sp.Rational(1, 5)
    pair = Inequality(
        name="a pair, checked exactly",
        explanation="w = (1/10, 0) has the inner product 1/10 with q = (1, 0), w' = (1/5, 4/5) twice as much; both "
        "norms are below 0.83. Yet w has the larger cosine, hence the larger collision probability.",
        left=cosine(fifth, fifth**2 + sp.Rational(16, 25)),
        relation="<",
        right=cosine(tenth, tenth**2),
    )
    norm = Identity(
        name="norm of the transformed query",
        explanation="Three coordinates 1/2 are added to a unit query, for every angle of the query.",
        label=r"\|Q(q)\|^2",
        left=sp.cos(c) ** 2 + sp.sin(c) ** 2 + sp.Rational(3, 4),
        right=sp.Rational(7, 4),
        domain={c: between(0, 2 * sp.pi)},
    )
    right_order = Inequality(
        name="the right pairing keeps the order",
        explanation="With Simple-LSH the cosine is the inner product itself, so the same pair is ordered correctly.",
        left=sp.acos(fifth),
        relation="<",
        right=sp.acos(tenth),
    )
    return Theorem(
        title="The published pairing of L2-ALSH with signed projections is not monotone in the inner product",
        statement=r"With $P(w) = [w; \|w\|^2; \|w\|^4; \|w\|^8]$, $Q(q) = [q; \tfrac12; \tfrac12; \tfrac12]$ and "
        r"signed projections, there are $w, w'$ with $\|w\|, \|w'\| \le 0.83$ and $q\cdot w < q\cdot w'$ for which "
        "$w$ collides with $q$ more often than $w'$ does.",
        assumptions=[
            "signed projections collide according to the angle",
            r"$m = 3$, weights scaled to norms at most 0.83, as published",
        ],
        sources=[
            "Spring, Shrivastava, KDD 2017 (arXiv 1602.08194), authors' code",
            "Shrivastava, Li 2014/2015 for the transforms",
        ],
        steps=[
            norm,
            short,
            pair,
            Exhaustive(
                name="the widest reversal on a grid",
                explanation="A search over all pairs of vectors with coordinates in tenths finds reversals in "
                "exact arithmetic; the one with the largest gap of inner products is taken.",
                claim=r"\exists\, w, w':\quad q\cdot w > q\cdot w' \ \text{ and }\ \cos(P(w), Q(q)) < \cos(P(w'), "
                "Q(q))",
                cases=_found,
                complete=True,
            ),
            right_order,
        ],
        mutations=[
            Mutation("cosine c for short vectors", replace(short, value=c)),
            Mutation("the pair in the order of the inner products", replace(pair, relation=">")),
            Mutation("norm of the query without the extra coordinates", replace(norm, right=1)),
            Mutation("Simple-LSH reversed as well", replace(right_order, relation=">")),
        ],
    )
