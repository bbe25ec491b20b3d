"""The error-propagation laboratory: law, exact moments, one-step errors, simulation."""

from approxmm.propagation.engines import ENGINES, Task, propagate
from approxmm.propagation.law import Compounding, compound_errors, compound_shares, compounding, ratio_for_depth
from approxmm.propagation.moments import ErrorForm, error_form, exact_moments
from approxmm.propagation.onestep import one_step_errors, predict_compounding
from approxmm.propagation.ratios import ErrorParts, ShareProfile, active_shares, error_parts
from approxmm.propagation.simulate import simulate

__all__ = [
    "ENGINES",
    "Compounding",
    "ErrorForm",
    "ErrorParts",
    "ShareProfile",
    "Task",
    "active_shares",
    "compound_errors",
    "compound_shares",
    "compounding",
    "error_form",
    "error_parts",
    "exact_moments",
    "one_step_errors",
    "predict_compounding",
    "propagate",
    "ratio_for_depth",
    "simulate",
]
