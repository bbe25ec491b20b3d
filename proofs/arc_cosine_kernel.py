"""The arc-cosine kernel of degree 1: the correlation of two rectified Gaussians."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from .calculus import Integration
from .domain import between, inside
from .finite import Exhaustive
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def kernel(theta: sp.Expr) -> sp.Expr:
    """Return f(cos theta) = (sin theta + (pi - theta) cos theta) / pi, for an angle in [0, pi]."""
    return (sp.sin(theta) + (sp.pi - theta) * sp.cos(theta)) / sp.pi


def kernel_of_correlation(rho: sp.Expr) -> sp.Expr:
    """Return f(rho) for a correlation in [-1, 1]."""
    return (sp.sqrt(1 - rho**2) + rho * (sp.pi - sp.acos(rho))) / sp.pi


def _values() -> Iterator[tuple[object, bool]]:
    for rho, value in ((1, 1), (0, 1 / sp.pi), (-1, 0)):
        yield f"f({rho}) = {value}", sp.simplify(kernel_of_correlation(sp.Integer(rho)) - value) == 0


def theorem() -> Theorem:
    """Return the theorem."""
    theta, phi = sp.symbols("theta phi", real=True)
    r = sp.Symbol("r", nonnegative=True)
    angles = {theta: between(0, sp.pi)}
    angular = (sp.sin(theta) + (sp.pi - theta) * sp.cos(theta)) / 2
    radial = Integration(
        name="radius",
        explanation="In polar coordinates of the plane spanned by the two directions, u = r cos(phi) and v = r "
        "cos(phi - theta), with the density exp(-r^2/2) r / (2 pi). The product of the two brings r^2.",
        integrand=r**3 * sp.exp(-(r**2) / 2),
        variable=r,
        low=0,
        high=sp.oo,
        antiderivative=-(r**2 + 2) * sp.exp(-(r**2) / 2),
        value=2,
    )
    angle = Integration(
        name="angle",
        explanation="Both are positive for phi between theta - pi/2 and pi/2.",
        integrand=sp.cos(phi) * sp.cos(phi - theta),
        variable=phi,
        low=theta - sp.pi / 2,
        high=sp.pi / 2,
        antiderivative=phi * sp.cos(theta) / 2 + sp.sin(2 * phi - theta) / 4,
        value=angular,
        domain=angles,
    )
    normalised = Identity(
        name="normalisation",
        explanation="Multiply both integrals with 1/(2 pi), and divide by the second moment 1/2 of one rectified unit.",
        label=r"f(\cos\theta)",
        left=sp.expand(2 * angular) / (2 * sp.pi) * 2,
        right=kernel(theta),
        domain=angles,
    )
    slope = Identity(
        name="slope",
        explanation="By the chain rule df/drho = (df/dtheta) / (-sin theta): the slope is (pi - theta)/pi, between "
        "0 and 1.",
        label=r"f'(\rho)",
        left=sp.diff(kernel(theta), theta) / (-sp.sin(theta)),
        right=1 - theta / sp.pi,
        domain={theta: inside(0, sp.pi)},
    )
    above_identity = Inequality(
        name="the kernel is at least the correlation",
        explanation="f - rho = (sin theta - theta cos theta)/pi is nonnegative: a ReLU layer increases correlations.",
        left=kernel(theta),
        relation=">=",
        right=sp.cos(theta),
        domain=angles,
    )
    return Theorem(
        title="The arc-cosine kernel",
        statement=r"For standard Gaussians $u, v$ with correlation $\rho = \cos\theta$, "
        r"$\mathbb{E}\,\mathrm{relu}(u)\mathrm{relu}(v) = \tfrac12 f(\rho)$ with $f(\rho) = "
        r"\frac{1}{\pi}\left(\sqrt{1-\rho^2} + \rho(\pi - \arccos\rho)\right)$; $f$ increases, is convex, and "
        r"$f(\rho) \ge \rho$.",
        assumptions=[r"$(u, v)$ is jointly Gaussian with unit variances", r"$\theta \in [0, \pi]$"],
        sources=["Cho, Saul, NIPS 2009, Kernel methods for deep learning"],
        steps=[
            radial,
            angle,
            normalised,
            Identity(
                name="in terms of the correlation",
                explanation="With theta = arccos(rho), the sine is the root of 1 - rho^2 and the cosine rho.",
                label=r"f(\rho)",
                left=kernel(sp.acos(_RHO)),
                right=sp.expand(kernel_of_correlation(_RHO)),
                domain={_RHO: between(-1, 1)},
            ),
            slope,
            above_identity,
            Exhaustive(
                name="three values",
                explanation="Equal, orthogonal and opposite directions.",
                claim=r"f(1) = 1,\ f(0) = 1/\pi,\ f(-1) = 0",
                cases=_values,
                complete=True,
            ),
        ],
        mutations=[
            Mutation("theta instead of pi - theta", replace(angle, value=(sp.sin(theta) + theta * sp.cos(theta)) / 2)),
            Mutation("radius without the Jacobian", replace(radial, integrand=r**2 * sp.exp(-(r**2) / 2))),
            Mutation("not divided by the second moment", replace(normalised, right=kernel(theta) / 2)),
            Mutation("the derivative with the wrong sign", replace(slope, right=theta / sp.pi - 1)),
            Mutation("kernel claimed below the correlation", replace(above_identity, relation="<=")),
        ],
    )


_RHO = sp.Symbol("rho", real=True)
