"""Collision probabilities of signed random projections, for one node and for pairs of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import sympy as sp

from .calculus import Integration
from .domain import Range, between
from .finite import Cited, Exhaustive
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def collision(theta: sp.Expr) -> sp.Expr:
    """Return the probability that one signed projection agrees on two vectors at the angle theta."""
    return 1 - theta / sp.pi


def joint_collision(first: sp.Expr, second: sp.Expr, between_nodes: sp.Expr) -> sp.Expr:
    """Return the probability that one projection agrees on a query and two nodes, from the three angles."""
    return 1 - (first + second + between_nodes) / (2 * sp.pi)


def _sign_patterns() -> Iterator[tuple[object, bool]]:
    for a, b, c in product((-1, 1), repeat=3):
        differing = sp.Rational(int(a != b) + int(a != c) + int(b != c), 2)
        yield (a, b, c), bool(int(a == b == c) == 1 - differing)


def theorem() -> Theorem:
    """Return the theorem."""
    theta, phi, u, v, w = sp.symbols("theta phi u v w", real=True)
    x, y = sp.Symbol("theta_1", real=True), sp.Symbol("theta_2", real=True)
    angles = {theta: between(0, sp.pi)}
    both_positive = Integration(
        name="both projections positive",
        explanation="The projection's part in the plane of the two vectors has a uniform direction phi. Both inner "
        "products are positive for phi between theta - pi/2 and pi/2.",
        label=r"P(\langle r,x\rangle > 0, \langle r,y\rangle > 0)",
        integrand=1 / (2 * sp.pi),
        variable=phi,
        low=theta - sp.pi / 2,
        high=sp.pi / 2,
        antiderivative=phi / (2 * sp.pi),
        value=(sp.pi - theta) / (2 * sp.pi),
        domain=angles,
    )
    agree = Identity(
        name="the two signs agree",
        explanation="Both negative is as likely as both positive, since r and -r have the same law: add the two.",
        label="P(\\text{agree})",
        left=2 * ((sp.pi - theta) / (2 * sp.pi)),
        right=collision(theta),
        domain=angles,
    )
    triple = Identity(
        name="agreement of three",
        explanation="Take means in the identity of signs: each pair differs with probability angle/pi (u, v, w are "
        "the three angles).",
        label="P(\\text{all three agree})",
        left=1 - ((1 - collision(u)) + (1 - collision(v)) + (1 - collision(w))) / 2,
        right=joint_collision(u, v, w),
        domain={u: between(0, sp.pi), v: between(0, sp.pi), w: between(0, sp.pi)},
    )
    decreasing = Inequality(
        name="nearer vectors collide more often",
        explanation="A larger angle has a strictly smaller probability.",
        left=collision(y),
        relation="<",
        right=collision(x),
        domain={x: Range(sp.Integer(0), sp.pi, False, True), y: Range(x, sp.pi, True, False)},
    )
    return Theorem(
        title="Signed random projections collide with the probability 1 - angle/pi",
        statement=r"For $r \sim N(0, I)$, signs agree on two vectors at the angle $\theta$ with probability $1 - "
        r"\theta/\pi$, and on three vectors with probability $1 - (\theta_{12} + \theta_{13} + \theta_{23})/(2\pi)$.",
        assumptions=["the vectors are not 0", "the law of r is invariant under rotations and has no atoms"],
        sources=["Goemans, Williamson, J. ACM 42 (1995)", "Charikar, STOC 2002"],
        steps=[
            Cited(
                name="only the plane matters",
                explanation="The inner products with two vectors depend only on the projection onto their plane, "
                "which is again Gaussian and rotation invariant.",
                claim=r"\Pi r \sim N(0, I_2), \quad \arg(\Pi r) \sim U(-\pi, \pi)",
                source="Rotation invariance of the Gaussian law, e.g. Vershynin, High-Dimensional Probability "
                "(2018), proposition 3.3.2",
            ),
            both_positive,
            agree,
            Exhaustive(
                name="three signs",
                explanation="Of three signs either all agree, or exactly two of the three pairs differ: over all "
                "eight patterns the indicator of agreement is 1 minus half the number of differing pairs.",
                claim=r"[s_1 = s_2 = s_3] = 1 - \tfrac12\left([s_1\ne s_2] + [s_1\ne s_3] + [s_2\ne s_3]\right)",
                cases=_sign_patterns,
                complete=True,
            ),
            triple,
            Inequality(
                name="a triple is no likelier than a pair",
                explanation="By the triangle inequality the third angle is at least the difference of the other "
                "two, so the joint probability is at most that of the pair (here for the second node at the larger "
                "angle y, the third at its least, y - x).",
                left=joint_collision(x, y, y - x),
                relation="<=",
                right=collision(x),
                domain={x: between(0, sp.pi), y: between(x, sp.pi)},
            ),
            decreasing,
        ],
        mutations=[
            Mutation("theta over 2 pi", replace(agree, right=1 - theta / (2 * sp.pi))),
            Mutation("a quarter turn more", replace(both_positive, value=(2 * sp.pi - theta) / (2 * sp.pi))),
            Mutation("pi instead of 2 pi for three", replace(triple, right=1 - (u + v + w) / sp.pi)),
            Mutation("probability rising with the angle", replace(decreasing, relation=">")),
        ],
    )
