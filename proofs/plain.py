"""LaTeX formulas as plain text for a terminal."""

from __future__ import annotations

import re

__all__ = ["plain_formula", "plain_prose"]

_SYMBOLS = {
    "le": "≤", "ge": "≥", "ne": "≠", "to": "→", "infty": "∞", "cdot": "·", "cdots": "⋯", "dots": "…",
    "sum": "∑", "prod": "∏", "int": "∫", "pi": "π", "theta": "θ", "varepsilon": "ε", "epsilon": "ε", "lambda": "λ",
    "mu": "μ", "sigma": "σ", "Sigma": "Σ", "xi": "ξ", "delta": "δ", "kappa": "κ", "rho": "ρ", "phi": "φ", "varphi": "φ",
    "Phi": "Φ", "Pi": "Π", "tau": "τ", "psi": "ψ", "omega": "ω", "tfrac": "frac", "circ": "∘", "partial": "∂",
    "in": "∈",
    "notin": "∉", "exists": "∃", "forall": "∀", "Longrightarrow": "⟹", "Rightarrow": "⇒", "iff": "⇔", "sim": "~",
    "langle": "⟨", "rangle": "⟩", "propto": "∝", "times": "×", "neg": "¬", "wedge": "∧", "varnothing": "∅", "|": "‖",
    "quad": "  ", "qquad": "  ", ",": " ", ";": " ", "!": "", " ": " ", "{": "{", "}": "}", "min": "min",
    "max": "max",
    "log": "log", "exp": "exp", "sin": "sin", "cos": "cos", "arccos": "arccos", "arg": "arg", "lim": "lim", "left": "",
    "right": "", "lVert": "‖", "operatorname": "", "mathrm": "", "mathbb": "", "mathbf": "", "text": "", "hat": "^",
}  # fmt: skip
_FRACTION = re.compile(r"\\t?frac")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)")


def plain_formula(latex: str) -> str:
    """Return a formula with fractions as quotients and symbols in Unicode."""
    latex = latex.replace(r" \qquad (", ", for (")
    text = _fractions(latex.replace(r"\left.", "").replace(r"\right.", ""))
    text = re.sub(r"\\hat\s*\{?(\w)\}?", r"\1^", text)
    text = re.sub(r"\\hat\s*\\(\w+)", r"\\\1^", text)
    text = re.sub(r"\\(operatorname|mathrm|mathbb|mathbf|text)\{([^{}]*)\}", r"\2", text)
    text = re.sub(r"\\sqrt\{([^{}]*)\}", r"√(\1)", text)
    text = _COMMAND.sub(lambda match: _SYMBOLS.get(match[1], match[1]), text)
    text = re.sub(r"([_^])\{(\w{1,3})\}", r"\1\2", text)
    text = re.sub(r"([_^])\{([^{}]*)\}", r"\1(\2)", text)
    text = text.replace("{", "").replace("}", "")
    return re.sub(r"[ \t]+", " ", text.replace("( ", "(").replace(" )", ")")).strip()


def plain_prose(text: str) -> str:
    """Return prose in which the parts between dollar signs are formulas."""
    return "".join(part if index % 2 == 0 else plain_formula(part) for index, part in enumerate(text.split("$")))


def _fractions(latex: str) -> str:
    match = _FRACTION.search(latex)
    if match is None:
        return latex
    top, rest = _argument(latex[match.end() :])
    bottom, rest = _argument(rest)
    inner = f"{_grouped(_fractions(top))}/{_grouped(_fractions(bottom))}"
    return latex[: match.start()] + inner + _fractions(rest)


def _grouped(part: str) -> str:
    return part if re.fullmatch(r"\\?\w+|\{?\w\}?_\{?\w\}?", part.strip()) else f"({part})"


def _argument(latex: str) -> tuple[str, str]:
    """Split off the first argument: a group in braces, or one character or command."""
    latex = latex.lstrip()
    if not latex.startswith("{"):
        match = re.match(r"\\[A-Za-z]+|.", latex)
        return (match[0], latex[match.end() :]) if match else ("", "")
    depth = 0
    for position, character in enumerate(latex):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return latex[1:position], latex[position + 1 :]
    return latex[1:], ""
