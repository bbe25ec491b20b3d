"""The training engine: the same sampled products, inside training."""

from approxmm.engine.measure import measure
from approxmm.engine.optimizers import Adagrad, Adam, Momentum, Sgd
from approxmm.engine.plan import Plan
from approxmm.engine.presets import PRESETS, Preset, get_preset, preset
from approxmm.engine.recipe import Recipe
from approxmm.engine.result import TrainingResult
from approxmm.engine.run import Hooks, Progress, Run
from approxmm.engine.settings import OPTIMIZERS, SCHEDULES, make_optimizer
from approxmm.engine.trainer import train

__all__ = [
    "OPTIMIZERS",
    "PRESETS",
    "SCHEDULES",
    "Adagrad",
    "Adam",
    "Hooks",
    "Momentum",
    "Plan",
    "Preset",
    "Progress",
    "Recipe",
    "Run",
    "Sgd",
    "TrainingResult",
    "get_preset",
    "make_optimizer",
    "measure",
    "preset",
    "train",
]
