"""Correctness and cost of the max-trees that find all firing neurons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import sympy as sp

from .calculus import Limit
from .domain import integers
from .finite import Exhaustive
from .induction import Induction
from .model import Mutation, Theorem
from .steps import Identity

_HEIGHT = 3


class MaxTree:
    """A complete binary tree whose inner nodes hold the maximum of their leaves; counts the nodes it visits.

    Parameters
    ----------
    leaves
        Values; their number must be a power of two.
    """

    def __init__(self, leaves: list[float]) -> None:
        size = len(leaves)
        if size & (size - 1) or not size:
            raise ValueError(f"the number of leaves must be a power of two, not {size}; pad with minus infinity")
        self.size = size
        self.nodes = [float("-inf")] * size + list(leaves)
        self.visited = 0
        for node in range(size - 1, 0, -1):
            self.nodes[node] = max(self.nodes[2 * node], self.nodes[2 * node + 1])

    def above(self, threshold: float) -> list[int]:
        """Return the leaves above the threshold, descending only where the maximum exceeds it."""
        found, waiting, self.visited = [], [1], 0
        while waiting:
            node = waiting.pop()
            self.visited += 1
            if self.nodes[node] > threshold:
                if node >= self.size:
                    found.append(node - self.size)
                else:
                    waiting += (2 * node, 2 * node + 1)
        return sorted(found)

    def update(self, leaf: int, value: float) -> int:
        """Set a leaf, repair its path to the root, and return how many inner nodes were repaired."""
        node, repaired = leaf + self.size, 0
        self.nodes[node] = value
        while node > 1:
            node //= 2
            self.nodes[node] = max(self.nodes[2 * node], self.nodes[2 * node + 1])
            repaired += 1
        return repaired


def _queries() -> Iterator[tuple[object, bool]]:
    for fired in product((0, 1), repeat=2**_HEIGHT):
        tree = MaxTree([float(b) for b in fired])
        wanted = [leaf for leaf, b in enumerate(fired) if b]
        yield fired, tree.above(0.5) == wanted and tree.visited <= 1 + 2 * len(wanted) * _HEIGHT


def _updates() -> Iterator[tuple[object, bool]]:
    for fired in product((0, 1), repeat=2**_HEIGHT):
        for leaf in range(2**_HEIGHT):
            tree = MaxTree([float(b) for b in fired])
            repaired = tree.update(leaf, 1.0 - fired[leaf])
            changed = [float(1 - b if i == leaf else b) for i, b in enumerate(fired)]
            yield (fired, leaf), tree.nodes == MaxTree(changed).nodes and repaired == _HEIGHT


def theorem() -> Theorem:
    """Return the theorem."""
    h = sp.Symbol("h", integer=True, nonnegative=True)
    k, n, d = sp.symbols("k n d", integer=True, positive=True)
    i, j, u = sp.symbols("i j u", integer=True)
    m = sp.Symbol("m", positive=True)
    w, x, c = (sp.IndexedBase(name, real=True) for name in ("w", "x", "c"))
    built = Induction(
        name="preprocessing",
        explanation="A tree of height h+1 joins two of height h under one new node: 2^h - 1 inner nodes, one "
        "comparison each. Filling the leaves of the n trees of the data takes n m inner products of length d.",
        k=h,
        closed=2**h - 1,
        initial=0,
        advance=lambda value, _: 2 * value + 1,
    )
    visited = Induction(
        name="query",
        explanation="A node is opened only if a firing leaf lies below it, so at most k nodes are opened on each "
        "of the h levels, and each opens two: with the root at most 1 + 2 k h nodes are visited.",
        k=h,
        closed=1 + 2 * k * h,
        initial=1,
        advance=lambda value, _: value + 2 * k,
        domain={k: integers(1)},
    )
    height = Identity(
        name="height",
        explanation="With m = 2^h leaves the height is log m / log 2: queries cost O(k log m), one changed leaf "
        "repairs a path of log m nodes.",
        label="h",
        left=sp.log(2**h) / sp.log(2),
        right=h,
        domain={h: integers(0)},
    )
    dot = sp.Sum(x[i, u] * x[j, u], (u, 1, d))
    gram = Identity(
        name="leaves from the Gram matrix",
        explanation="A gradient step moves w by a combination of the data; its inner product with any x_j changes "
        "by the same combination of Gram entries, at a cost independent of the dimension.",
        label=r"\langle w + \Delta w, x_j\rangle",
        left=sp.Sum((w[u] + sp.Sum(c[i] * x[i, u], (i, 1, n))) * x[j, u], (u, 1, d)),
        right=sp.Sum(w[u] * x[j, u], (u, 1, d)) + sp.Sum(c[i] * dot, (i, 1, n)),
        domain={n: integers(1), d: integers(1), j: integers(1, n)},
    )
    return Theorem(
        title="Correlation trees find all firing neurons, exactly and in sublinear time",
        statement="A max-tree over $m$ inner products returns exactly the $k$ leaves above a threshold in at most "
        r"$1 + 2k\log_2 m$ visits; a changed leaf repairs $\log_2 m$ nodes; building takes $m - 1$ comparisons. "
        r"With $k \le m^{4/5}$ a query costs $o(m)$. The selection has no error at any depth.",
        assumptions=[
            "m is a power of two (pad with leaves that never fire)",
            r"$k \le m^{4/5}$ for the sublinear cost",
        ],
        sources=["Alman, Liang, Song, Zhang, Zhuo, NeurIPS 2023 (arXiv 2211.14227)", "the Gram update is derived here"],
        steps=[
            built,
            visited,
            Exhaustive(
                name="queries are exact",
                explanation="A tree over 8 leaves, run on all 256 firing patterns: the answer is the set of firing "
                "leaves, within the bound on visits.",
                claim=r"m = 8:\quad \mathrm{query}(F) = F,\ \text{visits} \le 1 + 2|F|\log_2 m\quad \forall F",
                cases=_queries,
                complete=False,
            ),
            height,
            Exhaustive(
                name="updates are exact",
                explanation="The same tree, every pattern and every changed leaf: the repaired tree equals a new "
                "one, after log m repairs.",
                claim=r"m = 8:\quad \mathrm{update} = \mathrm{rebuild}\quad \forall F, \text{leaf}",
                cases=_updates,
                complete=False,
            ),
            gram,
            Limit(
                name="sublinear queries",
                explanation="With m^(4/5) firing neurons a query's cost, divided by m, vanishes.",
                body=m ** sp.Rational(4, 5) * sp.log(m) / m,
                variable=m,
                to=sp.oo,
                value=0,
            ),
        ],
        mutations=[
            Mutation("2^h nodes", replace(built, closed=2**h)),
            Mutation("one child per level", replace(visited, closed=1 + k * h)),
            Mutation("natural logarithm", replace(height, left=sp.log(2**h))),
            Mutation(
                "coefficients not applied",
                replace(gram, right=sp.Sum(w[u] * x[j, u], (u, 1, d)) + sp.Sum(dot, (i, 1, n))),
            ),
        ],
    )
