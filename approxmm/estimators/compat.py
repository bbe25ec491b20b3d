"""What differs between the supported versions of scikit-learn."""

from __future__ import annotations

from typing import Any

__all__ = ["validate_data"]

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before 1.6 it was a method of every estimator

    def validate_data(_estimator: Any, **checks: Any) -> Any:
        """Check inputs and targets, and set or compare the estimator's number and names of features."""
        return _estimator._validate_data(**checks)
