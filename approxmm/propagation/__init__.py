"""The error-propagation laboratory: law, exact moments, one-step errors, simulation."""

from approxmm.propagation.closure import closure
from approxmm.propagation.engines import ENGINES, Task, propagate
from approxmm.propagation.law import Compounding, compound_errors, compounding, ratio_for_depth
from approxmm.propagation.moments import ErrorForm, error_form, exact_moments
from approxmm.propagation.onestep import one_step_errors, predict_compounding
from approxmm.propagation.simulate import simulate

__all__ = [
    "ENGINES",
    "Compounding",
    "ErrorForm",
    "Task",
    "closure",
    "compound_errors",
    "compounding",
    "error_form",
    "exact_moments",
    "one_step_errors",
    "predict_compounding",
    "propagate",
    "ratio_for_depth",
    "simulate",
]
