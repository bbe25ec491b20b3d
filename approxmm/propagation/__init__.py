"""The error-propagation laboratory: law, exact moments, one-step errors, simulation."""

from approxmm.propagation.adjoint import ErrorForm, error_form
from approxmm.propagation.advice import Advice, BudgetPlan
from approxmm.propagation.budget import advise
from approxmm.propagation.engines import ENGINES, Task, propagate
from approxmm.propagation.law import Compounding, compound_errors, compounding, ratio_for_depth
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import one_step_errors, predict_compounding
from approxmm.propagation.simulate import simulate

__all__ = [
    "ENGINES",
    "Advice",
    "BudgetPlan",
    "Compounding",
    "ErrorForm",
    "Task",
    "advise",
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
