"""Domains: where a claim is meant to hold, as ranges that can be sampled and mapped onto positive variables.

The declared ranges are what a step claims. The assumptions that SymPy attaches
to a symbol must follow from its range, else SymPy could simplify with
something that is false on part of the domain; `Domain.complaint` rejects that.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from .notation import latex

__all__ = ["Domain", "Range", "Simplex", "above", "at_least", "between", "inside", "integers", "real"]

_ATTEMPTS = 60  # rejected draws per accepted sample point before a domain counts as empty
_TAIL = 8  # a sample of an unbounded range is mostly moderate, sometimes this many decades away


@dataclass(frozen=True)
class Range:
    """An interval of the reals or of the integers; bounds may mention symbols declared earlier."""

    low: sp.Expr
    high: sp.Expr
    low_open: bool = True
    high_open: bool = True
    integer: bool = False

    def includes(self, value: sp.Expr, point: dict[sp.Symbol, sp.Expr]) -> bool:
        """Whether a number lies in the range, with the bounds taken at the point."""
        low, high = self.low.xreplace(point), self.high.xreplace(point)
        over = value > low if self.low_open else value >= low
        under = value < high if self.high_open else value <= high
        return over == sp.true and under == sp.true and (not self.integer or value.is_integer is True)

    def shown(self, symbol: sp.Basic) -> str:
        """Return the membership in LaTeX."""
        left, right = "<" if self.low_open else r"\le", "<" if self.high_open else r"\le"
        name, low, high = latex(symbol), latex(self.low), latex(self.high)
        bounded = f"{low} {left} {name}" if self.low.is_finite is not False else name
        if self.high.is_finite is not False:
            bounded += f" {right} {high}"
        kind = r"\mathbb{Z}" if self.integer else r"\mathbb{R}"
        return bounded if not self.integer and bounded != name else f"{bounded} \\in {kind}"


@dataclass(frozen=True)
class Simplex:
    """Positive probabilities with indices 1..size that sum to 1."""

    size: sp.Expr


def real() -> Range:
    """Return the real line."""
    return Range(-sp.oo, sp.oo)


def above(low: Any = 0) -> Range:
    """Return the open half-line x > low."""
    return Range(sp.sympify(low), sp.oo)


def at_least(low: Any = 0) -> Range:
    """Return the closed half-line x >= low."""
    return Range(sp.sympify(low), sp.oo, low_open=False)


def between(low: Any, high: Any) -> Range:
    """Return the closed interval."""
    return Range(sp.sympify(low), sp.sympify(high), low_open=False, high_open=False)


def inside(low: Any, high: Any) -> Range:
    """Return the open interval."""
    return Range(sp.sympify(low), sp.sympify(high))


def integers(low: Any, high: Any = sp.oo) -> Range:
    """Return the integers from low to high, both included."""
    return Range(sp.sympify(low), sp.sympify(high), low_open=False, high_open=high is sp.oo, integer=True)


def range_from_assumptions(symbol: sp.Symbol) -> Range | None:
    """Return the widest range that a symbol's own assumptions describe; None for a complex symbol."""
    if symbol.is_zero:
        return between(0, 0)
    if symbol.is_real is None and not symbol.is_extended_real:
        return None
    whole = bool(symbol.is_integer)
    if symbol.is_positive:
        return integers(1) if whole else above(0)
    if symbol.is_nonnegative:
        return integers(0) if whole else at_least(0)
    if symbol.is_negative:
        return Range(-sp.oo, sp.Integer(0), integer=whole)
    return Range(-sp.oo, sp.oo, integer=whole)


@dataclass(frozen=True)
class Domain:
    """Ranges of the scalars and of indexed families, and extra conditions.

    Parameters
    ----------
    ranges
        Symbol or IndexedBase to its range; symbols left out take the range of their assumptions.
    where
        Extra relations between the symbols. They restrict the sample points; proofs that ignore them prove more.
    """

    ranges: Mapping[Any, Range | Simplex]
    where: tuple[Any, ...] = ()

    def range_of(self, symbol: sp.Symbol) -> Range | None:
        """Return the declared range, else the one from the symbol's assumptions."""
        declared = self.ranges.get(symbol)
        return declared if isinstance(declared, Range) else range_from_assumptions(symbol)

    def ordered(self, symbols: set[sp.Symbol]) -> list[sp.Symbol]:
        """Return the given symbols, and those that bounds mention, in an order in which bounds come first."""
        order: list[sp.Symbol] = []

        def visit(symbol: sp.Symbol, path: tuple[sp.Symbol, ...]) -> None:
            if symbol in path:
                raise ValueError(f"the bounds of {symbol} refer to themselves")
            if symbol in order:
                return
            span = self.range_of(symbol)
            mentioned = (span.low.free_symbols | span.high.free_symbols) if span else set()
            for other in sorted(mentioned, key=str):
                visit(other, (*path, symbol))
            order.append(symbol)

        for symbol in [*(s for s in self.ranges if s in symbols), *sorted(symbols, key=str)]:
            visit(symbol, ())
        return order

    def complaint(self, symbols: set[sp.Symbol]) -> str:
        """Return why SymPy's assumptions do not follow from the declared ranges, or an empty string."""
        for symbol in self.ordered(symbols):
            span = self.range_of(symbol)
            if span is not None and (symbol.is_positive or symbol.is_nonnegative or symbol.is_negative):
                stand_in = self.stand_in(symbol, span)
                for fact in ("positive", "nonnegative", "negative"):
                    if getattr(symbol, f"is_{fact}") and not getattr(stand_in, f"is_{fact}"):
                        return f"SymPy takes {symbol} as {fact}, but its declared range does not imply that"
            if span is not None and symbol.is_integer and not span.integer and span.low != span.high:
                return f"SymPy takes {symbol} as integer, but its declared range is real"
        return ""

    def stand_in(self, symbol: sp.Symbol, span: Range) -> sp.Expr:
        """Return an expression in signed variables that covers the range (except a finite closed upper end)."""
        if span.low == span.high:
            return span.low
        replace = self.mapping(span.low.free_symbols | span.high.free_symbols)
        low, high = sp.expand(span.low.xreplace(replace)), sp.expand(span.high.xreplace(replace))
        strict, name = span.low_open and not span.integer, f"t_{symbol.name}"
        offset = sp.Symbol(name, positive=True) if strict else sp.Symbol(name, nonnegative=True)
        if span.integer:
            offset = sp.Symbol(name, nonnegative=True, integer=True)
        if low is sp.S.NegativeInfinity:
            if high is sp.oo:
                return sp.Symbol(name, real=True, integer=True if span.integer else None)
            return high - (sp.Symbol(name, positive=True) if span.high_open else sp.Symbol(name, nonnegative=True))
        if high is sp.oo:
            return low + offset
        if span.integer:
            return low + offset  # the upper bound is given up: what is proved holds for all larger integers too
        return (low + high * offset) / (1 + offset)

    def mapping(self, symbols: set[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
        """Return the substitution of `stand_in` for all real symbols."""
        result: dict[sp.Symbol, sp.Expr] = {}
        for symbol in self.ordered(set(symbols)):
            span = self.range_of(symbol)
            if span is not None:
                result[symbol] = self.stand_in(symbol, span)
        return result

    def points(
        self, symbols: set[sp.Symbol], count: int, seed: str, *, most: int = 5, simple: bool = False
    ) -> Iterator[dict[sp.Symbol, sp.Expr]]:
        """Yield up to `count` random points that satisfy ranges, conditions and SymPy's assumptions.

        An unbounded integer is mostly at most 5 from the end of its range; `most` is the largest distance.
        With `simple` the rationals have small numerators and denominators, for claims with symbolic exponents.

        Coordinates are rational (complex rationals for complex symbols), so that
        evaluation can be exact. The seed should depend on the claim: then no
        claim can be written to vanish just at the sample points.
        """
        rng = random.Random(seed)
        order, found = self.ordered(symbols), 0
        for _ in range(count * _ATTEMPTS):
            point = self._draw(order, rng, most, simple)
            if point is not None and self._admits(point):
                yield point
                found += 1
                if found == count:
                    return

    def contains(self, point: dict[sp.Symbol, sp.Expr]) -> bool:
        """Whether a point of real coordinates lies in the ranges and satisfies conditions and assumptions."""
        for symbol, value in point.items():
            span = self.range_of(symbol)
            if span is not None and not span.includes(value, point):
                return False
        return self._admits(point)

    def _draw(
        self, order: list[sp.Symbol], rng: random.Random, most: int, simple: bool
    ) -> dict[sp.Symbol, sp.Expr] | None:
        point: dict[sp.Symbol, sp.Expr] = {}
        for symbol in order:
            span = self.range_of(symbol)
            value = _complex(rng) if span is None else _draw_in(span, point, rng, most, simple)
            if value is None:
                return None
            point[symbol] = value
        return point

    def _admits(self, point: dict[sp.Symbol, sp.Expr]) -> bool:
        for symbol, value in point.items():
            if any(getattr(value, f"is_{fact}", None) is not truth for fact, truth in symbol.assumptions0.items()):
                return False
        return all(condition.xreplace(point) == sp.true for condition in self.where if condition is not sp.true)


def _complex(rng: random.Random) -> sp.Expr:
    return sp.Rational(rng.randint(-4000, 4000), 997) + sp.I * sp.Rational(rng.randint(-4000, 4000), 991)


def _draw_in(
    span: Range, point: dict[sp.Symbol, sp.Expr], rng: random.Random, most: int, simple: bool
) -> sp.Expr | None:
    low, high = span.low.xreplace(point), span.high.xreplace(point)
    if low == high:
        return low if not (span.low_open or span.high_open) else None
    if low.is_finite and high.is_finite:
        if (high - low).is_negative:
            return None
        return _bounded(low, high, span, rng, simple)
    size = _magnitude(span.integer, rng, most, simple)
    if low.is_finite:
        return low + size if size or not span.low_open else low + (1 if span.integer else sp.Rational(1, 7))
    if high.is_finite:
        return high - size if size or not span.high_open else high - 1
    return size * rng.choice((-1, 1))


def _bounded(low: sp.Expr, high: sp.Expr, span: Range, rng: random.Random, simple: bool) -> sp.Expr | None:
    if span.integer:
        first, last = int(sp.ceiling(low)), int(sp.floor(high))
        return sp.Integer(rng.randint(first, last)) if first <= last else None
    ends = ([] if span.low_open else [low]) + ([] if span.high_open else [high])
    if ends and rng.random() < 0.1:
        return rng.choice(ends)
    if simple:
        return low + (high - low) * sp.Rational(rng.randint(1, 28), 29)
    share = sp.Rational(rng.randint(1, 9972), 9973) if rng.random() > 0.1 else sp.Rational(rng.randint(1, 3), 4)
    if rng.random() < 0.2:  # near an end, where strict inequalities are hardest
        share = sp.Rational(1, 10 ** rng.randint(3, 6))
        share = share if rng.random() < 0.5 else 1 - share
    return low + (high - low) * share


def _magnitude(integer: bool, rng: random.Random, most: int, simple: bool) -> sp.Expr:
    if integer:
        return sp.Integer(rng.randint(0, most if rng.random() < 0.3 else min(5, most)))
    if simple:
        return sp.Rational(rng.randint(1, 40), rng.choice((1, 3, 7)))
    if rng.random() < 0.15:  # simple numbers, where a false claim may fail alone
        return sp.Rational(rng.randint(0, 12), 4)
    if rng.random() < 0.25:
        return sp.Rational(rng.randint(1, 9972), 9973) * sp.Integer(10) ** rng.randint(-_TAIL // 2, _TAIL // 2)
    return sp.Rational(rng.randint(1, 40000), 9973)
