"""Kernels that call kernels: each is linked once, whatever calls it, and nothing but the outermost is machine code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from approxmm import parts
from approxmm.compile import compiled, compiled_fast, inlined

pytestmark = pytest.mark.skipif(not parts._SUPPORTED, reason="this version of Numba compiles parts in its own way")


@compiled
def leaf(x):
    if x < 0.0:
        raise ValueError("negative")
    if x > 100.0:
        raise ValueError("large", x)
    return np.sqrt(x)


@compiled
def unused_below(x):
    zero = 0
    return leaf(x) if zero > 0 else x  # a call that is gone before anything is linked


@compiled_fast
def over(values):
    total = 0.0
    for x in values:
        total += leaf(x)
    return total


@inlined
def outer_inlined(values):
    return unused_below(1.0) + over(values)


@compiled
def top(values):
    return unused_below(1.0) + over(values) + leaf(values[0])


def test_a_chain_of_kernels_is_what_it_is_in_plain_python():
    values = np.array([1.0, 4.0, 9.0])
    assert top(values) == top.py_func(values) == 8.0
    assert outer_inlined(values) == 7.0


def test_what_kernels_call_is_not_compiled_for_itself():
    @compiled
    def below(x):
        return x + 1

    @compiled
    def above(x):
        return below(x) * 2

    assert above(1) == 4
    assert above.signatures
    assert not below.signatures
    assert below(1) == 2
    assert len(below.signatures) == 1


def test_errors_come_through_from_any_depth():
    with pytest.raises(ValueError, match="negative"):
        top(np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match=r"large.*101"):
        top(np.array([101.0]))


def test_functions_that_numba_compiles_in_its_own_way_may_call_kernels():
    @numba.njit
    def plain(values):
        return top(values) + over(values)

    @numba.njit
    def plain_above(values):
        return plain(values) + top(values)

    values = np.array([1.0, 4.0])
    assert plain(values) == 8.0
    assert plain_above(values) == 13.0
    with pytest.raises(ValueError, match="negative"):
        plain_above(np.array([-1.0]))


def test_a_numba_without_what_is_needed_compiles_all_the_same(monkeypatch):
    monkeypatch.setattr(parts, "_PART", {})

    @compiled
    def below(x):
        return x + 1

    @compiled
    def above(x):
        return below(x) * 2

    assert above(1) == 4
    assert below(1) == 2


SCRIPT = """
import numpy as np
from kernels import top
try:
    top(np.array([-1.0]))
except ValueError as error:
    print(error, top(np.array([4.0, 9.0])), sum(top.stats.cache_hits.values()))
"""
KERNELS = """
from approxmm.compile import compiled

@compiled
def leaf(x):
    if x < 0.0:
        raise ValueError("negative")
    return x + 1.0

@compiled
def top(values):
    total = 0.0
    for x in values:
        total += leaf(x)
    return total
"""


def test_a_second_process_takes_the_whole_from_the_disk(tmp_path: Path):
    (tmp_path / "kernels.py").write_text(KERNELS)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for hits in (0, 1):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert run.stdout.split() == ["negative", "15.0", str(hits)], run.stderr
