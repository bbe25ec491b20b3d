"""Steps of calculus: limits, integrals, optima."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Literal

import mpmath
import sympy as sp

from .domain import Domain, Range
from .doubts import CASES
from .model import Outcome, Step
from .notation import latex
from .numeric import POINTS, evaluate, free_symbols, instances, is_zero, scalar
from .reduction import denominators, reduce_to_zero
from .signs import nonzero, sign
from .steps import Where, domain_complaint, expression

__all__ = ["Integration", "Limit", "Optimum"]

_QUADRATURE_POINTS = 3
_DIGITS = 80  # differences of nearly equal numbers lose up to about 20 digits along a sequence


@dataclass(frozen=True, kw_only=True)
class Limit(Step):
    """The limit of an expression, by SymPy's Gruntz algorithm, confirmed along a sequence."""

    body: Any
    variable: sp.Symbol
    to: Any
    value: Any
    direction: Literal["+", "-"] = "+"
    domain: Where = field(default_factory=dict)
    label: str = ""
    kind: ClassVar[str] = "limit"

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        to = latex(self.to) + ("" if sp.sympify(self.to).is_infinite else f"^{self.direction}")
        label = f"{self.label} = " if self.label else ""
        body = latex(self.body)
        return rf"{label}\lim_{{{latex(self.variable)} \to {to}}} {body} = {latex(self.value)}"

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        body, to = expression(self.body, "the body"), sp.sympify(self.to, strict=True)
        diverges = self.value in (sp.oo, -sp.oo)
        value = sp.sympify(self.value) if diverges else expression(self.value, "the limit")
        domain = Domain(dict(self.domain))
        complaint = domain_complaint(domain, (body,))
        if complaint or not body.has(self.variable):
            return Outcome("failed", complaint or "the body does not depend on the variable")
        tested = self._approach(body, to, value, domain)
        if isinstance(tested, Outcome):
            return tested
        found = sp.limit(body, self.variable, to, self.direction)
        same = found == value or (not diverges and reduce_to_zero(found - value, domain, {}) is not None)
        if same:
            return Outcome("symbolic", f"SymPy's limit is {found}; the values approach it at {tested} points")
        if not found.has(sp.Limit):
            return Outcome("failed", f"SymPy's limit is {found}, not {value}")
        return Outcome("numeric", f"SymPy finds no limit; the values approach {value} at {tested} points")

    def _approach(self, body: sp.Expr, to: sp.Expr, value: sp.Expr, domain: Domain) -> int | Outcome:
        symbols = sorted((free_symbols(body) | free_symbols(value)) - {self.variable}, key=str)
        function = sp.lambdify([*symbols, self.variable], [body, value], "mpmath")
        tested = 0
        for point in domain.points(set(symbols), 4 if symbols else 1, sp.srepr(body), most=30):
            with mpmath.workdps(_DIGITS):
                numbers = [mpmath.mpf(point[symbol].p) / point[symbol].q for symbol in symbols]
                errors = [_distance(*function(*numbers, at)) for at in self._sequence(to)]
            if not (all(b <= a for a, b in pairwise(errors)) and errors[-1] <= errors[0] / 2):
                near = ", ".join(mpmath.nstr(error, 3) for error in errors)
                return Outcome("failed", f"the values do not approach {value} at {point}: distances {near}")
            tested += 1
        return tested or Outcome("failed", "vacuous: no point satisfies the assumptions")

    def _sequence(self, to: sp.Expr) -> list[Any]:
        if to.is_infinite:
            return [int(sp.sign(to)) * mpmath.mpf(10) ** power for power in (3, 6, 9)]
        side, end = 1 if self.direction == "+" else -1, mpmath.mpmathify(sp.N(to, _DIGITS))
        return [end + side * mpmath.mpf(10) ** -power for power in (3, 6, 9)]


def _distance(here: Any, limit: Any) -> Any:
    """Return the distance from the limit; for an infinite one the reciprocal, infinite while the sign is wrong."""
    if mpmath.isinf(limit):
        return 1 / abs(here) if here and mpmath.sign(here) == mpmath.sign(limit) else mpmath.inf
    error = abs(here - limit)
    return error if error > mpmath.mpf(10) ** (10 - _DIGITS // 2) else mpmath.mpf(0)


@dataclass(frozen=True, kw_only=True)
class Integration(Step):
    """A definite integral by an antiderivative, confirmed by quadrature.

    The antiderivative must be continuous on the interval; a jump would show as a
    disagreement with the quadrature.
    """

    integrand: Any
    variable: sp.Symbol
    low: Any
    high: Any
    antiderivative: Any
    value: Any
    domain: Where = field(default_factory=dict)
    label: str = ""
    kind: ClassVar[str] = "integral"

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        low, high, value = (latex(side) for side in (self.low, self.high, self.value))
        label = f"{self.label} = " if self.label else ""
        body = rf"\int_{{{low}}}^{{{high}}} {latex(self.integrand)} \, d{latex(self.variable)}"
        primitive = rf"\left[{latex(self.antiderivative)}\right]_{{{low}}}^{{{high}}}"
        return f"{label}{body} = {primitive} = {value}"

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        body, primitive = (
            expression(self.integrand, "the integrand"),
            expression(self.antiderivative, "the antiderivative"),
        )
        value, domain = expression(self.value, "the value"), Domain(dict(self.domain))
        complaint = domain_complaint(domain, (body, value))
        if complaint:
            return Outcome("failed", complaint)
        tested = self._quadrature(body, value, domain)
        if isinstance(tested, Outcome):
            return tested
        ends = [sp.limit(primitive, self.variable, *end) for end in ((self.high, "-"), (self.low, "+"))]
        remainders = (sp.diff(primitive, self.variable) - body, ends[0] - ends[1] - value)
        slope, total = (reduce_to_zero(remainder, domain, {}) for remainder in remainders)
        doubtful = self._doubt(primitive, remainders)
        if doubtful:
            return Outcome("failed", doubtful)
        if slope is None or total is None:
            return Outcome("numeric", f"the antiderivative is not confirmed; quadrature agrees at {tested} points")
        return Outcome(
            "symbolic",
            f"derivative of the antiderivative minus the integrand: {slope}; its limits at the ends are {ends[0]} and "
            f"{ends[1]}; quadrature agrees at {tested} points to 15 digits",
        )

    def _doubt(self, primitive: sp.Expr, remainders: tuple[sp.Expr, sp.Expr]) -> str:
        """Return why the antiderivative is none on this interval, or an empty string."""
        low, high = sp.sympify(self.low), sp.sympify(self.high)
        inside = Domain({**self.domain, self.variable: Range(low, high)})
        if primitive.has(*CASES):
            return "the antiderivative has cases, so it may jump"
        poles = [base for base in denominators(primitive) if not nonzero(base, inside)]
        if poles:
            return f"the antiderivative may jump where {poles[0]} vanishes"
        for remainder in remainders:
            for point, table in instances(inside, (remainder,), POINTS if free_symbols(remainder) else 1):
                if not is_zero(evaluate(remainder, point, table)):
                    return f"the antiderivative is off by {remainder}"
        return ""

    def _quadrature(self, body: sp.Expr, value: sp.Expr, domain: Domain) -> int | Outcome:
        low, high = sp.sympify(self.low), sp.sympify(self.high)
        symbols = free_symbols(body * (1 + self.variable), value, low, high) - {self.variable}
        tested = 0
        for point in domain.points(symbols, _QUADRATURE_POINTS if symbols else 1, sp.srepr(body)):
            ends = (self.variable, low.xreplace(point), high.xreplace(point))
            found = sp.N(sp.Integral(body.xreplace(point), ends), 20)
            wanted = scalar(value.xreplace(point), 20)
            if not found.is_number or not bool(abs(found - wanted) < sp.Float("1e-15") * (1 + abs(wanted))):
                return Outcome("failed", f"quadrature gives {found} at {point}, not {wanted}")
            tested += 1
        return tested or Outcome("failed", "vacuous: no point satisfies the assumptions")


@dataclass(frozen=True, kw_only=True)
class Optimum(Step):
    """A global minimum (or maximum) of a function of one variable: stationary, and convex (concave) on its range.

    For a separable problem min sum_i f_i(x_i) subject to sum_i g_i(x_i) = B, give the
    Lagrangian's term f_i + multiplier * g_i: where every term is convex, a
    stationary feasible point is the constrained optimum.
    """

    objective: Any
    variable: sp.Symbol
    at: Any
    domain: Where
    sense: Literal["min", "max"] = "min"
    label: str = ""
    kind: ClassVar[str] = "optimum"

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        symbol = latex(self.variable)
        slope = rf"\frac{{\partial}}{{\partial {symbol}}}\left({latex(self.objective)}\right)"
        second = latex(sp.factor(sp.diff(self.objective, self.variable, 2)))
        curve = "\\ge" if self.sense == "min" else "\\le"
        return (
            rf"{slope} = 0 \text{{ at }} {symbol} = {latex(self.at)},\quad "
            rf"\frac{{\partial^2}}{{\partial {symbol}^2}} = {second} {curve} 0"
        )

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        objective, at = expression(self.objective, "the objective"), expression(self.at, "the optimum")
        domain = Domain(dict(self.domain))
        complaint = domain_complaint(domain, (objective, at))
        if complaint or at.has(self.variable) or not objective.has(self.variable):
            return Outcome("failed", complaint or "the optimum must be free of the variable, and the objective not")
        tested = self._compared(objective, at, domain)
        if isinstance(tested, Outcome):
            return tested
        poles = [base for base in denominators(objective) if not nonzero(base, domain)]
        if poles:
            return Outcome("failed", f"the objective may jump where {poles[0]} vanishes, so curvature decides nothing")
        wanted = 1 if self.sense == "min" else -1
        stationary = reduce_to_zero(sp.diff(objective, self.variable).subs(self.variable, at), domain, {})
        curvature = sign(sp.diff(objective, self.variable, 2), domain)
        if stationary is None or curvature is None or curvature.direction != wanted:
            reason = "stationarity" if stationary is None else "convexity"
            return Outcome("numeric", f"{reason} is not decided; no better point among {tested} random ones")
        return Outcome(
            "symbolic",
            f"stationary: {stationary}; {'convex' if wanted == 1 else 'concave'}: {curvature.how}; "
            f"no better point among {tested} random ones",
        )

    def _compared(self, objective: sp.Expr, at: sp.Expr, domain: Domain) -> int | Outcome:
        tested, wanted = 0, 1 if self.sense == "min" else -1
        for point, table in instances(domain, (objective, at), POINTS):
            best = {**point, self.variable: evaluate(at, point, table)}
            span = domain.range_of(self.variable)
            if span is None or not span.includes(best[self.variable], point):
                return Outcome("failed", f"{self.variable} = {best[self.variable]} is outside of its range at {point}")
            gain = evaluate(objective, point, table) - evaluate(objective, best, table)
            if not is_zero(gain) and scalar(gain) * wanted < 0:
                return Outcome("failed", f"{self.variable} = {point[self.variable]} is better at {point}")
            tested += 1
        return tested or Outcome("failed", "vacuous: no point satisfies the assumptions")
