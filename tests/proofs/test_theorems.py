"""Every theorem holds, the counts are what is promised, every mutated statement is rejected."""

import pytest

from approxmm import proofs

NAMES = proofs.theorem_names()


def test_no_step_fails(results):
    failed = [(r.name, s.name, s.evidence) for r in results for s in r.steps if s.verdict == "failed"]
    assert failed == []
    assert all(result.proved for result in results)


def test_counts(results):
    document = proofs.summary(results)
    steps = sum(document["steps"].values())
    assert document["theorems"] == len(NAMES) >= 20
    assert steps >= 80
    assert document["steps"]["symbolic"] >= 0.85 * steps


def test_steps_that_are_not_symbolic_are_the_known_ones(results):
    """A step that silently falls back from symbolic to numeric shows here."""
    weaker = {(r.name, s.kind) for r in results for s in r.steps if s.verdict != "symbolic"}
    assert {kind for _, kind in weaker} <= {"exhaustive", "numeric", "cited"}
    assert len(weaker) <= 12


def test_every_step_explains_itself_and_gives_evidence(results):
    for result in results:
        assert result.sources
        assert result.assumptions
        for step in result.steps:
            assert step.explanation.endswith(".")
            assert step.formula_latex
            assert step.evidence


@pytest.mark.parametrize("name", NAMES)
def test_mutated_statements_are_rejected(name):
    mutations = proofs.build(name).mutations
    assert mutations
    for mutation in mutations:
        result = mutation.step.check()
        assert result.verdict == "failed", (mutation.change, result.evidence)
        assert "the check raised" not in result.evidence, (mutation.change, result.evidence)


def test_checking_is_deterministic():
    name = "error_compounds_geometrically"
    first, second = (proofs.build(name).check(name).to_dict() for _ in range(2))
    for document in (first, second):
        for step in document["steps"]:
            del step["seconds"]
    assert first == second


def test_empty_theorems_fail():
    step = proofs.build("error_compounds_geometrically").steps[1]
    good = {"title": "t", "statement": "s", "assumptions": ["a"], "sources": [], "steps": [step]}
    assert proofs.Theorem(**good).check("x").proved
    for empty in ({"steps": []}, {"assumptions": []}, {"statement": " "}, {"title": ""}, {"steps": [step, step]}):
        assert not proofs.Theorem(**{**good, **empty}).check("x").proved
