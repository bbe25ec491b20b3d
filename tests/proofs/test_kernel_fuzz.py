"""Random false claims must fail; random true ones must never fail."""

import importlib
import random

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm import proofs

domain = importlib.import_module(f"{proofs.__name__}.domain")
steps = importlib.import_module(f"{proofs.__name__}.steps")
x, y = sp.symbols("x y", real=True)
p, q = sp.symbols("p q", positive=True)
LEAVES = (x, y, p, q, sp.Integer(2), sp.Rational(3, 7), sp.Integer(-1))


def random_expression(rng, depth):
    if depth == 0:
        return rng.choice(LEAVES)
    first, second = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    kind = rng.randrange(6)
    if kind == 0:
        return first + second
    if kind == 1:
        return first * second
    if kind == 2:
        return first - 2 * second
    if kind == 3:
        return first ** rng.randint(2, 3)
    if kind == 4:
        return sp.sin(first) if rng.random() < 0.5 else sp.exp(-(second**2))
    return first / (1 + second**2)


def rewritten(rng, expr):
    """Return an equal expression of another form."""
    return rng.choice((sp.expand, sp.factor, sp.together, lambda e: sp.expand(e * (1 + p)) / (1 + p)))(expr)


def check(left, right):
    return steps.Identity(name="n", explanation="e.", left=left, right=right).check()


@pytest.mark.parametrize("seed", range(40))
def test_false_identities(seed):
    rng = random.Random(seed)
    expr = random_expression(rng, 2)
    error = rng.choice(
        (sp.Rational(1, 10 ** rng.randint(0, 60)), x * sp.Rational(1, 10**30), p - q, sp.sqrt(p) / 10**12)
    )
    assert check(expr, rewritten(rng, expr) + error).verdict == "failed"


@pytest.mark.parametrize("seed", range(15))
def test_true_identities_never_fail(seed):
    rng = random.Random(1000 + seed)
    expr = random_expression(rng, 2)
    other = rewritten(rng, expr)
    if other != expr:
        assert check(expr, other).verdict in ("symbolic", "numeric")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(-20, 20), st.integers(1, 20), st.integers(1, 30), st.integers(1, 12))
def test_quadratics_with_a_dip(numerator, denominator, exponent, scale):
    """(x - r)^2 - h is negative near r only; with + h it is positive everywhere."""
    root, height = sp.Rational(numerator, denominator), sp.Rational(scale, 10**exponent)
    square = sp.expand((x - root) ** 2)
    for gap, verdict in ((square - height, "failed"), (square + height, "symbolic")):
        step = steps.Inequality(name="n", explanation="e.", left=gap, relation=">=", right=0)
        assert step.check().verdict == verdict


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(-6, 6), min_size=3, max_size=6), st.integers(-3, 2))
def test_sturm_agrees_with_the_roots(coefficients, low):
    """On an interval, an inequality is proved exactly if the polynomial's real roots allow it."""
    poly = sp.Poly(coefficients, x)
    if poly.degree() < 1:
        return
    high = low + 2
    step = steps.Inequality(
        name="n", explanation="e.", left=poly.as_expr(), relation=">", right=0, domain={x: domain.between(low, high)}
    )
    positive = poly.eval(low) > 0 and poly.count_roots(low, high) == 0
    assert step.check().verdict == ("symbolic" if positive else "failed")


@pytest.mark.parametrize("seed", range(12))
def test_false_sums(seed):
    """Double sums against the same with one factor changed."""
    rng = random.Random(seed)
    n = sp.Symbol("n", integer=True, positive=True)
    i, j = sp.symbols("i j", integer=True)
    a, b = sp.IndexedBase("a", real=True), sp.IndexedBase("b", positive=True)
    factors = [a[i], b[j], a[i] * b[i], 1 / b[i], a[i] + b[j]]
    left = sp.Sum(rng.choice(factors) * a[j], (i, 1, n), (j, 1, n))
    options = {"name": "n", "explanation": "e.", "domain": {n: domain.integers(1)}}
    swapped = sp.Sum(left.function.xreplace({i: j, j: i}), (i, 1, n), (j, 1, n))
    if swapped != left:  # else there is nothing to prove
        assert steps.Identity(left=left * 2, right=left + swapped, **options).check().verdict == "symbolic"
    wrong = rng.choice((left * 2 + sp.Sum(b[i], (i, 1, n)), left, swapped + left / 2))
    assert steps.Identity(left=left * 2, right=wrong, **options).check().verdict == "failed"
