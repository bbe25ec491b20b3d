"""Mean and covariance of the active set that K-bit, L-table hashing with signed projections retrieves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import sympy as sp

from .calculus import Limit
from .domain import Range, inside, integers
from .finite import Exhaustive
from .induction import Induction
from .model import Mutation, Theorem
from .signed_projections_collide_with_angle import collision
from .steps import Identity, Inequality


def retrieved(bucket: sp.Expr, tables: sp.Expr) -> sp.Expr:
    """Return the probability of being in at least one of L buckets."""
    return 1 - (1 - bucket) ** tables


def both_retrieved(first: sp.Expr, second: sp.Expr, joint: sp.Expr, tables: sp.Expr) -> sp.Expr:
    """Return the probability that two nodes are both retrieved from L tables."""
    return 1 - (1 - first) ** tables - (1 - second) ** tables + (1 - first - second + joint) ** tables


def _enumerated() -> Iterator[tuple[object, bool]]:
    """Compare with the sum over all outcomes of L tables, each with four joint outcomes for two nodes."""
    s, t, st = Fraction(1, 3), Fraction(1, 4), Fraction(1, 8)
    law = {(1, 1): st, (1, 0): s - st, (0, 1): t - st, (0, 0): 1 - s - t + st}
    for tables in (1, 2, 3, 4):
        total = Fraction(0)
        for outcome in product(law, repeat=tables):
            chance = Fraction(1)
            for hit in outcome:
                chance *= law[hit]
            total += chance * (max(h[0] for h in outcome) * max(h[1] for h in outcome))
        formula = 1 - (1 - s) ** tables - (1 - t) ** tables + (1 - s - t + st) ** tables
        yield f"L = {tables}", total == formula


def theorem() -> Theorem:
    """Return the theorem."""
    k, size = sp.Symbol("K", integer=True, nonnegative=True), sp.Symbol("L", integer=True, nonnegative=True)
    bits, tables = sp.Symbol("K", integer=True, positive=True), sp.Symbol("L", integer=True, positive=True)
    theta = sp.Symbol("theta", real=True)
    s, t, joint, q = sp.symbols("s_i s_j s_ij q", positive=True)
    in_bucket = Induction(
        name="one bucket of K bits",
        explanation="The bits use independent projections: each multiplies the probability of sharing the bucket "
        "by q = 1 - theta/pi.",
        k=k,
        closed=q**k,
        initial=1,
        advance=lambda value, _: q * value,
        domain={q: inside(0, 1)},
    )
    missed = Induction(
        name="missed by all tables",
        explanation="A node is missed only if each of the L independent tables misses it; the probability of being "
        "retrieved is 1 minus that.",
        k=size,
        closed=(1 - s) ** size,
        initial=1,
        advance=lambda value, _: (1 - s) * value,
        domain={s: inside(0, 1)},
    )
    inclusion = Identity(
        name="both retrieved",
        explanation="Inclusion and exclusion: 1 minus (i missed) minus (j missed) plus (both missed). One table "
        "misses both with probability 1 - s_i - s_j + s_ij. Written with the probability u of missing, the "
        "covariance is what the joint term differs by.",
        label=r"S_{ij} - P_i P_j",
        left=both_retrieved(s, t, joint, tables) - retrieved(s, tables) * retrieved(t, tables),
        right=(1 - s - t + joint) ** tables - ((1 - s) * (1 - t)) ** tables,
        domain={s: inside(0, 1), t: inside(0, 1), joint: inside(0, s), tables: integers(1)},
    )
    rising = Inequality(
        name="likelier buckets, likelier retrieval",
        explanation="The derivative of 1 - (1 - s)^L with respect to s is nonnegative.",
        left=sp.diff(retrieved(s, tables), s),
        relation=">=",
        right=0,
        domain={s: inside(0, 1), tables: integers(1)},
    )
    falling = Inequality(
        name="buckets fall with the angle",
        explanation="The derivative of (1 - theta/pi)^K with respect to the angle is negative inside (0, pi): so "
        "the nearest nodes are the likeliest to be retrieved.",
        left=sp.diff(collision(theta) ** bits, theta),
        relation="<",
        right=0,
        domain={theta: inside(0, sp.pi), bits: integers(1)},
    )
    return Theorem(
        title="Retrieval probabilities of K bits and L tables",
        statement=r"With $s_j = (1 - \theta_j/\pi)^K$ a node is retrieved with probability $P_j = 1 - (1 - s_j)^L$, "
        "two nodes together with $S_{ij} = 1 - (1-s_i)^L - (1-s_j)^L + (1 - s_i - s_j + s_{ij})^L$, $s_{ij} = "
        r"\left(1 - (\theta_i + \theta_j + \theta_{ij})/(2\pi)\right)^K$; so $\operatorname{Cov} = S_{ij} - P_iP_j$ "
        "is known exactly.",
        assumptions=[
            "independent Gaussian projections for all bits and tables",
            "the active set is the union of the L buckets: no cap, no random fill",
        ],
        sources=["Indyk, Motwani, STOC 1998 for K bits and L tables", "the joint law is derived here"],
        steps=[
            in_bucket,
            missed,
            inclusion,
            Identity(
                name="variance of one node",
                explanation="For i = j the joint event is the event itself: the variance of an indicator.",
                label=r"S_{jj} - P_j^2",
                left=both_retrieved(s, s, s, tables) - retrieved(s, tables) ** 2,
                right=retrieved(s, tables) * (1 - retrieved(s, tables)),
                domain={s: inside(0, 1), tables: integers(1)},
            ),
            falling,
            rising,
            Inequality(
                name="more tables retrieve more",
                explanation="One more table adds s (1 - s)^L to the probability.",
                left=retrieved(s, tables + 1) - retrieved(s, tables),
                relation=">=",
                right=0,
                domain={s: inside(0, 1), tables: integers(1)},
            ),
            Inequality(
                name="more bits retrieve less",
                explanation="One more bit multiplies the bucket's probability by q, at most 1; so a bucket becomes "
                "less likely by q^K (1 - q).",
                left=q**bits - q ** (bits + 1),
                relation=">=",
                right=0,
                domain={q: Range(sp.Integer(0), sp.Integer(1), True, False), bits: integers(1)},
            ),
            Limit(
                name="many tables retrieve everything",
                explanation="For a bucket of positive probability, written as s = 1 - 1/(1+q), the miss "
                "probability vanishes as tables are added.",
                body=(1 + q) ** -tables,
                variable=tables,
                to=sp.oo,
                value=0,
                domain={q: inside(0, 1)},
            ),
            Exhaustive(
                name="against enumeration",
                explanation="For bucket probabilities 1/3, 1/4 and joint 1/8, the formula equals the sum over all "
                "joint outcomes of 1 to 4 tables.",
                claim=r"S_{ij} = \sum_{\text{outcomes}} P\,[i\ \text{retrieved}]\,[j\ \text{retrieved}]",
                cases=_enumerated,
                complete=False,
            ),
        ],
        mutations=[
            Mutation("K and L exchanged", replace(in_bucket, closed=1 - (1 - q) ** k)),
            Mutation("covariance of independent nodes", replace(inclusion, right=sp.Integer(0))),
            Mutation(
                "joint bucket counted twice",
                replace(inclusion, right=(1 - s - t + 2 * joint) ** tables - ((1 - s) * (1 - t)) ** tables),
            ),
            Mutation("retrieval claimed to rise with the angle", replace(falling, relation=">")),
            Mutation("one hit missing in all tables", replace(missed, closed=1 - s**size)),
        ],
    )
