"""Signs, and the rules that decide them in one go: numbers, Sturm sequences, completed squares."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from .domain import Domain, Range

__all__ = ["Sign", "quadratic", "sign_of_number", "sturm"]


@dataclass(frozen=True)
class Sign:
    """A proved sign: `direction` 1 or -1 (0 for an expression that is zero), strict or not, and how it was proved."""

    direction: int
    strict: bool
    how: str


def sign_of_number(expr: sp.Expr) -> Sign | None:
    """Return the sign of a constant, None if it cannot be told from zero."""
    if expr.is_zero or (expr.is_algebraic and sp.simplify(expr) == 0):
        return Sign(0, False, "it is zero")
    if expr.is_extended_real is not True:
        return None
    value = sp.N(expr, 30)
    if expr.is_Rational or (value.is_Float and abs(value) > sp.Float("1e-20")):
        return Sign(1 if value > 0 else -1, True, "it is a number")
    return None


def sturm(expr: sp.Expr, symbols: list[sp.Symbol], domain: Domain) -> Sign | None:
    """Count the roots of a univariate polynomial with rational coefficients in its interval, exactly."""
    span = domain.range_of(symbols[0]) if len(symbols) == 1 else None
    if span is None or not expr.is_polynomial(symbols[0]):
        return None
    poly = sp.Poly(expr, symbols[0])
    ends = (span.low, span.high)
    if not (poly.domain.is_ZZ or poly.domain.is_QQ) or not all(end.is_Rational or end.is_infinite for end in ends):
        return None
    odd = [factor for factor, power in poly.factor_list()[1] if power % 2]
    squarefree = sp.prod(odd, sp.Poly(1, symbols[0]))
    touching = (
        squarefree.count_roots(*(None if end.is_infinite else end for end in ends)) if squarefree.degree() > 0 else 0
    )
    at_ends = sum(bool(end.is_finite and squarefree.eval(end) == 0) for end in ends)
    if touching > at_ends:
        return None
    roots = poly.count_roots(*(None if end.is_infinite else end for end in ends))
    open_ends = sum(
        bool(end.is_finite and opened and poly.eval(end) == 0)
        for end, opened in zip(ends, (span.low_open, span.high_open), strict=True)
    )
    probe = poly.eval(_inner_point(span))
    if probe == 0:
        return None
    return Sign(1 if probe > 0 else -1, roots == open_ends, "Sturm's theorem: no sign change in the interval")


def _inner_point(span: Range) -> sp.Expr:
    """Return a rational inside the interval that is no simple fraction, hence hardly a double root."""
    if span.low.is_finite and span.high.is_finite:
        return span.low + (span.high - span.low) * sp.Rational(3571, 7919)
    if span.low.is_finite:
        return span.low + sp.Rational(3571, 7919)
    return (span.high if span.high.is_finite else sp.Integer(0)) - sp.Rational(3571, 7919)


def quadratic(expr: sp.Expr, symbols: list[sp.Symbol], domain: Domain) -> Sign | None:
    """Complete squares: a quadratic polynomial whose homogenised matrix is semidefinite."""
    if not symbols or not expr.is_polynomial(*symbols) or sp.Poly(expr, *symbols).total_degree() != 2:
        return None
    if any(domain.range_of(symbol) is None for symbol in symbols):
        return None
    unit = sp.Dummy()
    form = sp.Poly(expr, *symbols).homogenize(unit).as_expr()
    matrix = sp.hessian(form, [*symbols, unit]) / 2
    for direction in (1, -1):
        if (direction * matrix).is_positive_semidefinite:
            strict = bool((direction * matrix).is_positive_definite)
            return Sign(direction, strict, "completing squares: the matrix of the quadratic is semidefinite")
    return None
