"""Transcripts of proofs: plain text, Markdown with LaTeX, HTML with native MathML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import latex2mathml.converter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .model import TheoremResult
from .plain import plain_formula, plain_prose
from .runner import summary

__all__ = ["lines_of", "render_html", "render_list", "render_markdown", "render_text"]

_WIDTH = 110
_LONG_FORMULA = 130  # characters of LaTeX; about what fits on a line
_RELATIONS = ("= ", r"\le ", r"\ge ", "< ", "> ", r"\Longrightarrow ")
_MATHML = frozenset(
    (
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "mfrac",
        "msqrt",
        "mroot",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mstyle",
        "mpadded",
        "mtable",
        "mtr",
        "mtd",
        "menclose",
        "mphantom",
    )
)
_TEMPLATE = "transcript.html.jinja"


def render_list(results: Iterable[TheoremResult]) -> str:
    """Return one line for each theorem with its counts, and a line with the totals, as plain text."""
    listed = list(results)
    width = max((len(result.name) for result in listed), default=0)
    lines = [f"{result.name:<{width}}  {_counts(result.counts())}" for result in listed]
    document = summary(listed)
    return "\n".join([*lines, "", f"{_number(document['theorems'], 'theorem')}, {_counts(document['steps'])}"])


def render_text(result: TheoremResult) -> str:
    """Return one theorem with every step's explanation, formula and evidence, as plain text for a terminal."""
    lines = [result.title, "=" * len(result.title), ""]
    lines += [*_paragraph("Statement. " + plain_prose(result.statement)), "", "Assumptions:"]
    lines += [line for item in result.assumptions for line in _paragraph(plain_prose(item), "  * ", "    ")]
    for number, step in enumerate(result.steps, 1):
        lines += ["", f"Step {number}. {step.name} ({step.kind}): {step.verdict}"]
        lines += _paragraph(step.explanation, "  ", "  ")
        lines += _paragraph(plain_formula(step.formula_latex), "      ", "      ")
        lines += _paragraph(step.evidence, "  Evidence: ", "    ")
    lines += ["", "Sources: " + "; ".join(result.sources), "", _counts(result.counts())]
    return "\n".join(lines)


def render_markdown(results: Iterable[TheoremResult]) -> str:
    """Return the theorems in Markdown, with formulas in LaTeX between dollar signs."""
    listed = list(results)
    document = summary(listed)
    lines = ["# Theorems", "", f"{_number(document['theorems'], 'theorem')}, {_counts(document['steps'])}.", ""]
    for result in listed:
        lines += [f"## {_marked(result.title)}", "", f"**Statement.** {result.statement}", "", "Assumptions:", ""]
        lines += [f"* {item}" for item in result.assumptions] + [""]
        for number, step in enumerate(result.steps, 1):
            lines += [f"### {number}. {_marked(step.name)}", "", _marked(step.explanation), ""]
            if step.formula_latex:
                lines += ["$$", step.formula_latex, "$$", ""]
            lines += [f"*{step.kind}*, **{step.verdict}**: {_marked(step.evidence)}", ""]
        lines += ["Sources: " + _marked("; ".join(result.sources)), ""]
    return "\n".join(lines)


def render_html(results: Iterable[TheoremResult]) -> str:
    """Return a self-contained page with the theorems; formulas are MathML, everything else is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["prose"] = _prose
    environment.filters["formula"] = _formulas
    listed = list(results)
    return environment.get_template(_TEMPLATE).render(
        results=listed, summary=summary(listed), total=_number(len(listed), "theorem")
    )


def _counts(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{_number(sum(counts.values()), 'step')}: {shown}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _paragraph(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False) or [first]


def _marked(text: str) -> str:
    """Escape what Markdown would take for markup in plain prose."""
    for character in "\\`*_<>[]|$":
        text = text.replace(character, "\\" + character)
    return text


def _formula(latex: str, display: str = "block") -> Markup:
    """Return MathML, or the escaped source if the converter fails or lets anything but MathML through."""
    try:
        mathml = latex2mathml.converter.convert(latex, display=display)
        tags = {element.tag.partition("}")[2] for element in ElementTree.fromstring(mathml).iter()}
    except Exception:  # a formula that cannot be converted must not cost the page
        tags = {"none"}
    return Markup(mathml) if tags <= _MATHML else Markup(f"<code>{escape(latex)}</code>")


def lines_of(latex: str) -> list[str]:
    """Split a formula into lines: its conditions apart, and a long one before each relation outside of all brackets."""
    body, mark, conditions = latex.partition(r" \qquad (")
    parts = body.split(r",\quad ") if len(body) > _LONG_FORMULA else [body]
    lines = [line for part in parts for line in _at_relations(part)]
    return [*lines, r"\text{for } " + conditions.removesuffix(")")] if mark else lines


def _at_relations(part: str) -> list[str]:
    if len(part) <= _LONG_FORMULA:
        return [part]
    lines, start, depth = [], 0, 0
    for position, character in enumerate(part):
        depth += (character in "{([") - (character in "})]")
        if depth == 0 and character == " " and position > start and part[position + 1 :].startswith(_RELATIONS):
            lines.append(part[start:position])
            start = position + 1
    return [*lines, part[start:]]


def _formulas(latex: str) -> Markup:
    return Markup("").join(_formula(line) for line in lines_of(latex))


def _prose(text: str) -> Markup:
    parts = text.split("$")
    return Markup("").join(Markup(escape(p)) if i % 2 == 0 else _formula(p, "inline") for i, p in enumerate(parts))
