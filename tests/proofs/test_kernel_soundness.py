"""Spellings of 1 = 2, and of other falsehoods, that no kernel may accept."""

import importlib

import pytest
import sympy as sp

from approxmm import proofs

PACKAGE = proofs.__name__
domain = importlib.import_module(f"{PACKAGE}.domain")
steps = importlib.import_module(f"{PACKAGE}.steps")
calculus = importlib.import_module(f"{PACKAGE}.calculus")
induction = importlib.import_module(f"{PACKAGE}.induction")
finite = importlib.import_module(f"{PACKAGE}.finite")

x, y = sp.symbols("x y", real=True)
z = sp.Symbol("z")
p = sp.Symbol("p", positive=True)
n, m = sp.symbols("n m", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
zero = sp.Symbol("o", zero=True)
a = sp.IndexedBase("a", real=True)
tiny = sp.Rational(1, 10**40)


def identity(left, right, **options):
    return steps.Identity(name="n", explanation="e.", left=left, right=right, **options).check()


def inequality(left, relation, right, **options):
    return steps.Inequality(name="n", explanation="e.", left=left, relation=relation, right=right, **options).check()


FALSE_IDENTITIES = {
    "plain": (1, 2, {}),
    "truth values": (sp.true, sp.true, {}),
    "Python truth": (True, 1, {}),
    "relations": (sp.Eq(x, x, evaluate=False), sp.true, {}),
    "a string": ("1", 1, {}),
    "none": (None, None, {}),
    "the same expression": (x + x, 2 * x, {}),
    "nan": (sp.nan, sp.nan, {}),
    "infinity": (sp.oo, sp.oo, {}),
    "complex infinity": (sp.zoo, sp.zoo, {}),
    "infinity minus itself": (sp.Mul(0, sp.oo, evaluate=False), 1, {}),
    "floats": (sp.Float(1), 1, {}),
    "division by a zero symbol": (zero / zero, 2, {}),
    "inverse of a zero symbol": (1 / zero, 2 / zero, {}),
    "unevaluated division by zero": (sp.Mul(0, sp.Pow(0, -1, evaluate=False), evaluate=False), 1, {}),
    "square root of a square": (sp.sqrt(x**2), x, {}),
    "complex square root": (sp.sqrt(z**2), z, {}),
    "logarithm of a product": (sp.log(x * y), sp.log(x) + sp.log(y), {}),
    "logarithm of an exponential": (sp.log(sp.exp(z)), z, {}),
    "powers of powers": ((z**2) ** sp.Rational(1, 2), z, {}),
    "arc cosine of cosine": (sp.acos(sp.cos(x)), x, {"domain": {x: domain.inside(0, sp.Rational(16, 5))}}),
    "root that is a branch": (
        sp.sqrt(x**2 - sp.Rational(31, 5) * x + sp.Rational(961, 100)),
        sp.Rational(31, 10) - x,
        {"domain": {x: domain.between(0, sp.Rational(32, 10))}},
    ),
    "sine at integers": (sp.sin(sp.pi * x), 0, {}),
    "tiny constant": (x, x + tiny, {}),
    "tinier irrational constant": (x, x + sp.sqrt(2) * tiny**20, {}),
    "tiny multiple": (x, x * (1 + tiny), {}),
    "huge terms that nearly cancel": (sp.sqrt(10**80 + 1), 10**40, {}),
    "Ramanujan's near integer": (sp.exp(sp.pi * sp.sqrt(163)), 262537412640768744, {}),
    "piecewise, equal at moderate points": (sp.Piecewise((x, x < 10**9), (x + 1, True)), x, {}),
    "piecewise on a narrow strip": (sp.Piecewise((1, (x > 3) & (x < 3 + tiny)), (0, True)), 0, {}),
    "floor": (sp.floor(x / 10**12) ** 2, sp.floor(x / 10**12), {"domain": {x: domain.at_least(0)}}),
    "polynomial with roots at small integers": (sp.prod([n - k for k in range(1, 30)]), 0, {}),
    "binomial that vanishes for small n": (sp.binomial(n, 700), 0, {}),
    "contradicting conditions": (1, 2, {"domain": {x: domain.real()}, "where": (x > 1, x < 0)}),
    "empty range": (x, x + 1, {"domain": {x: domain.inside(1, 0)}}),
    "empty integer range": (n, n + 1, {"domain": {n: domain.integers(5, 4)}}),
    "symbol positive, range negative": (sp.sqrt(p**2), p + 0 * x, {"domain": {p: domain.inside(-2, -1)}}),
    "range wider than the assumption": (sp.Abs(p) + 1, p + 1 + sp.sin(x) * 0, {"domain": {p: domain.real()}}),
    "false hypothesis": (x, x + 1, {"given": {x: x - 1}}),
    "hypothesis 1 = 2": (x, 2 * x, {"given": {sp.Integer(1): 2}}),
    "non-commuting symbols": (*(lambda u, v: (u * v, v * u))(*sp.symbols("u v", commutative=False)), {}),
    "infinite symbol": (1 / sp.Symbol("w", infinite=True), sp.Symbol("w", infinite=True), {}),
    "unknown function": (sp.Function("f")(x), sp.Function("g")(x), {}),
    "sum with a term too many": (sp.Sum(a[i], (i, 1, n + 1)), sp.Sum(a[i], (i, 1, n)), {}),
    "product of sums as sum of products": (
        sp.Sum(a[i], (i, 1, n)) ** 2,
        sp.Sum(a[i] ** 2, (i, 1, n)),
        {"domain": {n: domain.integers(1)}},
    ),
    "delta outside of its range": (
        sp.Sum(a[i] * sp.KroneckerDelta(i, j), (i, 1, n)),
        a[j],
        {"domain": {n: domain.integers(1), j: domain.integers(1, n + 1)}},
    ),
    "unequal lengths": (
        sp.Sum(a[i] * sp.KroneckerDelta(i, j), (i, 1, n), (j, 1, m)),
        sp.Sum(a[i], (i, 1, n)),
        {"domain": {n: domain.integers(1), m: domain.integers(1)}},
    ),
}


@pytest.mark.parametrize("spelling", FALSE_IDENTITIES)
def test_false_identities_fail(spelling):
    left, right, options = FALSE_IDENTITIES[spelling]
    result = identity(left, right, **options)
    assert result.verdict == "failed", result.evidence


def test_removable_poles_are_not_proved():
    assert identity((x**2 - 1) / (x - 1), x + 1).verdict == "numeric"
    assert identity((x**2 - 1) / (x - 1), x + 1, domain={x: domain.above(1)}).verdict == "symbolic"


FALSE_INEQUALITIES = {
    "plain": (2, "<", 1, {}),
    "truth values": (sp.true, "<=", sp.true, {}),
    "strict at a double root": (x**4 - 2 * x**2 + 1, ">", 0, {}),
    "odd power": (x**3, ">=", 0, {}),
    "narrow dip": ((x - sp.Rational(1, 3)) ** 2 - tiny, ">=", 0, {}),
    "narrow dip along a line": ((x - y) ** 2 - sp.Rational(1, 10**8), ">=", 0, {}),
    "narrow dip of exponentials": (sp.exp(x) - x - 1 - sp.Rational(1, 10**7), ">=", 0, {}),
    "strict where equality is attained": (sp.exp(x), ">", 1 + x, {}),
    "touching at a closed end": (x, ">", 0, {"domain": {x: domain.between(0, 1)}}),
    "pole inside": (1 / x, ">", 0, {"domain": {x: domain.between(0, 1)}}),
    "empty domain": (x, ">", x + 1, {"domain": {x: domain.inside(1, 0)}}),
    "cases": (sp.Piecewise((1, x < 10**9), (-1, True)), ">", 0, {}),
    "absolute value": (sp.Abs(x) - sp.Abs(x - 10**9), "<=", 0, {"domain": {x: domain.at_least(0)}}),
    "upper bound of a half-open range": (
        p,
        "<",
        1,
        {"domain": {p: domain.Range(sp.Integer(0), sp.Integer(1), True, False)}},
    ),
    "sum of signed terms": (sp.Sum(a[i], (i, 1, n)), ">=", 0, {}),
    "nan": (sp.nan, "<=", 1, {}),
}


@pytest.mark.parametrize("spelling", FALSE_INEQUALITIES)
def test_false_inequalities_fail(spelling):
    left, relation, right, options = FALSE_INEQUALITIES[spelling]
    result = inequality(left, relation, right, **options)
    assert result.verdict == "failed", result.evidence


def test_interval_arithmetic_is_reported_as_numeric():
    result = inequality(sp.exp(-x) * sp.cos(x), "<", 2, domain={x: domain.between(0, 5)})
    assert result.verdict == "numeric"
    assert "interval arithmetic" in result.evidence


def test_true_claims_are_proved():
    assert inequality(x**4 - 2 * x**2 + 2, ">", 0).verdict == "symbolic"
    assert inequality(x**2 - x * y + y**2, ">=", 0).verdict == "symbolic"
    assert inequality((1 - x) ** 2, ">=", 0).verdict == "symbolic"
    assert inequality(sp.exp(x), ">=", 1 + x).verdict == "symbolic"
    assert inequality(sp.Sum((a[i] - a[j]) ** 2, (i, 1, n), (j, 1, n)), ">=", 0).verdict == "symbolic"
    assert identity(sp.Sum(a[i], (i, 1, n + 1)), sp.Sum(a[i], (i, 1, n)) + a[n + 1]).verdict == "symbolic"


def common(kind, **fields):
    return kind(name="n", explanation="e.", **fields).check()


def test_false_inductions_fail():
    k = sp.Symbol("k", integer=True, nonnegative=True)
    grow = {"k": k, "initial": 1, "advance": lambda value, _: 2 * value}
    assert common(induction.Induction, closed=2**k, **grow).verdict == "symbolic"
    assert common(induction.Induction, closed=2**k + tiny, **grow).verdict == "failed"
    assert common(induction.Induction, closed=sp.Integer(1), **grow).verdict == "failed"
    assert common(induction.Induction, closed=2**k, start=1, **grow).verdict == "failed"
    shrink = {"k": k, "closed": -k, "initial": 0, "advance": lambda value, _: -value, "relation": ">="}
    assert common(induction.Induction, **shrink).verdict == "failed"


def test_false_limits_fail():
    fields = {"variable": p, "to": sp.oo}
    assert common(calculus.Limit, body=1 / p, value=0, **fields).verdict == "symbolic"
    assert common(calculus.Limit, body=1 / p + tiny, value=0, **fields).verdict == "failed"
    assert common(calculus.Limit, body=1 / p + p * tiny, value=0, **fields).verdict == "failed"
    assert common(calculus.Limit, body=sp.sin(p), value=0, **fields).verdict == "failed"
    assert common(calculus.Limit, body=sp.log(p), value=20, **fields).verdict == "failed"
    assert common(calculus.Limit, body=1 + x, value=0, **fields).verdict == "failed"


def test_false_integrals_fail():
    fields = {"integrand": 2 * x, "variable": x, "low": 0, "high": 1}
    assert common(calculus.Integration, antiderivative=x**2, value=1, **fields).verdict == "symbolic"
    assert common(calculus.Integration, antiderivative=x**2, value=1 + tiny, **fields).verdict == "failed"
    assert common(calculus.Integration, antiderivative=x**3, value=1, **fields).verdict == "failed"
    jump = x**2 + tiny * sp.Heaviside(x - sp.Rational(1, 2))
    assert common(calculus.Integration, antiderivative=jump, value=1 + tiny, **fields).verdict == "failed"
    pole = {"integrand": -1 / x**2, "variable": x, "low": -1, "high": 1, "antiderivative": 1 / x, "value": 2}
    assert common(calculus.Integration, **pole).verdict == "failed"


def test_false_optima_fail():
    fields = {"variable": x, "domain": {x: domain.between(0, 1)}}
    assert common(calculus.Optimum, objective=x**2 - x, at=sp.Rational(1, 2), **fields).verdict == "symbolic"
    assert common(calculus.Optimum, objective=x**2 - x, at=sp.Rational(1, 3), **fields).verdict == "failed"
    assert common(calculus.Optimum, objective=x - x**2, at=sp.Rational(1, 2), **fields).verdict == "failed"
    assert common(calculus.Optimum, objective=(x - 2) ** 2, at=2, **fields).verdict == "failed"
    pole = {"variable": x, "domain": {x: domain.between(-sp.Rational(1, 10), 2)}}
    assert common(calculus.Optimum, objective=1 / x**2 + 2 * x, at=1, **pole).verdict == "failed"


def test_finite_checks_that_check_nothing_fail():
    exhaustive = {"claim": "c", "complete": True}
    assert common(finite.Exhaustive, cases=lambda: [], **exhaustive).verdict == "failed"
    assert common(finite.Exhaustive, cases=lambda: [("a", True), ("b", False)], **exhaustive).verdict == "failed"
    assert common(finite.Exhaustive, cases=lambda: [("a", "yes")], **exhaustive).verdict == "failed"
    assert common(finite.Exhaustive, cases=lambda: [("a", True)], claim="c", complete=False).verdict == "numeric"
    assert common(finite.Numeric, claim="c", points=lambda: [], tolerance=0.1).verdict == "failed"
    assert common(finite.Numeric, claim="c", points=lambda: [("a", float("nan"), 1)], tolerance=0.1).verdict == "failed"
    assert common(finite.Cited, claim="c", source=" ").verdict == "failed"


def test_a_step_without_explanation_fails():
    assert (
        steps.Identity(name="n", explanation="", left=(x + 1) ** 2, right=x**2 + 2 * x + 1).check().verdict == "failed"
    )
