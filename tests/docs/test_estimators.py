"""The page "Estimators" and the README's estimator are run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(path: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_runs(capsys):
    page = blocks("docs/estimators.md")
    assert len(page) == 5
    names: dict[str, object] = {}
    exec(compile("\n".join(page), "docs/estimators.md", "exec"), names)
    exact, tenth, half = names["search"].cv_results_["mean_test_score"]
    assert exact > 0.9
    assert half > tenth
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3  # the grid's accuracies, three profiles


def test_the_readme_example_runs(capsys):
    (example,) = [block for block in blocks("README.md") if "SampledMLPClassifier" in block]
    assert len(example.splitlines()) <= 8
    exec(compile(example, "README.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0.9
