"""The sampling methods, one file each; see `approxmm.methods.contract` for what each provides."""

from approxmm.methods.budget import Budget
from approxmm.methods.contract import Claims, Cost, ImportanceLaw, Method, Usage
from approxmm.methods.operations import (
    SparseVector,
    follow,
    follow_node,
    follow_nodes,
    follows,
    needs_products,
    observe,
    refresh,
    select,
    select_sparse,
)
from approxmm.methods.registry import available_methods, get_method, method_class
from approxmm.methods.scale_moments import ScaleMoments

__all__ = [
    "Budget",
    "Claims",
    "Cost",
    "ImportanceLaw",
    "Method",
    "ScaleMoments",
    "SparseVector",
    "Usage",
    "available_methods",
    "follow",
    "follow_node",
    "follow_nodes",
    "follows",
    "get_method",
    "method_class",
    "needs_products",
    "observe",
    "refresh",
    "select",
    "select_sparse",
]
