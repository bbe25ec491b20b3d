"""The page "Training a network with sampled products" is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) == 1
    exec(compile(BLOCKS[0], str(PAGE), "exec"), {})
    assert capsys.readouterr().out.startswith("finished 0.")
    assert (tmp_path / "curves.png").exists()
