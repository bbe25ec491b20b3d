"""The one table of methods that the contract suite runs over.

Every name in the registry is in it by itself, with the options listed here or, if none are, with its
defaults: a new method needs a registry line and nothing in this file.
"""

from __future__ import annotations

from fractions import Fraction

from approxmm.methods import ImportanceLaw, Method, available_methods, get_method

_PROBABILITIES = [{"probabilities": name} for name in ("optimal", "weights", "uniform")]
OPTIONS = {
    "with_replacement": _PROBABILITIES,
    "without_replacement": _PROBABILITIES,
    "bernoulli": [*_PROBABILITIES, {"uniform_mixture": 0.25}],
    "top_k": _PROBABILITIES,
    "winner_take_all": _PROBABILITIES,
    "dropout": [{"scaled": True}, {"scaled": False}],
    "adaptive_dropout": [
        {"variant": "sigmoid", "scaled": False},
        {"variant": "sigmoid", "alpha": 0.75, "scaled": True},
        {"variant": "sigmoid", "alpha": -0.5, "beta": 0.25, "scaled": True},
        {"variant": "published", "scaled": False},
        {"variant": "published", "scaled": True},
    ],
    "oracle_active": [{"by": "value"}, {"by": "magnitude"}],
    "alsh": [
        {"bits": 2, "tables": 3, "rebuild": "incremental"},
        {"bits": 2, "tables": 3, "rebuild": "every", "ranking": "frequency", "fill": False},
        {"bits": 2, "tables": 3, "rebuild": "incremental", "cap": False, "probes": 2, "transform": "sign_alsh"},
        {"bits": 62, "tables": 2, "rebuild": "incremental", "cap": False, "fill": False, "transform": "simple_lsh"},
        {"density": 0.4, "transform": "none"},
    ],
    "alsh_unbiased": [{"bits": 2, "tables": 3}, {"bits": 1, "tables": 1, "transform": "none"}],
    "subspace_screen": [{"rank": 2, "buffer": 8}],
    "correlation_tree": [{}, {"threshold": 0.0}],
}
# Fractions that are exact in binary, a count, and the whole.
BUDGETS = (0.25, 0.5, 2, 0.75, 1.0)


def cases(budgets=(0.5,)) -> list[Method]:
    """Return every registered method with each of its options and each of `budgets`."""
    every = (
        get_method(name, budget, **options)
        for name in available_methods()
        for options in OPTIONS.get(name, [{}])
        for budget in budgets
    )
    return list(dict.fromkeys(every))  # a method that ignores its budget is there once


def importance_laws(methods: list[Method]) -> list[Method]:
    """Return those whose law can be enumerated."""
    return [method for method in methods if isinstance(method, ImportanceLaw)]


def scale_free(method: Method) -> bool:
    """Return whether multiplying the input changes nothing: a law of absolute values, like a threshold, is another."""
    return method.name not in ("adaptive_dropout", "correlation_tree")


def lags(method: Method) -> bool:
    """Return whether the state may be behind the weights: tables that are rebuilt on a schedule."""
    return getattr(method, "rebuild", "") in ("published", "geometric")


def keeps_scale(method: Method) -> bool:
    """Return whether the state follows the longest item now and then only: hash tables that are kept up to date."""
    return method.name == "alsh_unbiased" or getattr(method, "rebuild", "") == "incremental"


def label(method: Method) -> str:
    """Return a test id."""
    return "-".join(str(setting) for setting in method.describe().values())


def fits(method: Method, size: int) -> bool:
    """Return whether the budget, as a count, fits a side of `size` items."""
    return not (isinstance(method.budget.value, int) and method.budget.value > size)


# Importances of tiny sides: zeros, ties, one item, one dominant item, and plain ones.
IMPORTANCES = [
    tuple(Fraction(text) for text in row.split())
    for row in (
        "1",
        "0",
        "3 3",
        "0 2",
        "1/3 5/7",
        "1 1 1",
        "0 0 0",
        "1/2 0 9",
        "100 1 1/7",
        "2 2 0 1/5",
        "1/9 7/5 7/5 3",
        "1 2 3 4 5",
        "0 1/2 0 1/2 8",
        "1000 1/1000 1 0 1",
        "2 0 1 7/2 1 5",
    )
]
