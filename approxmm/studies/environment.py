"""What a study ran on: versions and processors, without anything that names a person or a machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from approxmm.parallel import available_workers

__all__ = ["describe_environment"]

_PACKAGES = ("approxmm", "numpy", "scipy", "numba", "sympy", "scikit-learn")


def describe_environment() -> dict[str, Any]:
    """Return versions and processor count as plain values."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # run from a source tree that is not installed
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": available_workers(),
        **versions,
    }
