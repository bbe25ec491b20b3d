"""Networks trained with sampled products as scikit-learn estimators."""

from approxmm.estimators.base import SampledMLP
from approxmm.estimators.classifier import SampledMLPClassifier
from approxmm.estimators.fitting import EpochRecord
from approxmm.estimators.regressor import SampledMLPRegressor

__all__ = ["EpochRecord", "SampledMLP", "SampledMLPClassifier", "SampledMLPRegressor"]
