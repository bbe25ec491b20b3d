"""Transcripts are complete, readable, and escape what they are given."""

import importlib
from xml.etree import ElementTree

from approxmm import proofs

plain = importlib.import_module(f"{proofs.__name__}.plain")
NASTY = "<script>alert('x')</script> & \"q\" $a<b$"


def result_with(text, formula=r"a < b"):
    step = proofs.StepResult(text, "identity", "symbolic", text, formula, text)
    return proofs.TheoremResult(name="n", title=text, statement=text, assumptions=[text], sources=[text], steps=[step])


def test_html_is_self_contained_and_escaped(results):
    page = proofs.render_html(results)
    assert page.count("<math") > 200
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")
    nasty = proofs.render_html([result_with(NASTY, r"\text{<script>} < b")])
    assert "<script" not in nasty
    assert "&lt;script&gt;" in nasty


def test_every_formula_becomes_mathml(results):
    assert "<code>" not in proofs.render_html(results)


def test_html_is_well_formed(results):
    body = proofs.render_html(results).partition("<body>")[2].partition("</body>")[0]
    ElementTree.fromstring(f"<body>{body}</body>")


def test_the_negative_result_reads_from_assumptions_to_consequence(results):
    (law,) = (result for result in results if result.name == "error_compounds_geometrically")
    text = proofs.render_text(law)
    order = ["Statement.", "Assumptions:", "1. a node's value splits in two", "2. one node keeps the fraction"]
    order += ["4. induction over the layers", "5. error relative to the estimate", "10. rate", "Sources:"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    for number in ("0.2", "0.44", "0.728", "1.0736", "1.48832", "1.985984", "2.5831808"):
        assert number in text
    assert all(step.explanation[:30] in text for step in law.steps)


def test_text_has_no_latex_commands_left(results):
    for result in results:
        assert "\\" not in proofs.render_text(result), result.name


def test_markdown_has_every_formula(results):
    page = proofs.render_markdown(results)
    assert all(step.formula_latex in page for result in results for step in result.steps)
    assert "<script" not in proofs.render_markdown([result_with(NASTY.replace("$", ""))]).replace(
        "\\<", "&lt;"
    ).replace("Statement.** <script", "").replace("* <script", "")


def test_list_states_the_counts(results):
    listing = proofs.render_list(results)
    assert listing.count("\n") == len(results) + 1
    assert f"{len(results)} theorems, " in listing
    assert " symbolic, " in listing


def test_long_formulas_break_at_relations():
    render = importlib.import_module(f"{proofs.__name__}.render")
    long = "x_{a = b} + " * 20 + r"y \left(u = v\right) = z \le w \qquad (0 < x,\ y = 1)"
    lines = render.lines_of(long)
    assert [line[:3] for line in lines[1:]] == ["= z", r"\le", r"\te"]
    assert lines[0].endswith(r"\left(u = v\right)")
    assert render.lines_of(r"a = b \qquad (0 < x)") == ["a = b", r"\text{for } 0 < x"]
    assert render.lines_of("a = b") == ["a = b"]


def test_plain_formulas():
    assert plain.plain_formula(r"\frac{a}{b+1} \le \sqrt{x}") == "a/(b+1) ≤ √(x)"
    assert plain.plain_formula(r"\sum_{i=1}^{n} {a}_{i}^{2}") == "∑_(i=1)^n a_i^2"
    assert plain.plain_prose("the $\\frac12$ of $x$") == "the 1/2 of x"
