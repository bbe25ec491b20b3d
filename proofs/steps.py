"""The elementary kinds of steps: identities and inequalities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import sympy as sp

from .boxes import enclose_nonnegative
from .domain import Domain, Range, Simplex
from .doubts import doubt, violation
from .model import Outcome, Step
from .notation import latex
from .numeric import MANY, POINTS, evaluate, free_symbols, instances, is_zero, scalar
from .reduction import denominators, reduce_to_zero
from .signs import nonzero, sign
from .sums import has_sums

__all__ = ["Identity", "Inequality", "Where", "domain_complaint", "expression"]

Where = Mapping[Any, Range | Simplex]


def expression(side: Any, role: str) -> sp.Expr:
    """Return the side of a claim as a SymPy expression.

    Raises
    ------
    TypeError
        If it is a truth value, a relation, or anything else that has no value of its own.
    ValueError
        If it is undefined or infinite, or contains a floating-point number.
    """
    if isinstance(side, bool):
        raise TypeError(f"{role} is the truth value {side}, not an expression")
    converted = sp.sympify(side, strict=True)
    if not isinstance(converted, sp.Expr):
        raise TypeError(f"{role} is {converted} of type {type(converted).__name__}, not an expression")
    if converted.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(f"{role} contains an undefined or infinite value: {converted}")
    if converted.has(sp.Float):
        raise ValueError(f"{role} contains a floating-point number: {converted}")
    return converted


@dataclass(frozen=True, kw_only=True)
class _Claim(Step):
    """A claim about two expressions on a domain.

    Parameters
    ----------
    left, right
        The two sides; numbers and SymPy expressions only.
    domain
        Ranges of symbols and of indexed families; the rest follows from the symbols' assumptions.
    where
        Extra relations that hold on the domain.
    given
        Hypotheses as equations {expression: value}; they are confirmed at every sample point.
    label
        LaTeX of what `left` computes, shown before it.
    """

    left: Any
    right: Any
    domain: Where = field(default_factory=dict)
    where: tuple[Any, ...] = ()
    given: Mapping[sp.Expr, Any] = field(default_factory=dict)
    label: str = ""
    relation: str = "="

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        left, right = (latex(side) for side in (self.left, self.right))
        shown = f"{self.label} = {left}" if self.label else left
        conditions = [span.shown(symbol) for symbol, span in self.domain.items() if isinstance(span, Range)]
        conditions += [_simplex(base, span) for base, span in self.domain.items() if isinstance(span, Simplex)]
        conditions += [latex(condition) for condition in self.where]
        conditions += [f"{latex(a)} = {latex(b)}" for a, b in self.given.items()]
        suffix = r" \qquad (" + r",\ ".join(conditions) + ")" if conditions else ""
        return f"{shown} {_SIGNS[self.relation]} {right}{suffix}"

    def sides(self) -> tuple[sp.Expr, sp.Expr, Domain]:
        """Return both sides as expressions, and the domain."""
        left, right = expression(self.left, "the left side"), expression(self.right, "the right side")
        return left, right, Domain(dict(self.domain), tuple(self.where))


_SIGNS = {"=": "=", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}


def _simplex(base: sp.IndexedBase, span: Simplex) -> str:
    name = latex(base)
    return rf"{name}_i > 0,\ \sum_{{i=1}}^{{{latex(span.size)}}} {name}_i = 1"


def domain_complaint(domain: Domain, exprs: tuple[sp.Expr, ...]) -> str:
    """Return why the claim is ill-typed on this domain, or an empty string."""
    return domain.complaint(free_symbols(*exprs))


@dataclass(frozen=True, kw_only=True)
class Identity(_Claim):
    """`left` = `right` on the whole domain.

    Proved only if the difference reduces to exactly 0, every denominator is
    proved not to vanish on the domain, and the two sides agree at random points.
    """

    kind: ClassVar[str] = "identity"

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        left, right, domain = self.sides()
        if left == right:
            return Outcome("failed", "both sides are the same expression: nothing is claimed")
        complaint = domain_complaint(domain, (left, right))
        if complaint:
            return Outcome("failed", complaint)
        tested = _agreement(left, right, domain, self.given)
        if isinstance(tested, Outcome):
            return tested
        how = reduce_to_zero(left - right, domain, self.given)
        if how is None:
            return _undecided(left, right, domain, self.given)
        doubtful = [d for d in denominators(left, right) if not nonzero(d, domain)]
        if doubtful:
            return Outcome("numeric", f"{how}, but {doubtful[0]} is not proved nonzero; agrees at {tested} points")
        return Outcome("symbolic", f"{how}; both sides agree at {tested} random points")


def _undecided(left: sp.Expr, right: sp.Expr, domain: Domain, given: Mapping[sp.Expr, Any]) -> Outcome:
    """Return what an identity counts as that is not reduced to 0: agreement at many more points, if points can tell."""
    difference, symbols = left - right, free_symbols(left - right)
    if not has_sums(difference) and difference.is_rational_function(*symbols) and not difference.has(sp.Indexed):
        return Outcome("failed", f"the rational function {sp.cancel(difference)} is not zero")
    reason = doubt(difference, domain)
    if reason:
        return Outcome("failed", f"not reduced to 0, and points do not decide it: {reason}")
    tested = _agreement(left, right, domain, given, MANY)
    if isinstance(tested, Outcome):
        return tested
    return Outcome("numeric", f"not reduced to 0; both sides agree at {tested} random points to at least 50 digits")


def _agreement(
    left: sp.Expr, right: sp.Expr, domain: Domain, given: Mapping[sp.Expr, Any], most: int = POINTS
) -> int | Outcome:
    """Return at how many points the sides agree, or the reason why the claim fails."""
    hypotheses = [sp.sympify(a) - sp.sympify(b) for a, b in given.items()]
    # Without free symbols a single evaluation is everything there is to test.
    wanted = most if free_symbols(left, right, *hypotheses) or (left - right).has(sp.Indexed) else 1
    tested = 0
    for point, table in instances(domain, (left, right, *hypotheses), wanted):
        for hypothesis in hypotheses:
            if not is_zero(evaluate(hypothesis, point, table)):
                return Outcome("failed", f"the hypothesis does not hold on the domain, e.g. at {_place(point)}")
        a, b = evaluate(left, point, table), evaluate(right, point, table)
        if not is_zero(a - b, a):
            return Outcome("failed", f"false at {_place(point)}: {_short(a)} is not {_short(b)}")
        tested += 1
    return tested if tested else Outcome("failed", "vacuous: no point was found that satisfies the assumptions")


_LONG = 1000  # bits of an integer that is not written out


def _place(point: Mapping[sp.Symbol, sp.Expr]) -> str:
    return ", ".join(f"{symbol} = {value}" for symbol, value in sorted(point.items(), key=str)) or "the only point"


def _short(value: sp.Expr) -> str:
    if any(part.bit_length() > _LONG for number in value.atoms(sp.Rational) for part in (number.p, number.q)):
        return str(sp.N(value, 12))
    text = str(value)
    return text if len(text) < 40 else str(sp.N(value, 12))


@dataclass(frozen=True, kw_only=True)
class Inequality(_Claim):
    """`left` relation `right` on the whole domain, with `relation` one of <, <=, >, >=."""

    relation: Literal["<", "<=", ">", ">="] = "<="
    kind: ClassVar[str] = "inequality"

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        left, right, domain = self.sides()
        gap = right - left if self.relation in ("<", "<=") else left - right
        strict = self.relation in ("<", ">")
        complaint = domain_complaint(domain, (left, right))
        if complaint or self.given:
            return Outcome("failed", complaint or "an inequality takes no hypotheses")
        tested = _holds(gap, strict, domain)
        if isinstance(tested, Outcome):
            return tested
        found = sign(gap, domain)
        if found is not None and (found.direction == 1 or (found.direction == 0 and not strict)):
            doubtful = [d for d in denominators(left, right) if not nonzero(d, domain)]
            if (found.strict or not strict) and not doubtful:
                return Outcome(
                    "symbolic",
                    f"the difference of the sides has the sign claimed: {found.how}; holds at {tested} points",
                )
        boxes = enclose_nonnegative(gap, domain, strict=strict)
        if boxes:
            return Outcome("numeric", f"rigorous: interval arithmetic (mpmath.iv) encloses the gap on {boxes} boxes")
        return _unproved(gap, strict, domain)


def _unproved(gap: sp.Expr, strict: bool, domain: Domain) -> Outcome:
    """Return what an inequality counts as that no rule decides: numeric, if a search finds no violation either."""
    if _decidable(gap, domain):
        return Outcome("failed", "Sturm's theorem finds a root or a change of sign in the interval")
    reason = doubt(gap, domain)
    if reason:
        return Outcome("failed", f"not decided, and points do not decide it: {reason}")
    place = violation(gap, domain, strict=strict)
    if place:
        return Outcome("failed", f"false at {_place(place)}, found by minimising the gap")
    tested = _holds(gap, strict, domain, MANY)
    if isinstance(tested, Outcome):
        return tested
    return Outcome(
        "numeric", f"not decided symbolically; holds at {tested} random points and at the minima searched for"
    )


def _decidable(gap: sp.Expr, domain: Domain) -> bool:
    """Whether Sturm's theorem would have proved this univariate rational inequality if it were true."""
    symbols = free_symbols(gap)
    if len(symbols) != 1 or has_sums(gap) or gap.has(sp.Indexed):
        return False
    (symbol,) = symbols
    span = domain.range_of(symbol)
    if span is None or span.integer or not gap.is_rational_function(symbol):
        return False
    numbers = gap.atoms(sp.NumberSymbol, sp.Function) | {power for power in gap.atoms(sp.Pow) if power.is_number}
    return not numbers and all(end.is_Rational or end.is_infinite for end in (span.low, span.high))


def _holds(gap: sp.Expr, strict: bool, domain: Domain, most: int = POINTS) -> int | Outcome:
    """Return at how many points the gap has the sign claimed, or why the claim fails."""
    wanted = most if free_symbols(gap) or gap.has(sp.Indexed) else 1
    tested = 0
    for point, table in instances(domain, (gap,), wanted):
        value = evaluate(gap, point, table)
        zero = is_zero(value)
        number = sp.Integer(0) if zero else scalar(value)
        if not number.is_extended_real or number < 0 or (strict and zero):
            return Outcome("failed", f"false at {_place(point)}: the gap is {_short(value)}")
        tested += 1
    return tested if tested else Outcome("failed", "vacuous: no point was found that satisfies the assumptions")
