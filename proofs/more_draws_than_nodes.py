"""Unbiased norm-optimal sampling in wide ReLU networks needs more draws than nodes once the network is deep."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .arc_cosine_kernel import kernel
from .calculus import Limit
from .domain import above, at_least, between
from .growth_factors_of_wide_relu_layers import growth_norm_optimal
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity, Inequality


def draws_for_second_moment(n: sp.Expr, depth: sp.Expr, tolerance: sp.Expr) -> sp.Expr:
    """Return the number of draws below which the second moment surely grows by more than 1 + tolerance."""
    return depth * (n / sp.pi - 1) / tolerance


def draws_for_error(n: sp.Expr, depth: sp.Expr, tolerance: sp.Expr) -> sp.Expr:
    """Return the number of draws below which the relative error surely exceeds the tolerance (depth at least 2)."""
    return depth * (n / sp.pi - 1) / (2 * sp.sqrt(tolerance))


def draws_that_suffice(n: sp.Expr, depth: sp.Expr, tolerance: sp.Expr) -> sp.Expr:
    """Return a number of draws that keeps the relative error within the tolerance."""
    return (n / sp.pi - 1) / ((1 + tolerance) ** (1 / depth) - 1)


def theorem() -> Theorem:
    """Return the theorem."""
    n, c, size, eps, gain = sp.symbols("n c L epsilon d", positive=True)
    x = sp.Symbol("x", nonnegative=True)
    s, power = sp.symbols("s r", positive=True)
    rho, theta = sp.symbols("rho theta", real=True)
    q, sampled = sp.symbols("q q_hat", positive=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    decomposition = Identity(
        name="error from norm and direction",
        explanation="With s^2 = q_hat/q and the correlation rho, the cross moment is rho sqrt(q q_hat): the error "
        "splits into an error of norm and one of direction.",
        label=r"E = \frac{\hat q}{q} - 2\frac{\kappa}{q} + 1",
        left=sampled / q - 2 * rho * sp.sqrt(q * sampled) / q + 1,
        right=(sp.sqrt(sampled / q) - rho) ** 2 + 1 - rho**2,
        domain={q: above(0), sampled: above(0), rho: between(-1, 1)},
    )
    lower = Inequality(
        name="lower bound whatever the direction",
        explanation="A perfect direction (rho = 1) would leave (s - 1)^2; any other leaves more.",
        left=(s - rho) ** 2 + 1 - rho**2,
        relation=">=",
        right=(s - 1) ** 2,
        domain={s: above(0), rho: between(-1, 1)},
    )
    bernoulli = Induction(
        name="growth is at least linear",
        explanation="Bernoulli's inequality with g = 1 + d: the second moment grows at least by 1 + L d.",
        k=k,
        closed=1 + k * gain,
        initial=1,
        advance=lambda value, _: (1 + gain) * value,
        relation=">=",
        domain={gain: above(0)},
    )
    needed = Identity(
        name="draws for the second moment",
        explanation="With d = (n/pi - 1)/c the bound 1 + L d exceeds 1 + eps by a multiple of L (n/pi - 1)/eps - "
        "c: with fewer draws than that the second moment grows by more than 1 + eps.",
        label=r"1 + L\,(g - 1) - (1 + \varepsilon)",
        left=1 + size * (growth_norm_optimal(n, c) - 1) - (1 + eps),
        right=eps * (draws_for_second_moment(n, size, eps) - c) / c,
        domain={c: above(0), size: above(0), eps: above(0), n: above(4)},
    )
    threshold = Limit(
        name="draws per node",
        explanation="For wide layers the number of draws per node tends to L/(pi eps): more draws than nodes as "
        "soon as L > pi eps.",
        label=r"\lim c/n",
        body=draws_for_second_moment(n, size, eps) / n,
        variable=n,
        to=sp.oo,
        value=size / (sp.pi * eps),
        domain={size: above(0), eps: above(0)},
    )
    real_power = Inequality(
        name="Bernoulli's inequality for real exponents",
        explanation="For r = L/2 at least 1, (1+x)^r is at least 1 + r x (the difference is 0 at x = 0 and increases).",
        left=(1 + x) ** power,
        relation=">=",
        right=1 + power * x,
        domain={x: at_least(0), power: at_least(1)},
    )
    return Theorem(
        title="In deep ReLU networks unbiased sampling needs more draws than there are nodes",
        statement=r"With norm-optimal draws with replacement the sampled second moment stays within $1+\varepsilon$ "
        r"of the exact one at depth $L$ only if $c \ge \frac{L}{\varepsilon}\left(\frac{n}{\pi} - 1\right)$: for "
        r"wide layers more draws than nodes as soon as $L > \pi\varepsilon$. The relative error obeys $(g^{L/2} - "
        r"1)^2 \le E_L \le g^L - 1$: $E_L \le \varepsilon$ surely needs $c \ge "
        r"\frac{L}{2\sqrt\varepsilon}\left(\frac{n}{\pi}-1\right)$, more than n for $L > 2\pi\sqrt\varepsilon$, and "
        r"$c = \left(\frac n\pi - 1\right)/\left((1+\varepsilon)^{1/L} - 1\right)$ suffices.",
        assumptions=[
            "wide ReLU network with He initialisation, all L products sampled with the same number c of draws",
            r"the growth factor $g = 1 + (n/\pi - 1)/c$ of the theorem on growth factors; $n > \pi$",
            r"$L \ge 2$ for the bound from $E_L$",
        ],
        sources=["Derived here"],
        steps=[
            decomposition,
            lower,
            Inequality(
                name="the cross moment never shrinks",
                explanation="A layer takes kappa/q from s rho to s f(rho), and f(rho) is at least rho = "
                "cos(theta): so kappa/q stays at least 1, and E is at most s^2 - 2 + 1 = g^L - 1.",
                left=s * kernel(theta),
                relation=">=",
                right=s * sp.cos(theta),
                domain={theta: between(0, sp.pi), s: above(0)},
            ),
            bernoulli,
            needed,
            threshold,
            Identity(
                name="the threshold at finite width",
                explanation="Exactly: the needed number of draws is n at the depth pi eps n/(n - pi), slightly "
                "above pi eps.",
                label="c",
                left=draws_for_second_moment(n, sp.pi * eps * n / (n - sp.pi), eps),
                right=n,
                domain={n: above(4), eps: above(0)},
            ),
            real_power,
            Identity(
                name="draws for the relative error",
                explanation="From (g^(L/2) - 1)^2 at most eps follows (L/2) d at most sqrt(eps); with fewer draws "
                "than L (n/pi - 1)/(2 sqrt(eps)) this fails, whatever happens to the direction.",
                label=r"\tfrac{L}{2}(g - 1) - \sqrt{\varepsilon}",
                left=size / 2 * (growth_norm_optimal(n, c) - 1) - sp.sqrt(eps),
                right=sp.sqrt(eps) * (draws_for_error(n, size, eps) - c) / c,
                domain={c: above(0), size: at_least(2), eps: above(0), n: above(4)},
            ),
            Identity(
                name="a number of draws that suffices",
                explanation="With at least this number of draws g is at most (1+eps)^(1/L): then g^L - 1, and so "
                "the error, is at most eps.",
                label=r"g - (1+\varepsilon)^{1/L}",
                left=growth_norm_optimal(n, c) - (1 + eps) ** (1 / size),
                right=((1 + eps) ** (1 / size) - 1) * (draws_that_suffice(n, size, eps) - c) / c,
                domain={c: above(0), size: above(0), eps: above(0), n: above(4)},
            ),
        ],
        mutations=[
            Mutation(
                "kappa counted once", replace(decomposition, left=sampled / q - rho * sp.sqrt(q * sampled) / q + 1)
            ),
            Mutation("lower bound s^2 - 1, true only for rho = 1/s", replace(lower, right=s**2 - 1)),
            Mutation("threshold L > eps/pi", replace(threshold, value=sp.pi * size / eps)),
            Mutation(
                "half the draws claimed to be needed",
                replace(needed, right=eps * (draws_for_second_moment(n, size, eps) / 2 - c) / c),
            ),
            Mutation("exponent below 1 allowed", replace(real_power, domain={x: at_least(0), power: above(0)})),
        ],
    )
