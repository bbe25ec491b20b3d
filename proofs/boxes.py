"""Rigorous bounds by subdivision into boxes with interval arithmetic (mpmath.iv)."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath
import sympy as sp

from .domain import Domain
from .numeric import free_symbols

__all__ = ["enclose_nonnegative"]

_MOST_BOXES = 20_000


def enclose_nonnegative(expr: sp.Expr, domain: Domain, *, strict: bool) -> int:
    """Return into how many boxes the domain was split to enclose `expr` in the nonnegative numbers; 0 if it was not.

    Only compact domains in at most two variables are tried. Where the expression
    touches zero no subdivision ends, and 0 is returned.
    """
    symbols = sorted(free_symbols(expr), key=str)
    spans = [domain.range_of(symbol) for symbol in symbols]
    if not 1 <= len(symbols) <= 2 or domain.where:
        return 0
    ends = [(span.low, span.high) for span in spans if span is not None and not span.integer]
    if len(ends) < len(symbols) or not all(low.is_number and high.is_number for low, high in ends):
        return 0
    if not all(end.is_finite for pair in ends for end in pair):
        return 0
    function = sp.lambdify(symbols, expr, modules=[_IntervalFunctions, "sympy"])
    start = [_interval(low, high) for low, high in ends]
    return _subdivide(function, start, strict)


def _interval(low: sp.Expr, high: sp.Expr) -> Any:
    """Return an interval that surely contains [low, high]."""
    ends = []
    for end in (low, high):
        rational = sp.Rational(end) if end.is_Rational else None
        if rational is not None:
            ends.append(mpmath.iv.mpf(rational.p) / mpmath.iv.mpf(rational.q))
        else:
            middle = sp.N(end, 30)
            ends.append(mpmath.iv.mpf([str(middle - sp.Rational(1, 10**20)), str(middle + sp.Rational(1, 10**20))]))
    return mpmath.iv.mpf([ends[0].a, ends[1].b])


def _subdivide(function: Any, start: list[Any], strict: bool) -> int:
    waiting, done = [start], 0
    while waiting:
        box = waiting.pop()
        value = function(*box)
        if not hasattr(value, "a"):
            return 0
        if (value.a > 0 or (value.a >= 0 and not strict)) and value.b < mpmath.inf:
            done += 1
        elif value.b < 0 or done + len(waiting) > _MOST_BOXES or max(float(side.delta) for side in box) < 1e-9:
            return 0
        else:
            halves = [(mpmath.iv.mpf([s.a, s.mid.b]), mpmath.iv.mpf([s.mid.a, s.b])) for s in box]
            waiting.extend(list(choice) for choice in product(*halves))
    return done


_IntervalFunctions = {
    name: getattr(mpmath.iv, name) for name in ("exp", "log", "sqrt", "sin", "cos") if hasattr(mpmath.iv, name)
} | {"pi": mpmath.iv.pi}
