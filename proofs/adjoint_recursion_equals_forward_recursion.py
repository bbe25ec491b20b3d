"""The adjoint form of the second-moment recursion: one backward pass answers every input."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from .domain import integers
from .model import Mutation, Theorem
from .steps import Identity


def theorem() -> Theorem:
    """Return the theorem."""
    n, m = sp.symbols("n m", integer=True, positive=True)
    i, j, k, u = sp.symbols("i j k u", integer=True)
    bases = {name: sp.IndexedBase(name, real=True) for name in ("a", "W", "Sigma", "M", "Q", "P")}
    a, w, cov, moment, q, p = bases.values()
    sizes = {n: integers(1), m: integers(1)}
    inner, outer = ((k, 1, n), (u, 1, n)), ((i, 1, m), (j, 1, m))

    def forward(i_: sp.Expr, j_: sp.Expr) -> sp.Expr:
        return sp.Sum(w[k, i_] * w[u, j_] * (1 + cov[k, u]) * moment[k, u], *inner)

    def backward(weight: sp.IndexedBase) -> sp.Expr:
        return sp.Sum(w[k, i] * weight[i, j] * w[u, j], *outer)

    duality = Identity(
        name="one layer, moved to the other side",
        explanation="Pair a matrix Q after the layer with the moments after it. Exchanging the sums pairs (W Q "
        "W^T) times (1 + Sigma), entry by entry, with the moments before it.",
        label=r"\langle Q_k, M_k\rangle",
        left=sp.Sum(q[i, j] * forward(i, j), *outer),
        right=sp.Sum(backward(q) * (1 + cov[k, u]) * moment[k, u], *inner),
        domain=sizes,
    )
    exact = Identity(
        name="the same without sampling",
        explanation="For the exact network the covariance is 0 and the moments are products of the input's "
        "entries: P carries the exact squared norm.",
        label=r"a_k P_k a_k^T",
        left=sp.Sum(p[i, j] * sp.Sum(a[k] * w[k, i], (k, 1, n)) * sp.Sum(a[k] * w[k, j], (k, 1, n)), *outer),
        right=sp.Sum(backward(p) * a[k] * a[u], *inner),
        domain=sizes,
    )
    one = Identity(
        name="a single layer",
        explanation="With one layer Q and P are the identity after it: the difference before it is the Gram matrix "
        "of the weights' rows times the covariance, entry by entry, as the one-step error says.",
        label=r"a\,(Q_0 - P_0)\,a^T",
        left=sp.Sum(
            a[k] * a[u] * (sp.Sum(sp.KroneckerDelta(i, j) * w[k, i] * w[u, j], *outer) * (1 + cov[k, u]))
            - a[k] * a[u] * sp.Sum(sp.KroneckerDelta(i, j) * w[k, i] * w[u, j], *outer),
            *inner,
        ),
        right=sp.Sum(a[k] * a[u] * cov[k, u] * sp.Sum(w[k, i] * w[u, i], (i, 1, m)), *inner),
        domain=sizes,
    )
    return Theorem(
        title="The adjoint recursion equals the forward recursion",
        statement=r"Let $Q_L = P_L = I$, $Q_{k-1} = (W_k Q_k W_k^T) \circ (\mathbf{1}\mathbf{1}^T + \Sigma_k)$ and "
        r"$P_{k-1} = W_k P_k W_k^T$. Then for every input $\mathbb{E}\|\hat a_L - a_L\|^2 = a\,(Q_0 - P_0)\,a^T$.",
        assumptions=["linear activations", "unbiased scales, independent between layers and of the data"],
        sources=["Derived here"],
        steps=[
            Identity(
                name="the trace is a pairing with the identity",
                explanation="After the last layer the squared norm is the pairing of the moments with Q = I.",
                label=r"\langle I, M_L\rangle",
                left=sp.Sum(sp.KroneckerDelta(i, j) * moment[i, j], *outer),
                right=sp.Sum(moment[i, i], (i, 1, m)),
                domain={m: integers(1)},
            ),
            duality,
            exact,
            Identity(
                name="chain of layers",
                explanation="So the pairing has the same value before and after each layer: going down from the "
                "last layer to the input, where the moments are products of the input's entries, the difference of "
                "the two pairings is the expected error.",
                label=r"\langle Q_0, aa^T\rangle - \langle P_0, aa^T\rangle",
                left=sp.Sum(q[k, u] * a[k] * a[u], *inner) - sp.Sum(p[k, u] * a[k] * a[u], *inner),
                right=sp.Sum((q[k, u] - p[k, u]) * a[k] * a[u], *inner),
                domain={n: integers(1)},
            ),
            one,
        ],
        mutations=[
            Mutation("transposed weights", replace(duality, right=duality.right.xreplace({w[k, i]: w[i, k]}))),
            Mutation(
                "covariance dropped on the way back", replace(duality, right=sp.Sum(backward(q) * moment[k, u], *inner))
            ),
            Mutation(
                "1 + Sigma instead of Sigma for one layer", replace(one, right=one.right + sp.Sum(a[k] ** 2, (k, 1, n)))
            ),
            Mutation("sampled scales in the exact network", replace(exact, right=2 * exact.right)),
        ],
    )
