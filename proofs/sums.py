"""A normal form for polynomials in sums with symbolic bounds.

Identities for general n are identities between expressions like
``Sum(a[i]*Sum(b[i, j], (j, 1, m)), (i, 1, n))``. `normal` brings both sides to
a polynomial in irreducible sums by these equivalences only: linearity,
products of sums as sums over more indices, the last term of a sum to k + 1
split off, Kronecker deltas resolved, constants drawn out, sums over
unconnected indices factored, bound indices renamed canonically.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, permutations, product
from typing import Any

import sympy as sp

__all__ = ["has_sums", "normal", "peel"]

_Limits = tuple[tuple[sp.Symbol, sp.Expr, sp.Expr], ...]
_Term = tuple[sp.Expr, _Limits]
_WRITTEN_OUT = 16  # sums with numbers as bounds and at most this many terms are written out
_MOST_INDICES = 6  # canonical renaming tries all orders


def has_sums(expr: sp.Expr) -> bool:
    """Whether the expression contains a sum or product with bounds."""
    return bool(expr.has(sp.Sum, sp.Product))


def peel(expr: sp.Expr) -> sp.Expr:
    """Write out short sums, and split off the last terms of sums and products up to `something + positive integer`."""

    def split(node: sp.Expr) -> sp.Expr:
        index, low, high = node.limits[0]
        step, rest = high.as_coeff_Add()
        if low.is_Integer and high.is_Integer and high - low < _WRITTEN_OUT:
            return node.doit()
        if isinstance(node, sp.Product) and len(node.limits) == 1 and not node.function.has(index):
            return node.function ** (high - low + 1)
        if len(node.limits) > 1 or rest == 0 or not (step.is_Integer and step > 0):
            return node
        last = node.function.xreplace({index: high})
        shorter = node.func(node.function, (index, low, high - 1))
        return split(shorter) + last if isinstance(node, sp.Sum) else split(shorter) * last

    return expr.replace(lambda node: isinstance(node, sp.Sum | sp.Product), split)


def normal(
    expr: sp.Expr,
    given: Mapping[sp.Expr, sp.Expr] | None = None,
    index_bounds: Mapping[sp.Symbol, tuple[sp.Expr, sp.Expr]] | None = None,
) -> sp.Expr:
    """Return the normal form.

    Parameters
    ----------
    given
        Hypotheses: sums (or other atoms) with the values that they are assumed to have.
    index_bounds
        Bounds of free integer symbols that are indices; a delta between such a symbol and a bound
        index is resolved only if the bounds agree.
    """
    expr = peel(expr)
    bounds = dict(index_bounds or {})
    fresh = count()
    total = sp.Integer(0)
    for monomial, limits in _terms(sp.expand(expr), fresh):
        for piece in sp.Add.make_args(sp.expand(monomial)):
            total += _collapse(piece, limits, bounds)
    if given:
        known = {normal(left, None, bounds): right for left, right in given.items()}
        total = sp.expand(total.xreplace(known))
    return sp.expand(total)


def _terms(expr: sp.Expr, fresh: Any) -> list[_Term]:
    """Return the expression as a list of (summand without sums, limits)."""
    if not has_sums(expr):
        return [(expr, ())]
    if isinstance(expr, sp.Add):
        return [term for arg in expr.args for term in _terms(arg, fresh)]
    if isinstance(expr, sp.Mul):
        return _multiply([_terms(arg, fresh) for arg in expr.args])
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp > 0:
        return _multiply([_terms(expr.base, fresh) for _ in range(int(expr.exp))])
    if isinstance(expr, sp.Sum):
        return _open_sum(expr, fresh)
    return (
        [(expr.func(*(normal(arg) if isinstance(arg, sp.Expr) else arg for arg in expr.args)), ())]
        if isinstance(expr, sp.Pow | sp.Function)
        else [(expr, ())]
    )


def _multiply(factors: list[list[_Term]]) -> list[_Term]:
    return [
        (sp.Mul(*(term for term, _ in chosen)), tuple(limit for _, limits in chosen for limit in limits))
        for chosen in product(*factors)
    ]


def _open_sum(expr: sp.Expr, fresh: Any) -> list[_Term]:
    """Rename the bound indices to fresh ones and open the summand."""
    body, limits = expr.function, []
    renamed: dict[sp.Symbol, sp.Symbol] = {}
    for index, low, high in reversed(expr.limits):  # outer limits first: inner bounds may use outer indices
        new = sp.Symbol(f"_s{next(fresh)}", integer=True)
        limits.append((new, low.xreplace(renamed), high.xreplace(renamed)))
        renamed[index] = new
    body = sp.expand(body.xreplace(renamed))
    return [(inner, tuple(limits) + deeper) for inner, deeper in _terms(body, fresh)]


def _collapse(term: sp.Expr, limits: _Limits, bounds: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]) -> sp.Expr:
    """Resolve deltas, draw out constants, factor into connected sums."""
    term, limits = _resolve_deltas(term, limits, bounds)
    dummies = {index for index, _, _ in limits}
    inside: list[sp.Expr] = []
    outside: list[sp.Expr] = []
    for factor in sp.Mul.make_args(term):
        (inside if factor.free_symbols & dummies else outside).append(factor)
    result = sp.Mul(*outside)
    for group in _components(inside, limits):
        result *= _canonical(*group)
    return result


def _resolve_deltas(
    term: sp.Expr, limits: _Limits, bounds: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]
) -> tuple[sp.Expr, _Limits]:
    ranges = {index: (low, high) for index, low, high in limits}
    for factor in sp.Mul.make_args(term):
        delta = factor.base if isinstance(factor, sp.Pow) and factor.exp.is_Integer else factor
        if not isinstance(delta, sp.KroneckerDelta):
            continue
        for bound, other in (delta.args, delta.args[::-1]):
            target = ranges.get(other, bounds.get(other))
            used = any((low + high).has(bound) for _, low, high in limits)
            if bound in ranges and not used and target == ranges[bound]:
                rest = term.xreplace({factor: sp.Integer(1)}).xreplace({bound: other})
                return _resolve_deltas(rest, tuple(lim for lim in limits if lim[0] != bound), bounds)
    return term, limits


def _components(factors: list[sp.Expr], limits: _Limits) -> list[tuple[list[sp.Expr], _Limits]]:
    """Split factors and limits into groups that share no bound index."""
    dummies = [index for index, _, _ in limits]
    links = [factor.free_symbols & set(dummies) for factor in factors]
    links += [({index} | (low + high).free_symbols) & set(dummies) for index, low, high in limits]
    groups: list[set[sp.Symbol]] = []
    for link in links:
        touching = [group for group in groups if group & link]
        groups = [group for group in groups if not group & link] + [set(link).union(*touching)]
    return [
        (
            [factor for factor in factors if factor.free_symbols & group],
            tuple(limit for limit in limits if limit[0] in group),
        )
        for group in groups
    ]


def _canonical(factors: list[sp.Expr], limits: _Limits) -> sp.Expr:
    """Return the sum with its indices named `_1, _2, ...` in the order that gives the least sort key."""
    if not factors:
        length = sp.Integer(1)
        for _, low, high in limits:
            length *= high - low + 1
        return length if len(limits) <= 1 else sp.Sum(1, *reversed(limits)).doit()
    if len(limits) > _MOST_INDICES:
        raise ValueError(f"a sum over {len(limits)} connected indices is beyond the normal form's {_MOST_INDICES}")
    body = sp.Mul(*factors)
    candidates = []
    for order in permutations(limits):
        rename = {limit[0]: sp.Symbol(f"_{k}", integer=True) for k, limit in enumerate(order, 1)}
        renamed = [(rename[i], low.xreplace(rename), high.xreplace(rename)) for i, low, high in order]
        candidates.append((sp.srepr(body.xreplace(rename)) + str(renamed), body.xreplace(rename), renamed))
    _, best, best_limits = min(candidates, key=lambda candidate: candidate[0])
    return sp.Sum(best, *best_limits)
