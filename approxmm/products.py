"""Sampled products of any two matrices, and the exact law of their error.

The column–row methods stand in for any product A B: in training for the forward product a W, for the gradient of the
input δ Wᵀ, and for the gradient of the weights aᵀ δ. One draw serves the whole product, with the columns of A and the
rows of B as the pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm._matrices import check_inner_sides, check_matrix, gathered_product
from approxmm.errors import InputError
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Cost, Method
from approxmm.methods.draws import column_norms
from approxmm.methods.operations import select
from approxmm.methods.registry import available_methods, get_method, method_class
from approxmm.random import Key, Stream, make_key

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ProductError", "matmul", "product_error"]


def matmul(
    A: np.ndarray,
    B: np.ndarray,
    method: str | Method = "bernoulli",
    budget: float | int | str | Budget | None = None,
    *,
    seed: int | Key | np.random.Generator = 0,
    **options: Any,
) -> np.ndarray:
    """Return an estimate of A @ B from some of its column–row pairs.

    Parameters
    ----------
    A : (r, n) float32 or float64 array
    B : (n, m) float32 or float64 array
        Integers are taken as float64. Neither is changed.
    method : str or Method
        One of the inner side; see `approxmm.available_methods`.
    budget : float, int or str, optional
        Fraction (0 < b ≤ 1, a float) or number (an int) of the n pairs; 0.1 by default.
    seed : int, Key or numpy.random.Generator
        The same seed or key gives the same draw. A generator is asked for a seed, so it advances.
    **options
        The method's own, for example ``probabilities="weights"``.

    Returns
    -------
    (r, m) array
        Of the product's own dtype.

    Raises
    ------
    InputError
        If shapes do not fit, a value is not finite, or the method works on the output side.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> A, B = rng.random((30, 200)), rng.random((200, 40))
    >>> estimate = matmul(A, B, budget=0.5, seed=1)
    >>> bool(np.linalg.norm(estimate - A @ B) < 0.2 * np.linalg.norm(A @ B))
    True
    """
    law = _inner_method(method, budget, options)
    key = _key(seed)
    a, b = check_matrix(A, "A"), check_matrix(B, "B")
    check_inner_sides(a, b)
    if 0 in (*a.shape, *b.shape):
        return np.zeros((a.shape[0], b.shape[1]), dtype=np.result_type(a, b))
    n = a.shape[1]
    norms, index, scale = np.empty(n), np.empty(n, dtype=np.int64), np.empty(n)
    column_norms(a, norms)
    count = select(law.build([b]), 0, norms, key, index, scale)
    return gathered_product(a, b, index[:count], scale[:count])


@dataclass(frozen=True, eq=False)
class ProductError:
    """The exact law of the error of `matmul`.

    Attributes
    ----------
    method : Method
    bias : float
        ‖E Ĉ − C‖, Frobenius norm, with C = A B and Ĉ its estimate; 0 for unbiased methods.
    standard_deviation : float
        √E‖Ĉ − E Ĉ‖².
    exact_norm : float
        ‖C‖.
    cost, exact_cost : Cost
        Multiplications.
    """

    method: Method
    bias: float
    standard_deviation: float
    exact_norm: float
    cost: Cost
    exact_cost: Cost
    factors: tuple[np.ndarray, np.ndarray] = field(repr=False)

    @property
    def relative_error(self) -> float:
        """E‖Ĉ − C‖²/‖C‖²: as everywhere in the package, of squares (0.01 is a typical deviation of 10 %)."""
        error = self.bias**2 + self.standard_deviation**2
        if self.exact_norm == 0.0:
            return 0.0 if error == 0.0 else math.inf
        return error / self.exact_norm**2

    @property
    def relative_deviation(self) -> float:
        """√(E‖Ĉ − C‖²)/‖C‖: the root of `relative_error`."""
        return math.sqrt(self.relative_error)

    def budget_for(self, relative_error: float) -> int:
        """Return the number of pairs (or draws) with which the method's `relative_error` is at most the one given.

        The number is the smallest where the error falls with the budget, as it does for unbiased methods. It
        follows from the error of a single pair where the error is inverse to the budget (with replacement, also
        beyond n draws); otherwise by bisection on the exact law.

        Parameters
        ----------
        relative_error : float
            Of squares: 0.01 asks for a typical deviation of 10 %.

        Raises
        ------
        InputError
            If the target is not positive, or not met by any budget.
        """
        if not (relative_error > 0 and math.isfinite(relative_error)):
            raise InputError(
                f"relative_error={relative_error} must be positive and finite: 0.01 is a deviation of 10 %"
            )
        n = int(self.factors[0].shape[1])
        if self.method.claims.exact:
            return n
        inverse = self._error_at(1) / relative_error
        if math.isfinite(inverse) and self._is_smallest(max(1, math.ceil(inverse)), relative_error):
            return max(1, math.ceil(inverse))
        if self._error_at(n) > relative_error:
            raise InputError(
                f"relative_error={relative_error} is not met by method={self.method.name!r} with all {n} pairs; "
                "raise it or choose a method that is exact at full budget, such as 'bernoulli'"
            )
        low, high = 0, n
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._error_at(middle) <= relative_error else (middle, high)
        return high

    def _error_at(self, pairs: int) -> float:
        return _error(*self.factors, replace(self.method, budget=Budget(pairs)), self.exact_norm).relative_error

    def _is_smallest(self, pairs: int, relative_error: float) -> bool:
        try:
            enough = self._error_at(pairs) <= relative_error * (1 + 1e-12)
        except InputError:  # more than all pairs, and the method makes no repeated draws
            return False
        return enough and (pairs == 1 or self._error_at(pairs - 1) > relative_error)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        settings = self.method.describe()
        return {
            "method": settings.pop("name"),
            **settings,
            "bias": self.bias,
            "standard_deviation": self.standard_deviation,
            "relative_error": self.relative_error,
            "relative_deviation": self.relative_deviation,
            "multiplications": self.cost.total,
            "exact_multiplications": self.exact_cost.total,
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return the figures as a table of one row, so that methods can be compared by `pandas.concat`."""
        import pandas as pd

        return pd.DataFrame([self.to_dict()])


def product_error(
    A: np.ndarray,
    B: np.ndarray,
    method: str | Method = "bernoulli",
    budget: float | int | str | Budget | None = None,
    **options: Any,
) -> ProductError:
    """Return the exact law of the error that `matmul` makes with the same arguments.

    It computes the exact product, so it costs more than it could save: it serves to choose a method and a budget, on
    data like those to come. Parameters and errors are as for `matmul`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> error = product_error(rng.random((30, 200)), rng.random((200, 40)), "with_replacement", 50)
    >>> error.bias
    0.0
    >>> error.budget_for(error.relative_error / 4)
    200
    """
    law = _inner_method(method, budget, options)
    a, b = check_matrix(A, "A").astype(np.float64), check_matrix(B, "B").astype(np.float64)
    check_inner_sides(a, b)
    if 0 in (*a.shape, *b.shape):
        raise InputError(f"shapes {a.shape} and {b.shape} leave nothing to sample; give matrices without empty sides")
    return _error(a, b, law, float(np.linalg.norm(a @ b)))


def _error(a: np.ndarray, b: np.ndarray, law: Method, exact_norm: float) -> ProductError:
    norms = np.empty(a.shape[1])
    column_norms(a, norms)
    variance, squared_bias = law.scale_moments(norms, b).product_error(a, b)
    size = (a.shape[0], *b.shape)
    # A variance of zero may come out as a small difference of either sign.
    deviation = math.sqrt(max(0.0, variance))
    return ProductError(
        law, math.sqrt(squared_bias), deviation, exact_norm, law.cost(*size), get_method("exact").cost(*size), (a, b)
    )


def _inner_method(method: str | Method, budget: Any, options: dict[str, Any]) -> Method:
    law = get_method(method, budget, **options)
    if law.claims.side != "inner":
        inner = [name for name in available_methods() if method_class(name)().claims.side == "inner"]
        raise InputError(
            f"method={law.name!r} samples the output side (nodes after an activation), not the pairs of a product; "
            f"choose one of {', '.join(inner)}"
        )
    return law


def _key(seed: int | Key | np.random.Generator) -> Key:
    if isinstance(seed, Key):
        return make_key(*seed)
    if isinstance(seed, np.random.Generator):
        seed = int(seed.integers(2**63))
    return make_key(seed, Stream.SELECT)
