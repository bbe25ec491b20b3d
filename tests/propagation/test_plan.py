"""Which networks the engines of propagation take."""

from __future__ import annotations

import numpy as np
import pytest

from approxmm import propagation
from approxmm.errors import NotAvailableError
from approxmm.methods import get_method
from approxmm.network import Network

NETWORK = Network.random([4, 5, 3], activation="linear", seed=1, normalise="rms")
X = np.ones((2, 4))
LAW = get_method("bernoulli", 0.5)


@pytest.mark.parametrize(
    "engine",
    [
        lambda: propagation.simulate(NETWORK, LAW, X, trials=2),
        lambda: propagation.closure(NETWORK, LAW, X),
        lambda: propagation.mean_field(NETWORK, LAW),
        lambda: propagation.exact_moments(NETWORK, LAW, X),
        lambda: propagation.error_form(NETWORK, LAW),
        lambda: propagation.one_step_errors(NETWORK, LAW, X),
        lambda: propagation.active_shares(NETWORK, LAW, X),
    ],
)
def test_no_engine_ignores_a_normalisation(engine):
    with pytest.raises(NotAvailableError, match="normalise='rms': errors are propagated through networks without"):
        engine()
