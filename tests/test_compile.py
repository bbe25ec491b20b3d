"""The compile cache outlives the classes that it was filled for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = """
from typing import NamedTuple
from approxmm.compile import compiled
from approxmm.methods import select

class PassingState(NamedTuple):
    pass

@select.register(PassingState)
@compiled
def select_nothing(state, layer, x, key, index, scale):
    return 0
"""
USE = """
import numpy as np
from approxmm.methods.draws import fill_scales
from approxmm.random import make_key
{state}
out = np.empty((2, 3))
fill_scales(state, 0, np.ones((2, 3)), 1, make_key(0), out)
print(out.sum())
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


def test_a_plugin_that_is_gone_does_not_break_the_other_methods(tmp_path: Path) -> None:
    plugin = tmp_path / "passing_plugin.py"
    plugin.write_text(PLUGIN)
    first = run(USE.format(state="from passing_plugin import PassingState; state = PassingState()"), tmp_path)
    assert first.stdout.strip() == "0.0", first.stderr
    plugin.unlink()
    exact = "from approxmm import get_method; state = get_method('exact').build([np.ones((3, 2))])"
    for _ in range(2):
        second = run(USE.format(state=exact), tmp_path)
        assert second.stdout.strip() == "6.0", second.stderr
