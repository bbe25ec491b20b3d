"""Reduction of differences to exactly zero, by equivalences under the symbols' assumptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from .domain import Domain, Range, Simplex
from .numeric import free_symbols
from .sums import has_sums, normal

__all__ = ["denominators", "reduce_to_zero"]


def denominators(*sides: sp.Expr) -> list[sp.Expr]:
    """Return what must not vanish: bases of negative powers (outside of sums) and arguments of logarithms."""
    found = {
        power.base
        for side in sides
        for power in side.atoms(sp.Pow)
        if power.exp.could_extract_minus_sign() or power.exp.is_negative
    } | {node.args[0] for side in sides for node in side.atoms(sp.log)}
    return sorted((base for base in found if not _of_families(base)), key=str)


def _of_families(base: sp.Expr) -> bool:
    """Whether a denominator is nonzero by the assumptions of its symbols, bound indices included."""
    return bool(base.is_nonzero or base.is_positive)


def _tidy_powers(expr: sp.Expr) -> sp.Expr:
    return sp.powsimp(sp.expand(sp.powsimp(sp.powdenest(expr, force=False))))


# In order of cost. Each is an equivalence under the symbols' assumptions; `simplify` comes last because it is slow.
_TRANSFORMATIONS: tuple[tuple[str, Callable[[sp.Expr], sp.Expr]], ...] = (
    ("the difference expands to 0", sp.expand),
    ("over a common denominator the difference is 0", lambda e: sp.cancel(sp.together(e))),
    ("the difference is 0 after combining powers", _tidy_powers),
    ("the difference is 0 after combining powers and factoring", lambda e: sp.factor(_tidy_powers(e))),
    ("the difference is 0 by trigonometric identities", lambda e: sp.trigsimp(sp.expand(e, trig=True))),
    ("the difference is 0 by the recurrences of factorials and binomials", lambda e: sp.gammasimp(sp.expand_func(e))),
    ("the difference is 0 after expanding logarithms", lambda e: sp.simplify(sp.expand_log(e))),
    ("SymPy's simplify reduces the difference to 0", sp.simplify),
)


def reduce_to_zero(difference: sp.Expr, domain: Domain, given: Mapping[sp.Expr, Any]) -> str | None:
    """Return how the difference was reduced to exactly 0, or None."""
    for delta in difference.atoms(sp.KroneckerDelta):
        if delta.free_symbols <= free_symbols(difference) and all(arg.is_Symbol for arg in delta.args):
            first, second = delta.args
            cases = (difference.xreplace({delta: sp.Integer(value)}) for value in (0, 1))
            apart, same = (reduce_to_zero(case, domain, given) for case in cases)
            if same is None:
                equal = difference.xreplace({delta: sp.Integer(1)}).xreplace({second: first})
                same = reduce_to_zero(equal, domain, given)
            return f"{apart} for different and equal indices" if apart and same else None
    if has_sums(difference) or given:
        hypotheses = {sp.sympify(a): sp.sympify(b) for a, b in given.items()}
        for base, span in domain.ranges.items():
            if isinstance(span, Simplex):
                index = sp.Symbol("i", integer=True)
                hypotheses[sp.Sum(base[index], (index, 1, span.size))] = sp.Integer(1)
        bounds = {s: (r.low, r.high) for s, r in domain.ranges.items() if isinstance(r, Range) and r.integer}
        difference = normal(difference, hypotheses, bounds)
        if difference == 0:
            return "the normal form of the difference (sums multiplied out, deltas resolved) is 0"
        opened = {atom: sp.Dummy(real=True) for atom in difference.atoms(sp.Sum, sp.Product)}
        difference = difference.xreplace(opened)
    for how, transform in _TRANSFORMATIONS:
        try:
            if transform(difference) == 0:
                return how
        except (NotImplementedError, ValueError, TypeError, sp.PolynomialError, RecursionError):
            continue  # a transformation that does not apply decides nothing
    return None
