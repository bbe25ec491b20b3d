"""The training engine: the same sampled products, inside training."""
