"""What sampling cannot settle: expressions with cases or branches, and minima that random points miss."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize
import sympy as sp

from .domain import Domain, Range
from .numeric import evaluate, free_symbols, is_zero, scalar
from .reduction import denominators
from .signs import nonzero, sign
from .sums import has_sums

__all__ = ["CASES", "doubt", "violation"]

CASES = (
    sp.Piecewise,
    sp.floor,
    sp.ceiling,
    sp.frac,
    sp.Mod,
    sp.Heaviside,
    sp.DiracDelta,
    sp.sign,
    sp.Abs,
    sp.Min,
    sp.Max,
)
_BRANCHES = (
    sp.asin,
    sp.acos,
    sp.atan,
    sp.acot,
    sp.atan2,
    sp.arg,
    sp.re,
    sp.im,
    sp.conjugate,
    sp.LambertW,
    sp.tan,
    sp.gamma,
)
_STARTS = 12
_DENOMINATOR = 10**9


def doubt(expr: sp.Expr, domain: Domain) -> str:
    """Return why agreement at points says little about this expression, or an empty string."""
    found = [kind.__name__ for kind in (*CASES, *_BRANCHES) if expr.has(kind)]
    if found:
        return f"it has cases or branches ({', '.join(found)})"
    poles = [base for base in denominators(expr) if not nonzero(base, domain)]
    if poles:
        return f"{poles[0]} is not proved nonzero"
    for node in expr.atoms(sp.Pow, sp.log):
        base = node.args[0]
        if isinstance(node, sp.Pow) and node.exp.is_integer:
            continue
        inner = None if base.is_nonnegative else sign(base, domain, 1)
        if not base.is_nonnegative and (inner is None or inner.direction < 0):
            return f"a root or logarithm of {base}, which is not proved nonnegative"
    return ""


def violation(gap: sp.Expr, domain: Domain, *, strict: bool) -> dict[sp.Symbol, sp.Expr] | None:
    """Return a point, found by local minimisation and confirmed exactly, at which the gap has the wrong sign."""
    symbols = sorted(free_symbols(gap), key=str)
    spans = [domain.range_of(symbol) for symbol in symbols]
    if not symbols or has_sums(gap) or gap.has(sp.Indexed) or any(span is None or span.integer for span in spans):
        return None
    function = sp.lambdify(symbols, gap, "scipy")
    for start in domain.points(set(symbols), _STARTS, f"minimise {sp.srepr(gap)}"):
        bounds = [_bounds(span, start) for span in spans if span is not None]
        place = _minimum(function, [float(start[symbol]) for symbol in symbols], bounds)
        point = dict(zip(symbols, map(_rational, place), strict=True))
        if _wrong(gap, point, domain, strict):
            return point
    return None


def _bounds(span: Range, start: dict[sp.Symbol, sp.Expr]) -> tuple[float | None, float | None]:
    ends = (span.low.xreplace(start), span.high.xreplace(start))
    low, high = (float(end) if end.is_finite else None for end in ends)
    return low, high


def _minimum(function: Any, start: list[float], bounds: list[tuple[float | None, float | None]]) -> list[float]:
    def safe(place: Any) -> float:
        with np.errstate(all="ignore"):
            value = function(*place)
        return float(value) if np.isreal(value) and np.isfinite(value) else 1e300

    found = scipy.optimize.minimize(safe, start, bounds=bounds, method="Nelder-Mead", options={"maxfev": 400})
    return [float(coordinate) for coordinate in found.x]


def _rational(coordinate: float) -> sp.Rational:
    return sp.Rational(coordinate).limit_denominator(_DENOMINATOR)


def _wrong(gap: sp.Expr, point: dict[sp.Symbol, sp.Expr], domain: Domain, strict: bool) -> bool:
    if not domain.contains(point):
        return False
    value = evaluate(gap, point, {})
    if is_zero(value):
        return strict
    number = scalar(value)
    return bool(number.is_extended_real and number < 0)
