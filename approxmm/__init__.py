"""approxmm: how the error of sampled matrix products compounds with depth.

The names below are imported on first use, so that ``import approxmm`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "ApproxmmError": "approxmm.errors",
    "Budget": "approxmm.methods",
    "ErrorProfile": "approxmm.profile",
    "Network": "approxmm.network",
    "available_methods": "approxmm.methods",
    "compounding": "approxmm.propagation",
    "error_form": "approxmm.propagation",
    "exact_moments": "approxmm.propagation",
    "get_method": "approxmm.methods",
    "load_data": "approxmm.data",
    "load_inputs": "approxmm.data",
    "make_optimizer": "approxmm.engine",
    "matmul": "approxmm.products",
    "one_step_errors": "approxmm.propagation",
    "predict_compounding": "approxmm.propagation",
    "product_error": "approxmm.products",
    "simulate": "approxmm.propagation",
    "train": "approxmm.engine",
}
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'approxmm' has no attribute {name!r}")
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
