"""How a network is trained: everything that decides a step, but the network and the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from approxmm.engine.losses import CrossEntropy, Loss
from approxmm.engine.optimizers import Adam, Optimizer
from approxmm.engine.workspace import EXACT
from approxmm.errors import InputError
from approxmm.methods.contract import Method, Product

__all__ = ["PATHS", "PRODUCTS", "Path", "Recipe", "check_counts"]

Path = Literal["auto", "minibatch", "per_example"]
PATHS: tuple[Path, ...] = get_args(Path)
_NAMES: tuple[Product, ...] = get_args(Product)
PRODUCTS: frozenset[str] = frozenset(_NAMES)


@dataclass(frozen=True)
class Recipe:
    """The settings of every step.

    Parameters
    ----------
    method : Method
        Samples products of all layers but the last.
    optimizer : Optimizer
    loss : Loss
    batch : int
        Examples a step.
    seed : int
        Of the order of examples and of all draws.
    dtype : float dtype
        Of all arithmetic.
    threads : int
        Threads that share each step; results do not depend on it.
    sampled : set of {"forward", "input_gradient", "weight_gradient"}
        Which of a layer's three products are sampled; the others are exact.
    independent : bool
        Whether each sampled product has a draw of its own. By default all three share one, so that gradients flow
        through the sampled entries only: those of the network that was sampled.
    path : {"auto", "minibatch", "per_example"}
        How steps are computed: all examples of a batch together, or each example alone, touching its active weights
        only. ``auto`` takes what is faster.
    asynchronous : bool
        Threads take steps of their own at the same time, on shared parameters and without locks (Recht, Ré, Wright
        & Niu 2011). Results then depend on chance, unless there is one thread only.

    Notes
    -----
    With the scales ξ of each product's draw (1 where the product is exact), on the inner side

        z = (a ∘ ξF) W + b,    ∂a = (δ Wᵀ) ∘ ξI,    ∂W = (a ∘ ξW)ᵀ δ,    ∂b = Σ δ,

    and with scales μ on the output side, for δ = (what comes from the layer above) ∘ φ′(z),

        out = φ(z) ∘ μF,    ∂a = (δ ∘ μI) Wᵀ,    ∂W = ãᵀ (δ ∘ μW),    ∂b = Σ δ ∘ μW.

    ã is the layer's input as it is; where the forward pass is exact, masked by the μW of the layer below, whose masked
    outputs are not used. A law draws from what the forward pass computed. With an exact forward pass and an unbiased
    law the gradient is unbiased, since the scales in δ and those of a product's input belong to different layers.
    With `independent` the draws are independent given the method's state: a law that draws when it is built, or not
    at all, selects the same for all three products.

    Raises
    ------
    InputError
        If a number is out of range, a name unknown, or a product not among those that the method can stand in for.
    """

    method: Method
    optimizer: Optimizer = field(default_factory=Adam)
    loss: Loss = field(default_factory=CrossEntropy)
    batch: int = 20
    seed: int = 0
    dtype: np.dtype | type = np.float32
    threads: int = 1
    sampled: frozenset[str] = PRODUCTS
    independent: bool = False
    path: Path = "auto"
    asynchronous: bool = False

    def __post_init__(self) -> None:
        check_counts(batch=self.batch, threads=self.threads)
        if self.path not in PATHS:
            raise InputError(f"path={self.path!r} is unknown; choose one of {', '.join(PATHS)}")
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        object.__setattr__(self, "sampled", _checked_products(self.sampled, self.method))

    def draws(self) -> dict[str, int]:
        """Return the number of each product's draw, from 0; `EXACT` where it is not sampled."""
        sampled = [name for name in _NAMES if name in self.sampled]
        numbers = {name: number if self.independent else 0 for number, name in enumerate(sampled)}
        return {name: numbers.get(name, EXACT) for name in _NAMES}

    @property
    def draw_count(self) -> int:
        """How many draws a layer makes."""
        return len(self.sampled) if self.independent else 1


def _checked_products(sampled: Iterable[str], method: Method) -> frozenset[str]:
    """Return the products as a set that the method claims to sample."""
    products = frozenset(sampled)
    known = [name for name in _NAMES if name in method.claims.products]
    if not products or not products <= set(known):
        given = ", ".join(sorted(map(str, products))) or "none"
        raise InputError(
            f"sampled={given} must name one or more of {', '.join(known)}, the products that method "
            f"{method.name!r} can stand in for"
        )
    return products


def check_counts(**numbers: int) -> None:
    """Raise InputError unless all of these are integers of at least 1."""
    for name, value in numbers.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"{name}={value!r} must be an integer of at least 1")
