"""Steps by induction: recurrences and their solutions or lower bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import sympy as sp

from .domain import Domain, integers
from .model import Outcome, Step
from .notation import latex
from .numeric import evaluate, instances, is_zero
from .signs import sign
from .steps import Identity, Inequality, Where, expression

__all__ = ["Induction"]

_UNROLLED = 5


def _worst(parts: Mapping[str, Outcome]) -> Outcome:
    """Combine the outcomes of a step's parts: it is as strong as the weakest."""
    for verdict in ("failed", "numeric"):
        for part, outcome in parts.items():
            if outcome.verdict == verdict:
                return Outcome(outcome.verdict, f"{part}: {outcome.evidence}")
    return Outcome("symbolic", "; ".join(f"{part}: {outcome.evidence}" for part, outcome in parts.items()))


@dataclass(frozen=True, kw_only=True)
class Induction(Step):
    """A recurrence x(k+1) = advance(x(k), k) and its solution, or a lower bound of it.

    With ``relation="="``: `closed` is `initial` at `start`, and `advance` takes
    `closed` at k to `closed` at k + 1; then unrolled a few times as a check.
    With ``relation=">="``: the same with at-least, and `advance` is proved nondecreasing in x.

    Parameters
    ----------
    advance
        Function of (x, k) that returns the next member as an expression.
    x
        Symbol for a member of the sequence, with its range in `domain`.
    """

    k: sp.Symbol
    closed: Any
    initial: Any
    advance: Callable[[Any, sp.Symbol], Any]
    start: int = 0
    relation: Literal["=", ">="] = "="
    x: sp.Symbol = field(default_factory=lambda: sp.Symbol("x", real=True))
    domain: Where = field(default_factory=dict)
    kind: ClassVar[str] = "induction"

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        member = sp.Symbol(f"{self.x}_{self.k}")
        following, first = f"{self.x}_{{{self.k}+1}}", f"{self.x}_{{{self.start}}}"
        sign_ = "=" if self.relation == "=" else r"\ge"
        return (
            rf"{first} = {latex(self.initial)},\ {following} = {latex(self.advance(member, self.k))}"
            rf"\ \Longrightarrow\ {latex(member)} {sign_} {latex(self.closed)}"
        )

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        closed, initial = expression(self.closed, "the solution"), expression(self.initial, "the initial value")
        if closed.has(self.x) or not closed.has(self.k):
            return Outcome("failed", "the solution must be an expression in the induction variable")
        first = closed.subs(self.k, self.start).doit()
        held = closed.subs(self.k, self.k + 1)
        moved = expression(self.advance(closed, self.k), "the next member")
        step_domain = {**self.domain, self.k: integers(self.start)}
        parts = {"base": self._part(initial, first, self.domain), "step": self._part(moved, held, step_domain)}
        if self.relation == ">=":
            parts["monotone"] = self._monotone(step_domain)
        else:
            parts["unrolled"] = self._unrolled(initial, closed)
        return _worst(parts)

    def _part(self, left: sp.Expr, right: sp.Expr, domain: Where) -> Outcome:
        if left == right:
            return Outcome("symbolic", f"both sides are {left}")
        parts = {"name": "part", "explanation": "part", "left": left, "right": right, "domain": domain}
        if self.relation == "=":
            return Identity(**parts).decide()
        return Inequality(**parts, relation=">=").decide()

    def _monotone(self, domain: Where) -> Outcome:
        slope = sp.diff(self.advance(self.x, self.k), self.x)
        found = sign(slope, Domain(dict(domain)))
        if found is None or found.direction == -1:
            return Outcome("failed", f"the recurrence is not proved nondecreasing: its slope is {slope}")
        return Outcome("symbolic", f"slope {slope} is nonnegative ({found.how})")

    def _unrolled(self, initial: sp.Expr, closed: sp.Expr) -> Outcome:
        probe = expression(self.advance(initial, self.k), "the next member")
        domain, compared = Domain({**self.domain, self.k: integers(self.start)}), 0
        for point, table in instances(domain, (initial, closed, probe), 3):
            value = evaluate(initial, point, table)
            for k in range(self.start, self.start + _UNROLLED):
                at = {**point, self.k: sp.Integer(k)}
                if not is_zero(value - evaluate(closed, at, table), value):
                    return Outcome("failed", f"member {k} is {value}, the solution gives something else")
                value = evaluate(expression(self.advance(value, self.k), "the next member"), at, table)
                compared += 1
        if compared == 0:
            return Outcome("failed", "vacuous: no point satisfies the assumptions")
        return Outcome("symbolic", f"{compared} members of unrolled sequences agree")
