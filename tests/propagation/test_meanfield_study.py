"""Mean field against 200 direct simulations at width 2000, depth 16: every activation, every method that has one."""

from __future__ import annotations

import pytest
from wide_stacks import Stack, outside, simulate_stacks

from approxmm.methods import get_method

STACKS = [
    Stack("linear", 1.0, 0.0),
    Stack("relu", 2.0, 0.0),
    Stack("leaky_relu(0.2)", 2.0 / 1.04, 0.0),
    Stack("tanh", 2.25, 0.05),
    Stack("sigmoid", 9.0, 0.1),
    Stack("gelu", 2.0, 0.0),
    Stack("erf", 1.5, 0.05),
]
UNIFORM, PLAIN = {"probabilities": "uniform"}, {"cap": False, "fill": False}
METHODS = [
    get_method("bernoulli", 0.25),
    get_method("bernoulli", 0.25, **UNIFORM),
    get_method("with_replacement", 0.25),
    get_method("with_replacement", 0.25, **UNIFORM),
    get_method("with_replacement", 0.25, probabilities="weights"),
    get_method("without_replacement", 0.25),
    get_method("without_replacement", 0.25, **UNIFORM),
    get_method("winner_take_all", 0.25),
    get_method("top_k", 0.25),
    get_method("dropout", 0.25),
    get_method("dropout", 0.25, scaled=False),
    get_method("adaptive_dropout", 0.25),
    get_method("adaptive_dropout", 0.25, scaled=True),
    get_method("adaptive_dropout", variant="published"),
    get_method("oracle_active", 0.25),
    get_method("oracle_active", 0.25, by="magnitude"),
    get_method("correlation_tree"),
    get_method("correlation_tree", threshold=0.0),
    get_method("alsh", **PLAIN),
    get_method("alsh", **PLAIN, transform="none"),
    get_method("alsh_unbiased", transform="none", bits=4, tables=20),
]


@pytest.mark.slow
def test_mean_field_at_width_2000():
    """An hour or two on two cores: 200 networks of 16 layers, 147 combinations in each, forward and backward."""
    sums = simulate_stacks(STACKS, METHODS, 2000, 16, range(200), seed=11)
    assert outside(sums, STACKS, METHODS, 2000) == []
