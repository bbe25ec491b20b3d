"""The expected squared error of a sampled linear network for all inputs at once, by one pass from its end to its start.

Behind any point of the network, what enters there is mapped to a_L by a matrix A, to the mean of â_L by A + D, and to
the variance of â_L by a form V. Draws of different layers are independent, so with H a layer's weights
and scales of mean m and covariance Σ

    product:   A ← H A,    D ← H D,                      V ← H V Hᵀ
    scales:                D ← m ∘ D + (m − 1) ∘ A,      V ← V ∘ m mᵀ + (V + B Bᵀ) ∘ Σ,    B = A + D before it

and E‖â_L − a_L‖² is the form V + D Dᵀ: variance plus squared bias, small terms that are added, never large
ones that are subtracted. Biases are one more row, for an input that is always 1.

For most laws Σ is a diagonal plus one constant κ on all entries. The constant's part of V is then a multiple γ of B Bᵀ:
V = S + γ B Bᵀ with γ ← γ + κ(1 + γ), and of B Bᵀ itself only the diagonal is ever needed, which A and D give.
So a layer costs one congruence (1.56 products) and one product, against eight products for the forms of
E‖â‖², E⟨â, a⟩, ‖a‖² and of the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods.contract import Method
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.network import Network
from approxmm.parallel import ordered_map
from approxmm.propagation.congruence import PieceMap, Workspace, congruence
from approxmm.propagation.plan import make_plan, require_linear
from approxmm.propagation.scaled import Scaled

__all__ = ["ErrorForm", "error_form"]


@dataclass(frozen=True, eq=False)
class ErrorForm:
    """The expected squared error at the output of a sampled linear network, as a quadratic form of the input.

    Attributes
    ----------
    error : (n + 1, n + 1) float64 array
        In homogeneous coordinates [a, 1]: E‖â_L − a_L‖² = 2**error_exponent · [a, 1] error [a, 1]ᵀ.
    exact : (n + 1, n + 1) float64 array
        ‖a_L‖² likewise, with `exact_exponent`.
    error_exponent, exact_exponent : int
        0 wherever float64 holds the form.
    """

    error: np.ndarray
    exact: np.ndarray
    error_exponent: int = 0
    exact_exponent: int = 0

    def squared_errors(self, inputs: np.ndarray) -> np.ndarray:
        """Return E‖â_L − a_L‖² for each row of `inputs` (B, n), float64 (B,); infinite where it overflows."""
        with np.errstate(over="ignore", under="ignore"):
            errors: np.ndarray = np.ldexp(_quadratic(self.error, inputs), _clipped(self.error_exponent))
        return errors

    def relative_errors(self, inputs: np.ndarray) -> np.ndarray:
        """Return each input's E‖â_L − a_L‖² / ‖a_L‖², float64 (B,); infinite or NaN where a_L = 0."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            ratio = _quadratic(self.error, inputs) / _quadratic(self.exact, inputs)
            relative: np.ndarray = np.ldexp(ratio, _clipped(self.error_exponent - self.exact_exponent))
        return relative

    def log10_relative_errors(self, inputs: np.ndarray) -> np.ndarray:
        """Return the decimal logarithms of `relative_errors`, finite where the errors overflow, −inf for no error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = _quadratic(self.error, inputs) / _quadratic(self.exact, inputs)
            logs: np.ndarray = np.log10(ratio) + (self.error_exponent - self.exact_exponent) * np.log10(2.0)
        return logs


def error_form(
    network: Network,
    method: Method | Sequence[Method | None],
    *,
    sample_output: bool = False,
    workers: int | None = None,
) -> ErrorForm:
    """Return the output error for all inputs at once, by one pass from the last layer to the first.

    Parameters
    ----------
    network : Network
        With linear activations; any widths, with or without biases.
    method : Method or sequence of Method
        One for all layers, or one (or None: exact) for each; every law must be blind to the data.
    sample_output : bool
        Whether one method for all includes the last layer's product.
    workers : int, optional
        Threads; the result does not depend on it.

    Raises
    ------
    NotAvailableError
        If an activation is not linear, or a law reads the data.
    """
    require_linear(network)
    network = network.astype(np.float64)
    plan = make_plan(network, method, sample_output=sample_output)
    biased = any(network.bias(k).any() for k in range(1, network.depth + 1))
    behind = _Behind.nothing(network.widths[-1], homogeneous=biased)
    with ordered_map(workers) as run:
        workspace = Workspace()
        for k in range(network.depth, 0, -1):
            W, law = network.weights[k - 1], plan[k - 1]
            if law is not None and law.claims.side == "output":
                behind = behind.scaled_by(_blind_law(law, W, W.shape[1], k))
            behind = behind.through(W, network.bias(k) if biased else None, run, workspace)
            if law is not None and law.claims.side == "inner":
                behind = behind.scaled_by(_blind_law(law, W, W.shape[0], k))
    return behind.form()


@dataclass(frozen=True, eq=False)
class _Behind:
    """The network behind a point that n numbers pass (n + 1 in homogeneous coordinates).

    Attributes
    ----------
    size : int
        n.
    exact : Scaled (n [+ 1], n_L)
        A.
    bias : Scaled (n [+ 1], n_L) or None
        D; None where no law has been biased so far.
    spread : Scaled (n [+ 1], n [+ 1])
        S. Arrays belong to this object alone, and the next step writes into them.
    common : float
        γ; in homogeneous coordinates B stands without its last row.
    """

    size: int
    exact: Scaled
    bias: Scaled | None
    spread: Scaled
    common: float

    @classmethod
    def nothing(cls, size: int, *, homogeneous: bool) -> _Behind:
        """Return what is behind the output: the identity, without error."""
        full = size + homogeneous
        return cls(size, Scaled(np.eye(full, size)), None, Scaled(np.zeros((full, full))).balanced(), 0.0)

    @property
    def mean(self) -> Scaled:
        """B = A + D."""
        return self.exact if self.bias is None else self.exact + self.bias

    def through(self, W: np.ndarray, b: np.ndarray | None, run: PieceMap, workspace: Workspace) -> _Behind:
        """Return what is behind the product with these weights; this object's arrays go to the workspace."""
        H = Scaled(W if b is None else _homogeneous(W, b)).balanced()
        factors = [self.exact] if self.bias is None else [self.exact, self.bias]
        spread = None if self.spread.is_zero else self.spread.values
        pulled, products = congruence(H.values, spread, [F.values for F in factors], run, workspace)
        maps = [Scaled(M, F.exponent + H.exponent).balanced() for M, F in zip(products, factors, strict=True)]
        pulled = np.zeros((len(H.values),) * 2) if pulled is None else pulled
        form = Scaled(pulled, self.spread.exponent + 2 * H.exponent).balanced()
        moved = _Behind(len(W), maps[0], maps[1] if self.bias is not None else None, form, self.common)
        if b is not None and self.common != 0:
            moved = moved._with_border(Scaled(b @ self.mean.values[:-1], self.mean.exponent))
        for old in (self.spread, *factors):
            workspace.give(old.values)
        return moved

    def _with_border(self, u: Scaled) -> _Behind:
        """Add to S what γ B Bᵀ has got beside its block: products with `u`, the layer's own bias as seen in E â_L."""
        mean, zeros = self.mean, np.zeros(self.size)
        side = Scaled(np.append(self.common * (mean.values[:-1] @ u.values), 0.0), mean.exponent + u.exponent)
        corner = Scaled(np.append(zeros, self.common * (u.values @ u.values)), 2 * u.exponent)
        border = side.balanced() + corner.balanced()
        exponent = max(self.spread.exponent, border.exponent)
        S, column = self.spread.at(exponent), border.at(exponent)
        S[:, -1] += column
        S[-1, :-1] += column[:-1]
        return replace(self, spread=Scaled(S, exponent).balanced())

    def scaled_by(self, law: ScaleMoments) -> _Behind:
        """Return what is behind a multiplication by random scales and all that follows."""
        m, unbiased = law.mean, bool((law.mean == 1).all())
        # A positive constant would let γ grow without bound.
        pooled = law.common == 0 or (-1 <= law.common < 0 and unbiased and bool((law.support == 1).all()))
        spread, common = (self._pooled if law.dense is None and pooled else self._full)(law, self.mean)
        bias = self.bias
        if not unbiased:
            bias = _rows_times(m - 1.0, self.exact)
            bias = bias if self.bias is None else _rows_times(m, self.bias, constant=1.0) + bias
        return _Behind(self.size, self.exact, bias, spread.balanced(), common)

    def _pooled(self, law: ScaleMoments, mean: Scaled) -> tuple[Scaled, float]:
        """Return S and γ where the covariance is a diagonal plus, if all means are 1, one constant on all entries."""
        n, common, rows = self.size, float(law.common), mean.values[: self.size]
        norms = Scaled((1.0 + self.common) * np.einsum("ij,ij->i", rows, rows), 2 * mean.exponent)
        second = Scaled(np.diagonal(self.spread.values)[:n], self.spread.exponent) + norms
        added = Scaled(law.diagonal * second.values, second.exponent).balanced()
        exponent = max(self.spread.exponent, added.exponent)
        S = self.spread.at(exponent)
        if common != 0:
            S[:n, :n] *= 1.0 + common
        else:
            _scale_both_sides(S, law.mean)
        index = np.arange(n)
        S[index, index] += added.at(exponent)
        return Scaled(S, exponent), self.common + common * (1.0 + self.common)

    def _full(self, law: ScaleMoments, mean: Scaled) -> tuple[Scaled, float]:
        """Return S and γ for any covariance: all of V becomes S."""
        n, rows = self.size, mean.values[: self.size]
        exponent = max(self.spread.exponent, 2 * mean.exponent)
        V, pooled = self.spread.at(exponent), Scaled(rows @ rows.T, 2 * mean.exponent).at(exponent)
        V[:n, :n] += self.common * pooled
        pooled += V[:n, :n]
        _scale_both_sides(V, law.mean)
        V[:n, :n] += law.covariance_hadamard(pooled)
        return Scaled(V, exponent), 0.0

    def form(self) -> ErrorForm:
        """Return the forms of the error and of the exact result, always in homogeneous coordinates."""
        rows = self.mean.values[: self.size]
        error = self.spread
        if self.common != 0:
            added = np.zeros_like(error.values)
            added[: self.size, : self.size] = self.common * (rows @ rows.T)
            error = error + Scaled(added, 2 * self.mean.exponent)
        if self.bias is not None:
            error = error + _square(self.bias)
        exact, missing = _square(self.exact), self.size + 1 - len(self.exact.values)
        (R, e), (P, p) = error.balanced().plain(), exact.balanced().plain()
        return ErrorForm(np.pad(R, (0, missing)), np.pad(P, (0, missing)), e, p)


def _square(factor: Scaled) -> Scaled:
    return Scaled(factor.values @ factor.values.T, 2 * factor.exponent)


def _rows_times(scales: np.ndarray, factor: Scaled, constant: float = 0.0) -> Scaled:
    """Return the rows times `scales`, the row of the constant (if there is one) times `constant`."""
    scales = np.append(scales, np.full(len(factor.values) - scales.size, constant))
    return Scaled(scales[:, None] * factor.values, factor.exponent).balanced()


def _scale_both_sides(form: np.ndarray, mean: np.ndarray) -> None:
    """Multiply rows and columns by `mean`, in place; the constant coordinate keeps its scale of 1."""
    if (mean != 1).any():
        form[: mean.size] *= mean[:, None]
        form[:, : mean.size] *= mean


def _homogeneous(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    n, m = weights.shape
    H = np.zeros((n + 1, m + 1))
    H[:n, :m], H[n, :m], H[n, m] = weights, bias, 1.0
    return H


def _quadratic(form: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    inputs = np.atleast_2d(inputs)
    a = np.column_stack([inputs.astype(np.float64), np.ones(len(inputs))])
    if a.shape[1] != form.shape[0]:
        raise InputError(f"inputs have {a.shape[1] - 1} features but the form takes {form.shape[0] - 1}")
    # The form of a square: what rounding leaves below 0 is 0.
    values: np.ndarray = np.maximum(np.einsum("bi,bi->b", a @ form, a), 0.0)
    return values


def _clipped(exponent: int) -> int:
    """Return the exponent within what ldexp takes; beyond, every float64 is 0 or infinite anyway."""
    return max(-4096, min(4096, exponent))


def _blind_law(method: Method, weights: np.ndarray, size: int, layer: int) -> ScaleMoments:
    """Return the law of a method that does not read the data."""
    if method.claims.reads != "nothing":
        raise NotAvailableError(
            f"method={method.name!r} at layer {layer}: its law depends on the activations, so no form in the input "
            "exists; use the simulation, or probabilities that are blind to the data (uniform or weights)"
        )
    return method.scale_moments(np.ones(size), weights)
