"""Decision of signs: proofs that an expression is positive or nonnegative on a whole domain.

The rules, each a proof on its own:

* the domain is mapped onto positive variables; if then SymPy's rules for sums and products of signed
  terms give the sign, it holds everywhere (for polynomials: all coefficients have one sign);
* products and quotients by the signs of their factors, even powers, sums by their summands;
* univariate polynomials with rational coefficients by counting real roots exactly (Sturm);
* quadratic forms by completing squares;
* a function whose value at one end of an interval and whose derivative are nonnegative.
"""

from __future__ import annotations

import sympy as sp

from .domain import Domain, Range
from .numeric import free_symbols
from .sign_rules import Sign, quadratic, sign_of_number, sturm
from .sums import has_sums, normal

__all__ = ["Sign", "nonzero", "sign"]

_ROUGH = (sp.Piecewise, sp.Abs, sp.sign, sp.Heaviside, sp.floor, sp.ceiling, sp.Min, sp.Max, sp.Mod, sp.DiracDelta)
_DERIVATIVES = 3


def nonzero(expr: sp.Expr, domain: Domain) -> bool:
    """Whether the expression is proved to vanish nowhere on the domain."""
    found = sign(expr, domain)
    return found is not None and found.strict and found.direction != 0


def sign(expr: sp.Expr, domain: Domain, depth: int = _DERIVATIVES) -> Sign | None:
    """Return the proved sign of a real expression on the domain, or None if no rule decides it."""
    if expr.has(sp.nan, sp.zoo, sp.oo, sp.I) or expr.has(*_ROUGH) or expr.is_extended_real is False:
        return None
    if has_sums(expr):
        return _with_sums(expr, domain) or _with_sums(normal(expr), domain)
    if expr.is_number:
        return sign_of_number(expr)
    direct = _known(expr, domain) or _by_assumptions(expr, domain)
    if direct is not None and (direct.strict or depth < _DERIVATIVES):
        return direct
    other = _by_structure(expr, domain, depth)
    return other if direct is None or (other is not None and other.strict) else direct


def _by_structure(expr: sp.Expr, domain: Domain, depth: int) -> Sign | None:
    """Return the sign by the signs of the factors, or that of a single factor."""
    numerator, denominator = sp.fraction(sp.factor(sp.together(expr)))
    factors = [*_factors(numerator), *_factors(denominator)]
    if len(factors) > 1:
        signs = [_power(factor, domain, depth) for factor in factors]
        known = [found for found in signs if found is not None]
        if len(known) == len(signs):
            return _product(known)
        # A common denominator can spoil a derivative (exponentials), so the expression as it stands is tried too.
        return _single(expr, domain, depth) if isinstance(expr, sp.Add) else None
    return _single(numerator if not numerator.is_number else expr, domain, depth)


def _factors(expr: sp.Expr) -> list[sp.Expr]:
    return [factor for factor in sp.Mul.make_args(expr) if factor != 1]


def _by_assumptions(expr: sp.Expr, domain: Domain) -> Sign | None:
    """Map the domain onto signed variables, then ask SymPy; an unattained closed end is asked separately."""
    mapped = expr.xreplace(domain.mapping(free_symbols(expr)))
    for form in (mapped, sp.expand(mapped), _spread(mapped)):
        for fact, found in _FACTS:
            if getattr(form, f"is_{fact}"):
                confirmed = _with_closed_ends(expr, domain, found)
                if confirmed is not None:
                    return confirmed
    return None


_MAPPED = "after mapping the domain onto positive variables every term has that sign"
_FACTS = (
    ("positive", Sign(1, True, _MAPPED)),
    ("negative", Sign(-1, True, _MAPPED)),
    ("nonnegative", Sign(1, False, _MAPPED)),
    ("nonpositive", Sign(-1, False, _MAPPED)),
)


def _spread(mapped: sp.Expr) -> sp.Expr:
    """Return expanded numerator over expanded denominator."""
    numerator, denominator = sp.fraction(sp.cancel(sp.together(mapped)))
    return sp.expand(numerator) / sp.expand(denominator)


def _with_closed_ends(expr: sp.Expr, domain: Domain, found: Sign) -> Sign | None:
    """Confirm a strict sign at closed finite upper ends, which the mapping only approaches."""
    if not found.strict:
        return found
    for symbol in free_symbols(expr):
        span = domain.range_of(symbol)
        if span and not (span.integer or span.high_open) and span.low != span.high and span.low.is_finite is not False:
            end = sign(expr.subs(symbol, span.high), domain, 0)
            if end is None or end.direction != found.direction or not end.strict:
                return (
                    Sign(found.direction, False, found.how) if end and end.direction in (0, found.direction) else None
                )
    return found


def _power(factor: sp.Expr, domain: Domain, depth: int) -> Sign | None:
    """Return the sign of one factor."""
    if factor.is_number:
        return sign_of_number(factor)
    base, exponent = factor.as_base_exp()
    if exponent.is_even and base.is_extended_real:
        inner = sign(base, domain, depth)
        strict = inner is not None and inner.strict and inner.direction != 0
        return Sign(1, strict, "an even power is nonnegative")
    found = _known(factor, domain) or _by_assumptions(factor, domain)
    if found is None and exponent.is_odd:
        found = _single(base, domain, depth)
    return found if found is not None or exponent != 1 else _single(base, domain, depth)


def _product(signs: list[Sign]) -> Sign:
    direction = 1
    for found in signs:
        direction *= found.direction
    reasons = sorted({found.how for found in signs if found.how != "it is a number"})
    return Sign(
        direction, all(found.strict for found in signs) and direction != 0, "factor by factor: " + "; ".join(reasons)
    )


def _single(expr: sp.Expr, domain: Domain, depth: int) -> Sign | None:
    """Return the sign of an expression that does not factor."""
    symbols = sorted(free_symbols(expr), key=str)
    for rule in (sturm, quadratic):
        found = rule(expr, symbols, domain)
        if found is not None:
            return found
    return _from_an_end(expr, symbols, domain, depth) if depth > 0 else None


def _known(expr: sp.Expr, domain: Domain) -> Sign | None:
    """Signs of functions that SymPy's assumptions do not know."""
    if isinstance(expr, sp.erfc) and expr.args[0].is_real:
        return Sign(1, True, "the complementary error function is positive")
    return _binomial(expr, domain) or _trigonometric(expr, domain)


def _trigonometric(expr: sp.Expr, domain: Domain) -> Sign | None:
    """Sine on [0, pi] and cosine on [-pi/2, pi/2]."""
    if not isinstance(expr, sp.sin | sp.cos):
        return None
    angle = expr.args[0] + (sp.pi / 2 if isinstance(expr, sp.cos) else 0)
    ends = [sign(angle, domain, 1), sign(sp.pi - angle, domain, 1)]
    if any(end is None or end.direction == -1 for end in ends):
        return None
    strict = all(end is not None and end.strict and end.direction == 1 for end in ends)
    return Sign(1, strict, f"{expr.func} is nonnegative on that interval")


def _binomial(expr: sp.Expr, domain: Domain) -> Sign | None:
    """Binomial coefficients of integers inside Pascal's triangle are positive."""
    if not isinstance(expr, sp.binomial) or not all(arg.is_integer for arg in expr.args):
        return None
    total, chosen = expr.args
    ends = [sign(chosen, domain, 1), sign(total - chosen, domain, 1)]
    inside = all(end is not None and end.direction >= 0 for end in ends)
    return Sign(1, True, "a binomial coefficient counts subsets") if inside else None


def _with_sums(expr: sp.Expr, domain: Domain) -> Sign | None:
    """Return the sign of sums, of products with sums, and of additions whose terms agree."""
    if not has_sums(expr):
        return sign(expr, domain)
    if isinstance(expr, sp.Sum):
        return _of_sum(expr, domain)
    if not isinstance(expr, sp.Add | sp.Mul):
        return None
    signs = [found for found in (_with_sums(arg, domain) for arg in expr.args) if found is not None]
    if len(signs) < len(expr.args):
        return None
    if isinstance(expr, sp.Mul):
        return _product(signs)
    directions = {found.direction for found in signs} - {0}
    if len(directions) != 1:
        return None
    return Sign(directions.pop(), any(f.strict and f.direction for f in signs), f"term by term: {signs[0].how}")


def _of_sum(expr: sp.Sum, domain: Domain) -> Sign | None:
    ranges = dict(domain.ranges)
    for index, low, high in expr.limits:
        ranges[index] = Range(low, high, False, False, integer=True)
    inner = sign(expr.function, Domain(ranges), 1)
    if inner is None:
        return None
    # Bounds may give an empty sum, so strictness is not concluded here.
    return Sign(inner.direction, False, f"every term of the sum has that sign: {inner.how}")


def _from_an_end(expr: sp.Expr, symbols: list[sp.Symbol], domain: Domain, depth: int) -> Sign | None:
    """Integrate the sign of the derivative from an end of the interval."""
    for symbol in symbols:
        span = domain.range_of(symbol)
        if span is None or span.integer or span.low == span.high or not _smooth(expr, domain):
            continue
        if span.low.is_extended_negative and span.high.is_extended_positive:
            return _halves(expr, symbol, span, domain, depth)
        slope = sign(sp.simplify(sp.diff(expr, symbol)), domain, depth - 1)
        if slope is None or slope.direction == 0:
            continue
        for wanted in (1, -1):
            end, opened = (span.low, span.low_open) if slope.direction == wanted else (span.high, span.high_open)
            if not (end.is_finite or end.is_number):
                continue
            value = _at_end(expr, symbol, end)
            if value is None:
                continue
            start = sign(value, domain, depth - 1) if value.is_finite is not False else None
            if start is not None and start.direction in (0, wanted):
                strict = (start.strict and start.direction != 0) or (slope.strict and opened)
                how = f"it starts with that sign at {symbol} = {end}, and its derivative keeps it ({slope.how})"
                return Sign(wanted, strict, how)
    return None


def _at_end(expr: sp.Expr, symbol: sp.Symbol, end: sp.Expr) -> sp.Expr | None:
    """Return the value at a finite end, the limit at an infinite one, None if SymPy finds none."""
    try:
        return sp.simplify(expr.subs(symbol, end)) if end.is_finite else sp.limit(expr, symbol, end)
    except (NotImplementedError, ValueError):
        return None


def _halves(expr: sp.Expr, symbol: sp.Symbol, span: Range, domain: Domain, depth: int) -> Sign | None:
    """Decide an interval around 0 on both sides of 0, where a symbol's own assumptions must not exclude either."""
    halves = (
        Range(span.low, sp.Integer(0), span.low_open, False),
        Range(sp.Integer(0), span.high, False, span.high_open),
    )
    found = [sign(expr, Domain({**domain.ranges, symbol: half}, domain.where), depth - 1) for half in halves]
    left, right = found
    if left is None or right is None or left.direction != right.direction:
        return None
    how = left.how if left.how == right.how else f"left of 0: {left.how}; right of 0: {right.how}"
    return Sign(left.direction, left.strict and right.strict, how)


def _smooth(expr: sp.Expr, domain: Domain) -> bool:
    """Whether denominators, logarithms and roots are proved to be defined on the domain (so the function is smooth)."""
    for node in expr.atoms(sp.Pow, sp.log):
        if isinstance(node, sp.log):
            argument = sign(node.args[0], domain, 1)
            if argument is None or not (argument.strict and argument.direction > 0):
                return False
        elif not node.exp.is_integer or node.exp.is_negative is not False:
            base = sign(node.base, domain, 1) if not node.base.is_positive else Sign(1, True, "")
            positive_needed = not node.exp.is_integer
            if base is None or not base.strict or (positive_needed and base.direction < 0):
                return False
    return True
