"""The memory of a simulation: estimated before it runs, kept, and refused where it cannot be."""

from __future__ import annotations

import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from approxmm.errors import InputError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation import memory, simulate
from approxmm.propagation.memory import DEFAULT_LIMIT, estimate_memory, plan_memory

GIB = 2**30
# Prints the bytes that a run adds to the peak of a process that has already run a tiny one, with the run's profile.
MEASURE = """
import resource, sys
import numpy as np
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation import simulate

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

widths, options, inputs = {arguments}
method = get_method("dropout", 0.5)
tiny = Network.random([3, 4, 3], activation="tanh", seed=0)
simulate(tiny, method, np.ones((2, 3)), **{{**options, "trials": 2}})
if sys.argv[1] == "warm":
    sys.exit()
before = peak()
network = Network.random(widths, activation="tanh", seed=0)
x = np.random.default_rng(0).normal(size=(inputs, widths[0]))
simulate(network, method, x, sample_output=True, **options)
print(peak() - before)
"""


def measured(widths, inputs, **options):
    """Return the peak of a run in a process of its own, after another one has filled the compile cache."""
    script = MEASURE.format(arguments=(widths, options, inputs))
    runs = [
        subprocess.run([sys.executable, "-c", script, mode], capture_output=True, text=True, check=True)
        for mode in ("warm", "measure")
    ]
    return int(runs[1].stdout)


def assert_close(widths, inputs, **options):
    settings = {name: option for name, option in options.items() if name in ("trials", "workers", "batch")}
    estimate = estimate_memory(widths, inputs=inputs, gradient="gradient" in options, **settings)
    assert measured(widths, inputs, **options) == pytest.approx(estimate, rel=0.2)


@pytest.mark.parametrize("gradient", [None, "gaussian"])
def test_estimate_is_within_a_fifth_of_what_is_allocated(gradient):
    """The arrays alone, as Python's allocator counts them, in this process."""
    widths, method, options = [400] * 13, get_method("dropout", 0.5), {"gradient": gradient, "workers": 1}
    simulate(Network.random([3, 4, 3], seed=0), method, np.ones((2, 3)), trials=2, **options)
    tracemalloc.start()
    network, x = Network.random(widths, seed=0), np.random.default_rng(0).normal(size=(10, 400))
    simulate(network, method, x, trials=40, sample_output=True, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    estimate = estimate_memory(widths, inputs=10, trials=40, gradient=gradient is not None, workers=1)
    assert peak == pytest.approx(estimate - memory._PACKING, rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("widths", "inputs", "options"),
    [
        ([1000] * 9, 10, {"trials": 300, "workers": 1}),
        ([1000] * 9, 10, {"trials": 300, "workers": 2}),
        ([1000] * 9, 10, {"trials": 120, "workers": 2, "gradient": "gaussian"}),
        ([1000] * 9, 5000, {"trials": 2, "workers": 2}),
        ([784, *[500] * 20, 10], 256, {"trials": 20, "workers": 2, "batch": 128, "gradient": "gaussian"}),
        ([400] * 201, 10, {"trials": 60, "workers": 2, "gradient": "gaussian"}),
        ([3000] * 4, 20, {"trials": 60, "workers": 2}),
    ],
)
def test_estimates_are_within_a_fifth_of_the_peak(widths, inputs, options):
    assert_close(widths, inputs, **options)


def test_a_stack_that_cannot_fit_is_refused_in_one_line():
    message = (
        "a network of 10000 layers up to 1000 wide needs 74.6 GiB (74.6 GiB for weights and inputs) but memory_limit "
        "allows 2 GiB; raise it (--memory-limit 75)"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        estimate_memory([1000] * 10_001)
    assert estimate_memory([1000] * 10_001, limit=76 * GIB) > 74 * GIB


def test_work_is_cut_to_fit_and_not_by_the_number_of_workers():
    widths = [1000] * 101
    free = plan_memory(widths, gradient=True, workers=8, limit=100 * GIB)
    tight = plan_memory(widths, gradient=True, workers=8, limit=free.fixed + free.worker // 2)
    assert tight.cut.rows < free.cut.rows
    assert tight.total <= free.fixed + free.worker // 2
    assert tight.workers == 1
    assert {plan_memory(widths, gradient=True, workers=w).cut for w in (1, 2, 64)} == {
        plan_memory(widths, gradient=True).cut
    }
    assert plan_memory(widths, gradient=True, workers=64).total <= DEFAULT_LIMIT
    assert plan_memory(widths, gradient=True, batch=4, inputs=8, workers=1).cut.inputs % 4 == 0
    smallest = plan_memory([50, 50], inputs=64, batch=2, trials=9, limit=7_000_000).cut
    assert smallest.rows >= 2


def test_bad_limits_and_workers_are_named():
    with pytest.raises(InputError, match="memory_limit=0 must be a positive number of bytes"):
        plan_memory([3, 3], limit=0)
    with pytest.raises(InputError, match="workers=0 must be at least 1"):
        plan_memory([3, 3], workers=0)
