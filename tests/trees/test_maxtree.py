"""Max-trees against brute force."""

import json
import math
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.trees import (
    MaxTrees,
    allocate_trees,
    build_trees,
    leaves_above,
    rebuild_tree,
    set_leaf,
    top_leaves,
    trees_bytes,
)

# A small grid makes ties, and thresholds equal to leaves, common.
_VALUES = st.sampled_from([-np.inf, -2.0, -1.0, -0.5, 0.0, -0.0, 0.5, 1.0, 3.0, np.inf])
_LEAVES = st.lists(_VALUES, min_size=1, max_size=70)


def _above(trees, tree, threshold, query=leaves_above):
    out = np.full(int(trees.starts[1]), -1, np.int32)
    count, visited = query(trees, tree, threshold, out)
    return out[:count].tolist(), visited


def _top(trees, tree, k, query=top_leaves):
    m = int(trees.starts[1])
    depth = math.ceil(math.log2(m)) if m > 1 else 0
    out = np.full(m, -1, np.int32)
    count = query(trees, tree, k, np.empty(k * depth + 1, np.int64), out)
    return out[:count].tolist()


@settings(deadline=None, max_examples=300)
@given(leaves=_LEAVES, threshold=_VALUES)
def test_threshold_query_equals_brute_force(leaves, threshold):
    trees = build_trees(np.array([[0.0] * len(leaves), leaves]))
    found, visited = _above(trees, 1, threshold)
    assert found == [j for j, leaf in enumerate(leaves) if leaf > threshold]
    m = len(leaves)
    depth = math.ceil(math.log2(m))
    assert visited <= 1 + 2 * len(found) * depth
    assert visited <= len(found) * (2 * depth + 1) + 1
    assert found or visited == 1


@settings(deadline=None, max_examples=200)
@given(leaves=_LEAVES, k=st.integers(0, 80))
def test_top_leaves_equals_stable_sort(leaves, k):
    trees = build_trees(np.array([leaves]))
    assert _top(trees, 0, k) == sorted(range(len(leaves)), key=lambda j: (-leaves[j], j))[:k]


@settings(deadline=None, max_examples=200)
@given(data=st.data(), leaves=_LEAVES)
def test_updates_equal_a_rebuild(data, leaves):
    trees = build_trees(np.array([leaves, leaves]))
    changed = list(leaves)
    for _ in range(data.draw(st.integers(1, 12))):
        leaf, value = data.draw(st.integers(0, len(leaves) - 1)), data.draw(_VALUES)
        set_leaf(trees, 0, leaf, value)
        changed[leaf] = value
    expected = build_trees(np.array([changed, leaves]))
    np.testing.assert_array_equal(trees.nodes, expected.nodes)


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 13, 64, 65, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_random_trees_and_layout(m, dtype):
    rng = np.random.default_rng(m)
    leaves = rng.standard_normal((3, m)).astype(dtype)
    before = leaves.copy()
    trees = build_trees(leaves)
    np.testing.assert_array_equal(leaves, before)
    assert trees.nodes.dtype == dtype
    assert trees.starts.size == (math.ceil(math.log2(m)) if m > 1 else 0) + 2
    assert trees.nodes.shape[1] < 2 * m + trees.starts.size - 1 or m == 1
    assert trees_bytes(3, m, np.dtype(dtype).itemsize) == trees.nodes.nbytes + trees.starts.nbytes
    for threshold in [*leaves[1, :3].tolist(), 0.0, 2.0]:
        assert _above(trees, 1, threshold)[0] == np.flatnonzero(leaves[1] > threshold).tolist()


def test_compiled_equals_uncompiled():
    leaves = np.round(np.random.default_rng(1).standard_normal((2, 37)), 1)
    trees = build_trees(leaves)
    twin = allocate_trees(2, 37)
    twin.nodes[:, :37] = leaves
    for tree in range(2):
        rebuild_tree.py_func(twin, tree)
    np.testing.assert_array_equal(twin.nodes, trees.nodes)
    assert _above(trees, 1, 0.4) == _above(trees, 1, 0.4, leaves_above.py_func)
    assert _top(trees, 1, 9) == _top(trees, 1, 9, top_leaves.py_func)
    set_leaf(trees, 0, 5, 9.0)
    set_leaf.py_func(twin, 0, 5, 9.0)
    np.testing.assert_array_equal(twin.nodes, trees.nodes)


def _not_strict(trees, tree, threshold, out):
    return leaves_above.py_func(trees, tree, np.nextafter(threshold, -np.inf), out)


def _forgets_the_odd_node(trees, tree):
    """A rebuild whose loop ends one node early where a level is odd."""
    nodes, starts = trees.nodes[tree], trees.starts
    for level in range(starts.size - 2):
        below, size = starts[level], starts[level + 1] - starts[level]
        for j in range(size // 2):
            nodes[starts[level + 1] + j] = max(nodes[below + 2 * j], nodes[below + 2 * j + 1])


def test_broken_twins_are_caught():
    leaves = np.array([[1.0, 2.0, 3.0, 2.0, 5.0]])
    trees = build_trees(leaves)
    expected = np.flatnonzero(leaves[0] > 2.0).tolist()
    assert _above(trees, 0, 2.0)[0] == expected
    assert _above(trees, 0, 2.0, _not_strict)[0] != expected
    broken = allocate_trees(1, 5)
    broken.nodes[:, :5] = leaves
    _forgets_the_odd_node(broken, 0)
    assert _above(broken, 0, 2.0)[0] != expected


def test_bad_input_is_named():
    with pytest.raises(InputError, match="leaves contains nan: must be"):
        build_trees(np.array([[1.0, np.nan]]))
    with pytest.raises(InputError, match="leaves = 0: a tree must have at least 1"):
        build_trees(np.empty((2, 0)))
    with pytest.raises(InputError, match="leaves has 1 dimensions: must have 2"):
        build_trees(np.ones(3))
    with pytest.raises(InputError, match="dtype complex128: must be float32 or float64"):
        build_trees(np.ones((1, 3), complex))
    with pytest.raises(InputError, match="trees = -1: must be at least 0"):
        allocate_trees(-1, 3)
    assert build_trees(np.arange(3).reshape(1, 3)).nodes.dtype == np.float64
    assert isinstance(build_trees(np.empty((0, 3))), MaxTrees)


def test_room_imports_no_other_room():
    room = Path(__file__).parents[2] / "approxmm" / "trees"
    lines = [line for path in room.glob("*.py") for line in path.read_text().splitlines() if "import" in line]
    ours = [line for line in lines if line.startswith("from approxmm.")]
    assert ours
    assert all(line.split()[1].startswith(("approxmm.trees", "approxmm.errors", "approxmm.compile")) for line in ours)


def test_interpreted_process_gives_the_same_numbers():
    scenario = Path(__file__).with_name("scenario.py")
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    other = subprocess.run(
        [sys.executable, str(scenario)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout) == runpy.run_path(str(scenario))["run"]()
