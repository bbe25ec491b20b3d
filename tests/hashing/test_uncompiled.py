"""Compiled kernels give what the same code gives interpreted, kernels within kernels included."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

_SCENARIO = Path(__file__).with_name("scenario.py")


def test_interpreted_process_gives_the_same_numbers():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    other = subprocess.run(
        [sys.executable, str(_SCENARIO)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout) == runpy.run_path(str(_SCENARIO))["run"]()
