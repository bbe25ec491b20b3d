"""The reduction, as a program, from orthogonal vectors to the dynamic detection of firing neurons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Protocol

import sympy as sp

from .calculus import Limit
from .correlation_trees_are_exact_and_cheap import MaxTree
from .domain import above, inside, integers
from .finite import Cited, Exhaustive
from .model import Mutation, Theorem
from .steps import Identity, Inequality

THRESHOLD = 1.0
Bits = tuple[int, ...]


class Detector(Protocol):
    """A structure over m neurons with weights that can change, which reports the neurons that fire for an input."""

    def set_weights(self, neuron: int, weights: Sequence[float]) -> None:
        """Change one neuron's weights."""

    def firing(self, point: Sequence[float]) -> list[int]:
        """Return the neurons whose inner product with the point exceeds the threshold."""


class TreeDetector:
    """Detection by a max-tree over the inner products with the current input."""

    def __init__(self, neurons: int, dimension: int) -> None:
        self.weights = [[0.0] * dimension for _ in range(neurons)]

    def set_weights(self, neuron: int, weights: Sequence[float]) -> None:
        """Change one neuron's weights."""
        self.weights[neuron] = list(weights)

    def firing(self, point: Sequence[float]) -> list[int]:
        """Return the neurons whose inner product with the point exceeds the threshold."""
        leaves = [sum(a * b for a, b in zip(row, point, strict=True)) for row in self.weights]
        padding = 2 ** (len(leaves) - 1).bit_length() - len(leaves)
        return MaxTree(leaves + [float("-inf")] * padding).above(THRESHOLD)


def solve_orthogonal_vectors(left: Sequence[Bits], right: Sequence[Bits], detector: Detector) -> tuple[int, int] | None:
    """Return indices of an orthogonal pair, found by detection alone, or None.

    Every vector v of `right` becomes a neuron with the weights (-v, b + 1/2), and every u of `left` the input (u, 1):
    the inner product is b + 1/2 - <u, v>, above the threshold b exactly if u and v are orthogonal.
    """
    for neuron, v in enumerate(right):
        detector.set_weights(neuron, [*(-float(bit) for bit in v), THRESHOLD + 0.5])
    for index, u in enumerate(left):
        fired = detector.firing([*(float(bit) for bit in u), 1.0])
        if fired:
            return index, fired[0]
    return None


def brute_force(left: Sequence[Bits], right: Sequence[Bits]) -> bool:
    """Return whether some pair is orthogonal, by trying all pairs."""
    return any(not any(a & b for a, b in zip(u, v, strict=True)) for u, v in product(left, right))


def _instances() -> Iterator[tuple[object, bool]]:
    for dimension, size in ((2, 2), (3, 1), (2, 3)):
        vectors = list(product((0, 1), repeat=dimension))
        for chosen in product(vectors, repeat=2 * size):
            left, right = chosen[:size], chosen[size:]
            found = solve_orthogonal_vectors(left, right, TreeDetector(size, dimension + 1))
            sound = found is None or brute_force([left[found[0]]], [right[found[1]]])
            yield (left, right), sound and (found is not None) == brute_force(left, right)


def _bit_products() -> Iterator[tuple[object, bool]]:
    for a, b in product((0, 1), repeat=2):
        yield (a, b), a * b in (0, 1) and (a * b == 0) == (not (a and b))


def theorem() -> Theorem:
    """Return the theorem."""
    d = sp.Symbol("d", integer=True, positive=True)
    i = sp.Symbol("i", integer=True)
    u, v = sp.IndexedBase("u", real=True), sp.IndexedBase("v", real=True)
    b, delta = sp.symbols("b delta", positive=True)
    count = sp.Symbol("N", integer=True, positive=True)
    power = sp.Symbol("M", positive=True)
    common = sp.Symbol("s", integer=True, positive=True)
    dot = sp.Sum(u[i] * v[i], (i, 1, d))
    gadget = Identity(
        name="the gadget",
        explanation="A neuron with the weights (-v, b + 1/2), shown the input (u, 1), exceeds its threshold b by "
        "1/2 - <u, v>.",
        left=sp.Sum(u[i] * (-v[i]), (i, 1, d)) + (b + sp.Rational(1, 2)) - b,
        right=sp.Rational(1, 2) - dot,
        domain={d: integers(1), b: above(0)},
    )
    silent = Inequality(
        name="pairs that share a coordinate do not fire",
        explanation="If <u, v> is an integer s of at least 1, the excess is at most -1/2; if it is 0 the excess is "
        "1/2 and the neuron fires.",
        left=sp.Rational(1, 2) - common,
        relation="<=",
        right=-sp.Rational(1, 2),
        domain={common: integers(1)},
    )
    exponents = Identity(
        name="the exponents",
        explanation="N updates and N queries at a cost of N^(1-delta) each take 2 N^(2-delta) in all. Relative to "
        "N^(2-delta/2), which the conjecture excludes, that is 2 N^(-delta/2).",
        left=sp.Sum(count ** (1 - delta), (i, 1, 2 * count)) / count ** (2 - delta / 2),
        right=2 * count ** (-delta / 2),
        domain={count: integers(1), delta: inside(0, 1)},
    )
    vanishing = Limit(
        name="the contradiction",
        explanation="With M = N^(delta/2), which grows beyond bounds, that ratio 2/M vanishes: for large N the "
        "reduction would be faster than the conjecture allows.",
        body=2 / power,
        variable=power,
        to=sp.oo,
        value=0,
    )
    return Theorem(
        title="Orthogonal vectors reduce to the dynamic detection of firing neurons",
        statement=r"Given $N$ vectors $u$ and $N$ vectors $v$ in $\{0,1\}^d$, $N$ updates and $N$ queries of a "
        r"detection structure decide whether some $\langle u, v\rangle = 0$. So, if the orthogonal vectors "
        r"conjecture holds, no structure has both updates and queries in $N^{1-\delta}$ for all $d = \omega(\log "
        "N)$.",
        assumptions=[
            "the orthogonal vectors conjecture (implied by SETH), for the lower bound only; the reduction itself "
            "needs nothing"
        ],
        sources=[
            "Williams, Theoretical Computer Science 348 (2005)",
            "Alman et al., NeurIPS 2023 (arXiv 2211.14227) for the lower bound",
        ],
        steps=[
            gadget,
            Exhaustive(
                name="products of bits",
                explanation="Every term of <u, v> is 0 or 1, and 1 exactly if both bits are: so <u, v> is a "
                "nonnegative integer, 0 exactly for orthogonal vectors.",
                claim=r"u_i v_i \in \{0, 1\},\quad u_i v_i = 0 \iff \neg(u_i \wedge v_i)",
                cases=_bit_products,
                complete=True,
            ),
            silent,
            Exhaustive(
                name="the program against brute force",
                explanation="The reduction, run with the max-tree as detector, on every instance with 2 + 2 and 3 "
                "+ 3 vectors of 2 bits and 1 + 1 of 3 bits.",
                claim=r"\mathrm{solve}(U, V) \ne \varnothing \iff \exists\, u \in U, v \in V: \langle u, v\rangle = 0",
                cases=_instances,
                complete=False,
            ),
            exponents,
            vanishing,
            Cited(
                name="hardness of orthogonal vectors",
                explanation="The strong exponential time hypothesis implies that this problem needs almost "
                "quadratic time.",
                claim=r"\text{SETH} \Rightarrow \text{OV}_{N, d} \notin \mathrm{TIME}(N^{2-\delta})\ \ \forall "
                r"\delta > 0,\ d = \omega(\log N)",
                source="Williams, Theoretical Computer Science 348 (2005), theorem 5",
            ),
        ],
        mutations=[
            Mutation("weights +v", replace(gadget, right=sp.Rational(1, 2) + dot)),
            Mutation("margin 1/2 on the wrong side", replace(silent, relation=">")),
            Mutation("no gain in the exponent", replace(exponents, right=sp.Integer(2))),
        ],
    )
