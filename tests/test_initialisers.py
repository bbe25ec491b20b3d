"""Initial weights: their laws, and what the mean field makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from approxmm.errors import InputError, NotAvailableError
from approxmm.initialisers import INITIALISERS, get_initialiser
from approxmm.network import Network
from approxmm.propagation import Ensemble

VARIANCES = {"he_uniform": 2 / 300, "lecun_uniform": 1 / 300, "glorot_uniform": 2 / 500}


@pytest.mark.parametrize("init", VARIANCES)
def test_uniform_weights_have_the_normal_ones_variance(init):
    """Bounds are sure; KS at 1e-9 for the shape. 60,000 weights, seed fixed."""
    W = Network.random([300, 200], init=init, seed=4).weights[0].ravel()
    bound = np.sqrt(3 * VARIANCES[init])
    assert np.abs(W).max() <= bound
    assert stats.kstest(W / bound, stats.uniform(-1, 2).cdf).pvalue > 1e-9
    assert get_initialiser(init).deviation(300, 200) == pytest.approx(np.sqrt(VARIANCES[init]))


@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (7, 7)])
def test_orthogonal_weights_are_orthonormal_on_their_shorter_side(shape):
    W = Network.random(shape, init="orthogonal", seed=2).weights[0]
    gram = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-13)
    assert (W**2).mean() == pytest.approx(get_initialiser("orthogonal").deviation(*shape) ** 2)


def test_orthogonal_weights_are_uniformly_distributed():
    """A factorisation's own signs would make the diagonal one-sided: chance 2⁻²⁰⁰ each side for 200 draws."""
    rng = np.random.default_rng(0)
    law = get_initialiser("orthogonal")
    corners = np.array([law.weights(rng, (3, 3))[0, 0] for _ in range(200)])
    assert corners.min() < 0 < corners.max()
    # The first coordinate of a uniform point of the sphere in three dimensions is uniform (Archimedes).
    assert stats.kstest(corners, stats.uniform(-1, 2).cdf).pvalue > 1e-9


def test_the_mean_field_takes_independent_weights_only():
    for name, law in INITIALISERS.items():
        if law.independent:
            stack = Ensemble.random([30, 20, 10], init=name)
            assert stack.variances[0][0] == pytest.approx(30 * law.deviation(30, 20) ** 2)
        else:
            with pytest.raises(NotAvailableError, match=f"init='{name}': its weights are not independent"):
                Ensemble.random([30, 20, 10], init=name)


@pytest.mark.parametrize("make", [Network.random, Ensemble.random])
def test_unknown_initialisers_are_named(make):
    with pytest.raises(InputError, match="init='xavier' is unknown; choose one of he, glorot"):
        make([3, 2], init="xavier")
