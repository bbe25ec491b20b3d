"""A run through the tree kernels; `test_maxtree.py` runs it compiled and, in a process of its own, interpreted."""

import json

import numpy as np

from approxmm.trees import build_trees, leaves_above, set_leaf, top_leaves


def run():
    """Everything the kernels computed, as nested lists."""
    trees = build_trees(np.round(np.random.default_rng(2).standard_normal((3, 53)), 1))
    for leaf in range(0, 53, 4):
        set_leaf(trees, 1, leaf, float(leaf % 7))
    out, heap = np.empty(53, np.int32), np.empty(53 * 6 + 1, np.int64)
    count, visited = leaves_above(trees, 1, 0.5, out)
    record = [trees.nodes.tolist(), int(visited), out[:count].tolist()]
    count = top_leaves(trees, 1, 20, heap, out)
    return [*record, out[:count].tolist()]


if __name__ == "__main__":
    print(json.dumps(run()))
