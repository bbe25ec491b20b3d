"""approxmm: how the error of sampled matrix products compounds with depth."""

__version__ = "0.1.0"
