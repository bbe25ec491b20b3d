"""The formulas that a report relies on, as native MathML."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

__all__ = ["STATEMENTS", "Statement", "mathml"]


@dataclass(frozen=True)
class Statement:
    """A result that the report uses: its formulas, one sentence that explains it, and where it comes from."""

    title: str
    sentence: str
    formulas: tuple[str, ...]
    source: str


STATEMENTS = (
    Statement(
        "What is measured",
        "For a layer’s exact value y and its sampled value ŷ, the relative error is of squared norms, and the "
        "expectations run over the sampling and over the inputs.",
        (r"E = \frac{\mathbb{E}\,\lVert \hat y - y \rVert^2}{\mathbb{E}\,\lVert y \rVert^2}",),
        "Definition.",
    ),
    Statement(
        "The negative result: a perfect active set loses the signal",
        "In a linear network whose active nodes’ sum is at every node of layer i exactly cᵢ times the inactive "
        "nodes’ sum, each layer keeps the fraction cᵢ/(cᵢ + 1) of the value, which fixes the error in both "
        "normalisations; it says nothing about unbiased sampling.",
        (
            r"\frac{\lVert \hat a_k - a_k \rVert}{\lVert \hat a_k \rVert} "
            r"= \prod_{i=1}^{k} \left( 1 + \frac{1}{c_i} \right) - 1",
            r"\frac{\lVert \hat a_k - a_k \rVert}{\lVert a_k \rVert} = 1 - \prod_{i=1}^{k} \frac{c_i}{c_i + 1}",
        ),
        "Ebrahimi, Advani, Asudeh (2025), for one ratio c; the product over layers follows in the same way.",
    ),
    Statement(
        "Second moments of a linear stack, exactly",
        "When the scales of layer k have mean m and covariance Σ, independent of the activations, the mean μ and "
        "the covariance V of the sampled activation pass through the product exactly (∘ is the product by entries),"
        " and the expected squared error is variance plus squared bias.",
        (
            r"V_k = W_k^{\top} \left[ \left( V_{k-1} + \mu_{k-1}^{\top} \mu_{k-1} \right) \circ \Sigma_k "
            r"+ V_{k-1} \circ m_k^{\top} m_k \right] W_k , \quad \mu_k = \left( m_k \circ \mu_{k-1} \right) W_k + b_k",
            r"\mathbb{E}\,\lVert \hat a_k - a_k \rVert^2 = \operatorname{tr} V_k + \lVert \mu_k - a_k \rVert^2",
        ),
        "For sampling with replacement, Σ is that of Drineas, Kannan, Mahoney (2006).",
    ),
    Statement(
        "Compounding of one-step errors",
        "The relative squared error eᵢ that sampling adds to layer i’s exact input is known exactly on any network;"
        " that unbiased errors then multiply is exact only where every layer passes error and signal on with the "
        "same gain, and on a trained network it is a prediction to be held against measurement.",
        (r"E_k \approx \prod_{i=1}^{k} \left( 1 + e_i \right) - 1",),
        "The prediction drawn in the figures.",
    ),
)


def mathml(latex: str) -> Markup:
    """Return a formula of this module as a MathML block."""
    from latex2mathml.converter import convert

    return Markup(convert(latex, display="block"))  # our own constants only, never a user's text
