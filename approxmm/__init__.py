"""approxmm: how the error of sampled matrix products compounds with depth.

The names below are imported on first use, so that ``import approxmm`` stays light.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "ApproxmmError": "approxmm.errors",
    "Budget": "approxmm.methods",
    "Ensemble": "approxmm.propagation",
    "ErrorProfile": "approxmm.profile",
    "Network": "approxmm.network",
    "PRESETS": "approxmm.engine",
    "SampledMLPClassifier": "approxmm.estimators",
    "SampledMLPRegressor": "approxmm.estimators",
    "advise": "approxmm.propagation",
    "active_shares": "approxmm.propagation",
    "available_methods": "approxmm.methods",
    "closure": "approxmm.propagation",
    "compare": "approxmm.profile_table",
    "compounding": "approxmm.propagation",
    "error_form": "approxmm.propagation",
    "exact_moments": "approxmm.propagation",
    "get_method": "approxmm.methods",
    "get_preset": "approxmm.engine",
    "load_data": "approxmm.data",
    "load_inputs": "approxmm.data",
    "make_optimizer": "approxmm.engine",
    "matmul": "approxmm.products",
    "mean_field": "approxmm.propagation",
    "one_step_errors": "approxmm.propagation",
    "preset": "approxmm.engine",
    "predict_compounding": "approxmm.propagation",
    "product_error": "approxmm.products",
    "read_model": "approxmm.interop",
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


class _ProofsOfACheckout:
    """Finds `approxmm.proofs` where the package is imported from a checkout, in which ``proofs/`` lies beside it."""

    folder = Path(__file__).parent.parent / "proofs"

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return where `approxmm.proofs` is; None for every other module."""
        if name != "approxmm.proofs":
            return None
        return spec_from_file_location(name, cls.folder / "__init__.py", submodule_search_locations=[str(cls.folder)])


# Installed, the folder is a subpackage like any other and this stays out of the way.
if not (Path(__file__).parent / "proofs").is_dir() and (_ProofsOfACheckout.folder / "__init__.py").is_file():
    sys.meta_path.append(_ProofsOfACheckout)
