"""Evaluation of claims at sample points, exactly where that is possible, else with high precision.

This is the independent check on everything that SymPy claims to have simplified.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy as sp

from .domain import Domain, Simplex
from .exact import rational_value
from .sums import has_sums

__all__ = ["MANY", "POINTS", "evaluate", "free_symbols", "instances", "is_zero", "scalar"]

POINTS = 12  # beside a symbolic proof
MANY = 150  # in place of one
_DIGITS = 60
_WIDEST_INTEGER = 300
_LARGEST_INTEGER = 5000
_SIGNIFICANT = 50  # bits; a difference that cancels completely comes back with none


def free_symbols(*exprs: sp.Expr) -> set[sp.Symbol]:
    """Return the scalar symbols that are free: neither bound indices nor names of indexed families."""
    labels = {base.label for expr in exprs for base in expr.atoms(sp.IndexedBase)}
    free = {symbol for expr in exprs for symbol in expr.free_symbols if isinstance(symbol, sp.Symbol)}
    return free - labels


def instances(
    domain: Domain, exprs: tuple[sp.Expr, ...], count: int = POINTS
) -> Iterator[tuple[dict[sp.Symbol, sp.Expr], dict[tuple[Any, ...], sp.Expr]]]:
    """Yield sample points: values of the scalars and a table of values for the members of indexed families."""
    symbols = free_symbols(*exprs)
    for span in domain.ranges.values():
        symbols |= span.size.free_symbols if isinstance(span, Simplex) else set()
    literals = [abs(int(number)) for expr in exprs for number in expr.atoms(sp.Integer)]
    most = min(max([_WIDEST_INTEGER, *(2 * number for number in literals)]), _LARGEST_INTEGER)
    most = most if not any(has_sums(e) or e.has(sp.Indexed) for e in exprs) else 5
    if any(power.exp.free_symbols for expr in exprs for power in expr.atoms(sp.Pow)):
        most = min(most, 12)  # exact powers of rationals become long
    if max(map(_nesting, exprs)) > 2:
        most = 2  # four nested sums over 1..7 would have 2401 terms
    seed, simple = " ".join(map(sp.srepr, exprs)), any(map(_powers, exprs))
    for number, point in enumerate(domain.points(symbols, count, seed, most=most, simple=simple)):
        yield point, _simplices(domain, point, random.Random(f"{seed} {number}"))


def _powers(expr: sp.Expr) -> bool:
    """Whether an exponent is a symbol that is no integer: exact values with long numbers would be unwieldy."""
    return any(
        power.exp.free_symbols and not power.exp.is_integer and power.base is not sp.E for power in expr.atoms(sp.Pow)
    )


def _nesting(expr: sp.Expr) -> int:
    """Return the largest number of nested sum or product indices."""
    own = len(expr.limits) if isinstance(expr, sp.Sum | sp.Product) else 0
    return own + max((_nesting(arg) for arg in expr.args if isinstance(arg, sp.Expr)), default=0)


def evaluate(expr: sp.Expr, point: Mapping[sp.Symbol, sp.Expr], table: dict[tuple[Any, ...], sp.Expr]) -> sp.Expr:
    """Return the value at a point: exact with sums written out; the table gains values for new members."""
    if has_sums(expr):
        exact = rational_value(expr, point, lambda label, indices: _fraction(label, indices, table, point))
        if exact is not None:
            return exact
    value = expr.xreplace(dict(point)).doit(integrals=False)
    members = {member: _member(member, table, point) for member in value.atoms(sp.Indexed)}
    return sp.sympify(value.xreplace(members).doit(integrals=False))


def is_zero(value: sp.Expr, scale: sp.Expr | int = 1) -> bool:
    """Whether an evaluated difference vanishes: exactly if rational, else to far more digits than it is written with.

    The precision grows with the longest integer in the expression, so that no
    tiny constant (1e-40, 1e-4000) is taken for zero.
    """
    if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return False
    if value.is_Rational:
        return bool(value == 0)
    parts = (part for number in value.atoms(sp.Rational) for part in (number.p, number.q))
    digits = _DIGITS + max((part.bit_length() for part in parts), default=1)  # three times the decimal digits
    number, size = scalar(value, digits + 20), abs(scalar(sp.sympify(scale), 15))
    if any(part != 0 and getattr(part, "_prec", 1) > _SIGNIFICANT for part in number.as_real_imag()):
        return False  # SymPy vouches for these digits, however small the number is
    return bool(abs(number) < sp.Float(10, 15) ** (-digits + 10) * (1 + size))


def scalar(value: sp.Expr, digits: int = 30) -> sp.Expr:
    """Return a number; raise ValueError if the value is not one."""
    number = sp.N(value, digits, chop=False, maxn=digits + 100)
    if not number.is_number or number.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(f"{value} is not a finite number")
    return number


def _simplices(domain: Domain, point: dict[sp.Symbol, sp.Expr], rng: random.Random) -> dict[tuple[Any, ...], sp.Expr]:
    table: dict[tuple[Any, ...], sp.Expr] = {}
    for base, span in domain.ranges.items():
        if isinstance(span, Simplex):
            size = int(span.size.xreplace(point))
            weights = [rng.randint(1, 50) for _ in range(size)]
            for index, weight in enumerate(weights, 1):
                table[base.label, sp.Integer(index)] = sp.Rational(weight, sum(weights))
    return table


def _fraction(
    label: sp.Symbol,
    indices: tuple[int, ...],
    table: dict[tuple[Any, ...], sp.Expr],
    point: Mapping[sp.Symbol, sp.Expr],
) -> Fraction:
    value = _entry((label, *map(sp.Integer, indices)), table, point)
    return Fraction(int(value.p), int(value.q))


def _member(member: sp.Indexed, table: dict[tuple[Any, ...], sp.Expr], point: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    if not all(index.is_Integer for index in member.indices):
        raise ValueError(f"{member} has no definite index at the sample point {dict(point)}")
    return _entry((member.base.label, *member.indices), table, point)


def _entry(key: tuple[Any, ...], table: dict[tuple[Any, ...], sp.Expr], point: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Return a member's value; it depends only on the family, the indices and the point."""
    if key not in table:
        rng = random.Random(f"{key} {sorted(map(str, point.items()))}")
        size = sp.Rational(rng.randint(1, 3000), 997)
        table[key] = size if key[0].is_nonnegative else size * rng.choice((-1, 1))
    return table[key]
