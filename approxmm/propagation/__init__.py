"""The error-propagation laboratory: law, exact moments, one-step errors, mean field, simulation."""

from approxmm.propagation.adjoint import ErrorForm, error_form
from approxmm.propagation.advice import Advice, BudgetPlan
from approxmm.propagation.budget import advise
from approxmm.propagation.closure import closure
from approxmm.propagation.engines import ENGINES, Task, propagate
from approxmm.propagation.ensemble import Ensemble
from approxmm.propagation.law import Compounding, compound_errors, compound_shares, compounding, ratio_for_depth
from approxmm.propagation.meanfield import mean_field
from approxmm.propagation.meanfield_budget import budget_for_depth, draws_for_depth
from approxmm.propagation.meanfield_maps import growth_factor, layer_map, plot_maps
from approxmm.propagation.memory import estimate_memory
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import one_step_errors, predict_compounding
from approxmm.propagation.ratios import ErrorParts, ShareProfile, active_shares, error_parts
from approxmm.propagation.simulate import simulate

__all__ = [
    "ENGINES",
    "Advice",
    "BudgetPlan",
    "Compounding",
    "Ensemble",
    "ErrorForm",
    "ErrorParts",
    "ShareProfile",
    "Task",
    "active_shares",
    "advise",
    "budget_for_depth",
    "closure",
    "compound_errors",
    "compound_shares",
    "compounding",
    "draws_for_depth",
    "error_form",
    "error_parts",
    "estimate_memory",
    "exact_moments",
    "growth_factor",
    "layer_map",
    "mean_field",
    "one_step_errors",
    "plot_maps",
    "predict_compounding",
    "propagate",
    "ratio_for_depth",
    "simulate",
]
