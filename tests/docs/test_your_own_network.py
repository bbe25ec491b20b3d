"""The page "Your own network" is run as it stands."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

PAGE = Path(__file__).parents[2] / "docs" / "your-own-network.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_runs(capsys):
    assert len(BLOCKS) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        exec(compile("\n".join(BLOCKS), str(PAGE), "exec"), {})
    assert capsys.readouterr().out.startswith("norm (normalisation): it divides by a statistic of each input, ")
