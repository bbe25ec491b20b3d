"""Max-trees and the correlation trees built on them: exact detection of the neurons that fire."""

from __future__ import annotations

from approxmm.trees.correlation import (
    build_data_trees,
    build_weight_trees,
    detect,
    firing_threshold,
    gram_change,
    products_change,
    update_data_trees,
    update_weight_trees,
)
from approxmm.trees.maxtree import (
    MaxTrees,
    allocate_trees,
    build_trees,
    leaves_above,
    rebuild_tree,
    set_leaf,
    trees_bytes,
)
from approxmm.trees.top import top_leaves

__all__ = [
    "MaxTrees",
    "allocate_trees",
    "build_data_trees",
    "build_trees",
    "build_weight_trees",
    "detect",
    "firing_threshold",
    "gram_change",
    "leaves_above",
    "products_change",
    "rebuild_tree",
    "set_leaf",
    "top_leaves",
    "trees_bytes",
    "update_data_trees",
    "update_weight_trees",
]
