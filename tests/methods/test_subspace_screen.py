from __future__ import annotations

import numpy as np
import pytest

from approxmm.data import load_data
from approxmm.engine.optimizers import Sgd
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session, StepRange
from approxmm.errors import InputError, NotAvailableError
from approxmm.hashing import screening_bound
from approxmm.methods import get_method, observe, refresh
from approxmm.methods._basis import follow_subspace, orthonormalise
from approxmm.methods._packed import matrix_of, vector_of
from approxmm.methods._screening import BASIS, BIAS, PROJECTED, RING
from approxmm.methods.scoring import score_factors
from approxmm.network import Network
from approxmm.propagation import simulate
from approxmm.random import make_key
from approxmm.testing.checks import leaves, selected

EVERY = np.arange(30)


def part(state, which, layer):
    return state.arrays.flat, state.arrays.layout[layer, which]


def low_rank_inputs(rank=3, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((50, rank)) @ rng.standard_normal((rank, 20)) + noise * rng.standard_normal((50, 20))


def screened(rank=3, inputs=None, **options):
    rng = np.random.default_rng(7)
    weights, bias = rng.standard_normal((20, 30)), rng.standard_normal(30)
    state = get_method("subspace_screen", 5, rank=rank, **options).prepare([weights], [bias])
    if inputs is not None:
        observe(state, 0, inputs, bias)
        refresh(state, 0, weights, EVERY)
    return state, weights, bias


@pytest.mark.parametrize("kernel", [follow_subspace, follow_subspace.py_func], ids=["compiled", "plain"])
@pytest.mark.parametrize("rank", [1, 4, 20])
def test_basis_is_orthonormal_and_catches_nearly_the_best_energy(kernel, rank):
    rows = low_rank_inputs(rank=6, noise=0.05)
    directions = np.random.default_rng(1).standard_normal((rank, 20))
    orthonormalise(directions)
    for _ in range(25):
        kernel(directions, rows, 4)
    np.testing.assert_allclose(directions @ directions.T, np.eye(rank), atol=1e-12)
    energy = np.linalg.svd(rows, compute_uv=False) ** 2
    assert np.linalg.norm(rows @ directions.T) ** 2 >= 0.999 * energy[:rank].sum()


@pytest.mark.parametrize("rows", [np.zeros((4, 6)), np.full((4, 6), np.nan), np.empty((0, 6))])
def test_rows_that_say_nothing_leave_the_basis(rows):
    directions = np.eye(6)[:2].copy()
    follow_subspace(directions, rows, 1)
    np.testing.assert_array_equal(directions, np.eye(6)[:2])


def test_fewer_rows_than_directions_still_give_a_basis():
    directions = np.random.default_rng(1).standard_normal((5, 9))
    orthonormalise(directions)
    follow_subspace(directions, np.eye(9)[:2], 4)
    np.testing.assert_allclose(directions @ directions.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(directions[:, :2]) ** 2, 2.0, rtol=1e-6)


def test_inputs_inside_the_subspace_get_the_true_top_nodes():
    inputs = low_rank_inputs()
    state, weights, bias = screened(inputs=inputs)
    for x in inputs:
        index, scale = selected(get_method("subspace_screen", 5), weights, x, make_key(0), state=state)
        np.testing.assert_array_equal(index, np.sort(np.argsort(-(x @ weights + bias))[:5]))
        np.testing.assert_array_equal(scale, 1.0)


def test_scores_stay_within_the_bound():
    inputs = low_rank_inputs(noise=0.3)
    state, weights, _ = screened(inputs=inputs)
    basis, projected = matrix_of(*part(state, BASIS, 0)), matrix_of(*part(state, PROJECTED, 0))
    error = np.abs(inputs @ basis @ projected - inputs @ weights)
    assert (error <= screening_bound(basis, inputs, weights) * (1 + 1e-12)).all()


def test_refresh_keeps_the_projected_weights_true():
    state, weights, bias = screened(inputs=low_rank_inputs())
    basis = matrix_of(*part(state, BASIS, 0)).copy()
    for changed in (np.array([3, 17]), EVERY):
        weights[:, changed] += 1.0
        refresh(state, 0, weights, changed)
        np.testing.assert_allclose(matrix_of(*part(state, PROJECTED, 0)), basis.T @ weights, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(vector_of(*part(state, BIAS, 0)), bias)


def test_renewals_double_and_then_come_regularly():
    state, weights, bias = screened(renew=8, buffer=6)
    renewed = []
    for step in range(1, 41):
        observe(state, 0, np.random.default_rng(step).standard_normal((1, 20)), bias)
        before = state.renewed[0]
        refresh(state, 0, weights, EVERY)
        renewed += [step] if state.renewed[0] != before else []
    assert renewed == [1, 2, 4, 8, 16, 24, 32, 40] == get_method("subspace_screen", renew=8).renewals(40)
    latest = np.stack([np.random.default_rng(step).standard_normal(20) for step in range(35, 41)])
    ring = matrix_of(*part(state, RING, 0))
    assert {tuple(row) for row in ring} == {tuple(row) for row in latest}


def test_training_shows_the_state_inputs_and_biases():
    digits = load_data("digits", dtype=np.float64)
    network = Network.random([64, 30, 20, 10], seed=5)
    session = Session(
        network,
        Recipe(get_method("subspace_screen", 0.5, rank=4, buffer=50), Sgd(0.05), batch=10, seed=5, dtype=np.float64),
    )
    order, losses = session.epoch_order(len(digits.train), 0), np.zeros(8)
    session.run(digits.train.x, digits.train.y, StepRange(order, 0, 8, 0, np.full(8, 0.05)), losses)
    state, trained = session.state, session.network()
    assert state.seen.tolist() == [80, 80]
    np.testing.assert_array_equal(matrix_of(*part(state, RING, 0))[:30], digits.train.x[order[50:80]])
    for k in range(2):
        np.testing.assert_array_equal(vector_of(*part(state, BIAS, k)), trained.bias(k + 1))
        expected = matrix_of(*part(state, BASIS, k)).T @ trained.weights[k]
        np.testing.assert_allclose(matrix_of(*part(state, PROJECTED, k)), expected, rtol=1e-10, atol=1e-12)


def test_simulation_observes_the_exact_activations_once():
    network = Network.random([20, 30, 4], seed=3)
    inputs = low_rank_inputs()
    full, partial = (
        simulate(network, get_method("subspace_screen", 8, rank=rank), inputs).layers[0].output.relative_error
        for rank in (3, 1)
    )
    oracle = simulate(network, get_method("oracle_active", 8), inputs).layers[0].output.relative_error
    assert full == pytest.approx(oracle, rel=1e-12)
    assert partial > full


def test_no_closed_form_and_bad_options_are_named():
    with pytest.raises(NotAvailableError, match="method='subspace_screen' has no closed-form law"):
        get_method("subspace_screen").scale_moments(np.ones(3), np.ones((3, 3)))
    for option in ("rank", "buffer", "renew", "project"):
        with pytest.raises(InputError, match=f"{option} = 0: must be an integer at least 1"):
            get_method("subspace_screen", **{option: 0})


def test_rank_beyond_the_inputs_is_the_whole_space():
    state, weights, bias = screened(rank=99)
    x = np.random.default_rng(3).standard_normal(20)
    index, _ = selected(get_method("subspace_screen", 5), weights, x, make_key(0), state=state)
    np.testing.assert_array_equal(index, np.sort(np.argsort(-(x @ weights + bias))[:5]))
    assert all(np.isfinite(leaf).all() for leaf in leaves(state))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_law_without_scores_has_no_factors_of_the_type_asked_for(dtype):
    state = get_method("dropout", 0.5).prepare([np.ones((4, 3), dtype)])
    factors = score_factors(state, 0, np.empty(0, dtype))
    assert (factors.shape[0], factors.dtype) == (0, dtype)
