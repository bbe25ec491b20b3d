"""What a theorem is made of, and what checking it returns.

A `Theorem` is a statement with its assumptions and sources and an ordered list
of named steps. Checking a step gives an `Outcome`, one of four verdicts:

``symbolic``
    proved: an exact transformation, a decision procedure, or a complete finite check.
``numeric``
    not decided symbolically; agreed at stated points or on stated intervals.
``cited``
    taken from the literature.
``failed``
    false, undecided without evidence, vacuous, or not well posed.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, get_args

__all__ = ["VERDICTS", "Mutation", "Outcome", "Step", "StepResult", "Theorem", "TheoremResult", "Verdict"]

Verdict = Literal["symbolic", "numeric", "cited", "failed"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Outcome:
    """A verdict and the evidence for it, in words."""

    verdict: Verdict
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One named claim of a proof, with a sentence that says why it is made.

    Subclasses implement `decide`, which may raise: `check` turns an exception
    into the verdict ``failed``, so that no error can pass for a proof.
    """

    name: str
    explanation: str
    kind: ClassVar[str] = "step"

    @abstractmethod
    def decide(self) -> Outcome:
        """Return the verdict; any exception counts as ``failed``."""

    @abstractmethod
    def formula(self) -> str:
        """Return the claim in LaTeX."""

    def check(self) -> StepResult:
        """Decide this step and record how long that took."""
        start = time.perf_counter()
        formula = ""
        try:
            formula = self.formula()
            outcome = self.decide() if self.name and self.explanation else Outcome("failed", "no name or explanation")
        except Exception as error:  # a check that cannot run has proved nothing
            outcome = Outcome("failed", f"the check raised {type(error).__name__}: {error}")
        return StepResult(
            name=self.name,
            kind=self.kind,
            verdict=outcome.verdict,
            explanation=self.explanation,
            formula_latex=formula,
            evidence=outcome.evidence,
            seconds=round(time.perf_counter() - start, 4),
        )


@dataclass(frozen=True)
class Mutation:
    """A deliberately false variant of a theorem's step, which the kernel must reject.

    Parameters
    ----------
    change
        What was altered: a constant, an exponent, a sign, a dropped assumption.
    step
        The false step.
    """

    change: str
    step: Step


@dataclass(frozen=True, kw_only=True)
class Theorem:
    """A statement (LaTeX allowed between dollar signs), what it assumes, and the steps that prove it."""

    title: str
    statement: str
    assumptions: Sequence[str]
    sources: Sequence[str]
    steps: Sequence[Step]
    mutations: Sequence[Mutation] = ()

    def complaint(self) -> str:
        """Return why this theorem is not well posed, or an empty string."""
        if not (self.title.strip() and self.statement.strip()):
            return "the theorem has no title or no statement"
        if not self.assumptions:
            return "the theorem states no assumptions"
        if not self.steps:
            return "the theorem has no steps"
        names = [step.name for step in self.steps]
        return "two steps have the same name" if len(set(names)) < len(names) else ""

    def check(self, name: str) -> TheoremResult:
        """Check every step in order.

        Parameters
        ----------
        name
            The name under which the result is reported.
        """
        complaint = self.complaint()
        results = [step.check() for step in self.steps]
        if complaint:
            results.append(
                StepResult("well posed", "structure", "failed", "A theorem must be well posed.", "", complaint)
            )
        return TheoremResult(
            name=name,
            title=self.title,
            statement=self.statement,
            assumptions=list(self.assumptions),
            sources=list(self.sources),
            steps=results,
        )


@dataclass(frozen=True)
class StepResult:
    """The outcome of one step, ready for JSON."""

    name: str
    kind: str
    verdict: Verdict
    explanation: str
    formula_latex: str
    evidence: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TheoremResult:
    """The outcome of one theorem, ready for JSON."""

    name: str
    title: str
    statement: str
    assumptions: list[str]
    sources: list[str]
    steps: list[StepResult]
    cached: bool = field(default=False, compare=False)

    @property
    def proved(self) -> bool:
        """Whether no step failed."""
        return bool(self.steps) and all(step.verdict != "failed" for step in self.steps)

    def counts(self) -> dict[str, int]:
        """Return the number of steps with each verdict."""
        return {verdict: sum(step.verdict == verdict for step in self.steps) for verdict in VERDICTS}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        document = asdict(self)
        del document["cached"]
        return document

    @classmethod
    def from_dict(cls, document: dict[str, Any], *, cached: bool = False) -> TheoremResult:
        """Rebuild a result from `to_dict`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the document does not have the shape that `to_dict` gives.
        """
        steps = [StepResult(**step) for step in document["steps"]]
        if any(step.verdict not in VERDICTS for step in steps):
            raise ValueError("unknown verdict in a stored result")
        return cls(**{**document, "steps": steps}, cached=cached)
