"""The theorems that approxmm relies on, each with steps that are checked by SymPy.

One theorem a file. `prove` checks them, in parallel and cached; each step has
one of the verdicts ``symbolic`` (proved), ``numeric`` (checked at stated points or
by interval arithmetic), ``cited``, ``failed``. A finite check in exact arithmetic
counts as symbolic only if its cases are the whole claim; if they illustrate a
more general claim it counts as numeric.

A new theorem is a new file here that defines ``theorem() -> Theorem``, with at
least one `Mutation`: a false variant that its kernel must reject. Nothing else
has to be registered.
"""

from __future__ import annotations

from .catalogue import UnknownTheoremError, build, theorem_names, theorems
from .model import Mutation, Outcome, Step, StepResult, Theorem, TheoremResult
from .render import render_html, render_list, render_markdown, render_text
from .runner import prove, summary

__all__ = [
    "Mutation",
    "Outcome",
    "Step",
    "StepResult",
    "Theorem",
    "TheoremResult",
    "UnknownTheoremError",
    "build",
    "prove",
    "render_html",
    "render_list",
    "render_markdown",
    "render_text",
    "summary",
    "theorem_names",
    "theorems",
]
