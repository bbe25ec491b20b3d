"""Exact evaluation of rational expressions with sums, in Python's fractions: independent of SymPy's algebra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy as sp

__all__ = ["rational_value"]

_MOST_DIGITS = 4000
Members = Callable[[sp.Symbol, tuple[int, ...]], Fraction]


class _NotRationalError(Exception):
    """The expression is not rational in its symbols."""


def rational_value(expr: sp.Expr, point: Mapping[sp.Symbol, sp.Expr], member: Members) -> sp.Rational | None:
    """Return the value at a rational point, or None if the expression is not rational there.

    Parameters
    ----------
    member
        Function that returns the value of a member of an indexed family from its label and indices.
    """
    try:
        start = {symbol: Fraction(int(v.p), int(v.q)) for symbol, v in point.items() if v.is_Rational}
        value = _value(expr, start, member)
    except (_NotRationalError, ZeroDivisionError):
        return None
    return sp.Rational(value.numerator, value.denominator)


def _value(node: sp.Basic, at: dict[sp.Symbol, Fraction], member: Members) -> Fraction:
    if isinstance(node, sp.Rational):
        return Fraction(int(node.p), int(node.q))
    if isinstance(node, sp.Symbol):
        if node not in at:
            raise _NotRationalError
        return at[node]
    if isinstance(node, sp.Indexed):
        return member(node.base.label, tuple(_integer(index, at, member) for index in node.indices))
    if isinstance(node, sp.KroneckerDelta):
        first, second = (_value(arg, at, member) for arg in node.args)
        return Fraction(first == second)
    if isinstance(node, sp.Pow):
        return _power(_value(node.base, at, member), _integer(node.exp, at, member))
    if isinstance(node, sp.Add):
        return sum((_value(arg, at, member) for arg in node.args), Fraction(0))
    if isinstance(node, sp.Mul):
        return _product([_value(arg, at, member) for arg in node.args])
    if isinstance(node, sp.Sum | sp.Product):
        return _written_out(node, list(node.limits), at, member)
    raise _NotRationalError


def _integer(node: sp.Basic, at: dict[sp.Symbol, Fraction], member: Members) -> int:
    value = _value(node, at, member)
    if value.denominator != 1:
        raise _NotRationalError
    return value.numerator


def _power(base: Fraction, exponent: int) -> Fraction:
    if abs(exponent) > _MOST_DIGITS:
        raise _NotRationalError
    return base**exponent


def _product(factors: list[Fraction]) -> Fraction:
    result = Fraction(1)
    for factor in factors:
        result *= factor
    return result


def _written_out(node: sp.Expr, limits: list[sp.Tuple], at: dict[sp.Symbol, Fraction], member: Members) -> Fraction:
    """Run through the index of the outermost limit, which SymPy lists last."""
    if not limits:
        return _value(node.function, at, member)
    (index, low, high), inner = limits[-1], limits[:-1]
    first, last = _integer(low, at, member), _integer(high, at, member)
    if last < first - 1:
        raise _NotRationalError  # SymPy gives such sums a value of their own
    terms = [_written_out(node, inner, {**at, index: Fraction(i)}, member) for i in range(first, last + 1)]
    return _product(terms) if isinstance(node, sp.Product) else sum(terms, Fraction(0))
