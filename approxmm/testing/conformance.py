"""All checks of the contract on one method, the package's own or somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from approxmm.errors import NotAvailableError
from approxmm.methods import Budget, ImportanceLaw, Method
from approxmm.network import Network
from approxmm.propagation.simulate import simulate
from approxmm.random import Stream, generator, make_key
from approxmm.testing.checks import (
    check_draws,
    check_form,
    check_full_budget,
    check_moments,
    check_outcomes,
    check_product,
    check_refresh,
    check_same_bits,
    check_squared_error,
    check_unbiased,
    read_size,
)

__all__ = ["check_method"]

# Importances of tiny sides: zeros, ties, one item, one dominant item, and plain ones.
_TINY = ("1", "0", "3 3", "0 2", "1/3 5/7", "1 1 1", "0 0 0", "1/2 0 9", "2 2 0 1/5", "1 2 3 4 5")


def check_method(method: Method, *, trials: int = 20_000, seed: int = 1) -> list[str]:
    """Run the contract's checks on `method` and return their names.

    Parameters
    ----------
    method : Method
        With the budget and options to be checked.
    trials : int
        Draws of the statistical check, whose false-alarm rate is at most 1e-9 for any number of draws.
    seed : int
        Of weights, inputs and draws.

    Returns
    -------
    list of str
        The checks that were run: a law without rational enumeration has fewer.

    Raises
    ------
    AssertionError
        Naming the method, the check and what is wrong.

    Examples
    --------
    >>> from approxmm import get_method
    >>> "draws follow the law" in check_method(get_method("dropout", 0.5), trials=2000)
    True
    """
    checks: dict[str, Callable[[], None]] = {}
    if isinstance(method, ImportanceLaw):
        checks |= _law_checks(method, trials, seed)
    checks |= _selection_checks(method, seed)
    for name, check in checks.items():
        try:
            check()
        except AssertionError as error:
            raise AssertionError(f"method {method.name!r}: {name}: {error}") from error
    return list(checks)


def _law_checks(method: ImportanceLaw, trials: int, seed: int) -> dict[str, Callable[[], None]]:
    """Return the checks of a law that can be enumerated."""
    tiny = [row for row in _tiny_importances() if _fits(method, len(row))]
    weights, x = _example(method, 4, 3, seed)
    full = type(method)(**{**vars(method), "budget": Budget(1.0)})

    def on_each(check: Callable[[ImportanceLaw, list[Fraction]], None], law: ImportanceLaw) -> Callable[[], None]:
        def run() -> None:
            for row in tiny:
                check(law, row)

        return run

    def squared_errors() -> None:
        for row in tiny:
            terms = np.array([[Fraction(i + j, 1 + i * j) for j in range(2)] for i in range(len(row))], dtype=object)
            check_squared_error(method, row, terms)
            check_product(method, row, terms)

    return {
        "outcomes are a law": on_each(check_outcomes, method),
        "moments are those of the outcomes": on_each(check_moments, method),
        "claims hold": on_each(check_unbiased, method),
        "mean, covariance and squared error of a product": squared_errors,
        "exact at full budget": on_each(check_full_budget, full),
        "draws follow the law": lambda: check_draws(method, weights, x, trials=trials, seed=seed),
    }


def _selection_checks(method: Method, seed: int) -> dict[str, Callable[[], None]]:
    """Return the checks of the compiled selection, which hold for every method."""
    weights, x = _example(method, 12, 9, seed)

    def threads() -> None:
        network = Network.random([12, 9, 7, 3], seed=seed)
        inputs = generator(make_key(seed, Stream.INPUTS)).standard_normal((3, 12))
        runs = [simulate(network, method, inputs, trials=6, seed=seed, workers=n).relative_error for n in (1, 2, 4)]
        if not all(np.array_equal(runs[0], run) for run in runs):
            raise AssertionError("results depend on the number of threads")

    def closed_form() -> None:
        try:
            law = method.scale_moments(x, weights)
        except NotAvailableError:
            return
        if law.mean.shape != (method.side_length(weights),):
            raise AssertionError(f"the mean has shape {law.mean.shape}")
        if np.linalg.eigvalsh(law.covariance()).min() < -1e-8 * max(1.0, float(law.variance.max())):
            raise AssertionError("the covariance has a negative eigenvalue")

    def refreshed() -> None:
        inner = method.claims.side == "inner"
        shortest = np.argsort(np.linalg.norm(weights, axis=1 if inner else 0))
        changed = [int(shortest[0]), int(shortest[len(shortest) // 2])]
        new = weights[changed] if inner else weights[:, changed]
        check_refresh(method, weights, changed, -0.5 * new)

    return {
        "selections are well-formed": lambda: check_form(method, weights, x),
        "the key decides the draw": lambda: check_same_bits(method, weights, x),
        "a refreshed state is a new one": refreshed,
        "threads do not matter": threads,
        "the closed form is one": closed_form,
    }


def _tiny_importances() -> list[list[Fraction]]:
    return [[Fraction(text) for text in row.split()] for row in _TINY]


def _fits(method: Method, size: int) -> bool:
    return not isinstance(method.budget.value, int) or method.budget.value <= size


def _example(method: Method, n: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (n, m) and what the law reads of one example, Gaussian."""
    rng = generator(make_key(seed, Stream.WEIGHTS))
    weights = rng.standard_normal((n, m))
    return weights, rng.standard_normal(read_size(method, weights))
