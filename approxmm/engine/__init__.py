"""The training engine: the same sampled products, inside training."""

from approxmm.engine.measure import measure
from approxmm.engine.optimizers import Adam, Sgd, make_optimizer
from approxmm.engine.result import TrainingResult
from approxmm.engine.trainer import Progress, train

__all__ = ["Adam", "Progress", "Sgd", "TrainingResult", "make_optimizer", "measure", "train"]
