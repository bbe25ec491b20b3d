"""What every sampling method provides.

A method is a probability law over a diagonal: random scales ξ on the inner side of a
product, ``(a ∘ ξ) W``, or scales μ on its output side, ``μ ∘ φ(a W + b)``. Its
file holds the law (moments, outcomes), the compiled draw, and its cost; every other part
of the package works on the law and never asks for the method's name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np

from approxmm.errors import NotAvailableError
from approxmm.methods.budget import Budget
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.methods.state_check import check_constants
from approxmm.random import Key

__all__ = ["Claims", "Cost", "ImportanceLaw", "Method", "Outcome", "Product", "Usage"]

Outcome = tuple[Fraction, tuple[Fraction, ...]]
Side = Literal["inner", "output"]
Product = Literal["forward", "input_gradient", "weight_gradient"]


@dataclass(frozen=True)
class Claims:
    """What a method states about itself; the contract tests check it.

    Attributes
    ----------
    side : {"inner", "output"}
        Which side of the product carries the scales.
    unbiased : bool
        E ξ_i = 1 wherever item i contributes to the product.
    reads : {"nothing", "input", "pre_activation"}
        What the law depends on besides weights. For ``input`` and a batch that shares one draw, the
        norms of the batch's columns take the place of |a_i|.
    exact_at_full_budget : bool
        Budget 1.0 gives the exact product.
    deterministic : bool
        The scales are a function of what the law reads (and of what was observed): no draw is made.
    products : frozenset
        Which of the three products of training the method can stand in for.
    budget : str
        What the budget counts.
    citation : str
    random_build : bool
        The law's draw is made in `Method.prepare` (random hyperplanes): independent draws need independent states.
        `select` may draw on top of it, or not.
    observes : bool
        The state follows the inputs and biases that `observe` shows it.
    lock_free : bool
        Threads may select while others bring the same state up to date, without waiting for each other: selections stay
        within bounds, and what the state holds is what some order of the changes gives, up to changes of one item that
        happen at once.
    """

    side: Side
    unbiased: bool
    reads: Literal["nothing", "input", "pre_activation"]
    exact_at_full_budget: bool
    deterministic: bool
    products: frozenset[Product]
    budget: str
    citation: str
    random_build: bool = False
    observes: bool = False
    lock_free: bool = True

    @property
    def exact(self) -> bool:
        """Whether the product is simply the exact one."""
        return self.unbiased and self.deterministic


@dataclass(frozen=True)
class Cost:
    """Multiplications of one product: the one cost axis that all methods share.

    Attributes
    ----------
    product : float
        Of the sampled product itself (expected).
    selection : float
        Of finding what to compute, per product.
    upkeep : float
        Of keeping norms or indexes true after a change of all weights.
    """

    product: float
    selection: float = 0.0
    upkeep: float = 0.0

    @property
    def total(self) -> float:
        """All multiplications."""
        return self.product + self.selection + self.upkeep


@dataclass(frozen=True)
class Usage:
    """What steps of per-example training did in one layer, added up: what their multiplications are counted from.

    Attributes
    ----------
    steps : int
        Examples.
    inputs : float
        Non-zero inputs.
    active : float
        Active nodes.
    pairs : float
        Non-zero inputs times active nodes of each step: the multiplications of the forward product.
    before : int
        Steps taken before these: what is renewed on a schedule depends on it.
    rank_one : bool
        Whether each step was one of plain gradient descent, ``W[:, active] += x ⊗ c``.
    """

    steps: int
    inputs: float
    active: float
    pairs: float
    before: int = 0
    rank_one: bool = True


@dataclass(frozen=True)
class Method(ABC):
    """Base of all sampling methods: parameters in, law out. Immutable.

    Parameters
    ----------
    budget : float, int or Budget
        Fraction or count of the sampled side.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    budget: Budget = field(default_factory=lambda: Budget(0.1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", Budget.of(self.budget))

    @property
    @abstractmethod
    def claims(self) -> Claims:
        """What the method states about itself."""

    @abstractmethod
    def build(self, weights: Sequence[np.ndarray]) -> Any:
        """Return the state that `select` reads: a NamedTuple for the products with these (n, m) weights."""

    def prepare(
        self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray] | None = None, key: Key | None = None
    ) -> Any:
        """Return the state for a network's products: what training and simulation call.

        Parameters
        ----------
        weights : sequence of (n, m) arrays
        biases : sequence of (m,) arrays, optional
            Zero by default; only laws that observe use them.
        key : Key, optional
            Of the first product's draw, if the law draws when it is built; product l of the list draws with the
            key's layer + l. By default that of stream BUILD with seed 0 and layer 1.

        Returns
        -------
        NamedTuple
            That of `build`, which is the same for laws of the weights alone.
        """
        return self.build(weights)

    def check_state(self, found: Any, own: Any) -> None:
        """Raise DataError, naming the array, unless a state that comes from a file can be gone on with.

        Compiled code reads whole numbers in a state as positions, and checks no bounds. By default all of them must be
        those of `own`: true of every state whose numbers of that kind are constants. A state in which training changes
        some must say what holds of them.

        Parameters
        ----------
        found : NamedTuple
            The state with the file's arrays, named ``state.…`` there; shapes and types are right.
        own : NamedTuple
            From `prepare`, for the same settings and layers, whatever its weights.
        """
        check_constants(found, own, "state")

    @abstractmethod
    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the multiplications of one product (batch × n)·(n × m)."""

    def work(self, usage: Usage, n: int, m: int) -> Cost:
        """Return the multiplications of per-example steps in a layer with (n, m) weights, whose active nodes changed.

        Exact for sparse inputs, selection, upkeep and renewals included; building the first state is not. A law that
        reads pre-activations needs all of them.
        """
        each, everything = self.cost(1, n, m), self.claims.reads == "pre_activation"
        return Cost(
            product=usage.inputs * m if everything else usage.pairs,
            selection=each.selection * usage.steps,
            upkeep=each.upkeep * usage.steps,
        )

    def scale_moments(self, x: np.ndarray, weights: np.ndarray) -> ScaleMoments:
        """Return the exact moments of the scales for one example, given what the law reads.

        Raises
        ------
        NotAvailableError
            If the law has no closed form.
        """
        raise NotAvailableError(
            f"method={self.name!r} has no closed-form law with these settings; use the simulation (--engine simulate)"
        )

    def reduced(self, weights: np.ndarray) -> np.ndarray:
        """Return an array that the law's moments may be given for these (n, m) weights, smaller where less is read."""
        return weights

    def marginal_moments(self, x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of each scale, two (size,) arrays: all that the error of masked outputs needs."""
        law = self.scale_moments(x, weights)
        return law.mean, law.variance

    def side_length(self, weights: np.ndarray) -> int:
        """Return the number of items on the sampled side of a product with these (n, m) weights."""
        return int(weights.shape[0] if self.claims.side == "inner" else weights.shape[1])

    def describe(self) -> dict[str, Any]:
        """Return name and parameters as plain values."""
        options = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "budget"}
        return {"name": self.name, "budget": self.budget.value, **options}


@dataclass(frozen=True)
class ImportanceLaw(Method):
    """A method whose law is a function of one number an item, its importance: enumerable in rational arithmetic."""

    @abstractmethod
    def importance(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return what the law is a function of, one number an item: (size,), float64 or exact Fractions.

        Parameters
        ----------
        x : (size,) array
            Input (inner side) or pre-activation (output side) of one example.
        weights : (n, m) array
        """

    @abstractmethod
    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Return the exact moments of the scales given `importance`, in its arithmetic."""

    @abstractmethod
    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield every (probability, scales) of the law for a tiny side, in rational arithmetic."""

    def scale_moments(self, x: np.ndarray, weights: np.ndarray) -> ScaleMoments:
        """Return the exact moments of the scales for one example, given what the law reads."""
        x, weights = np.asarray(x), np.asarray(weights)
        if x.dtype != object:
            x = x.astype(np.float64)
        return self.moments_of(self.importance(x, weights))
