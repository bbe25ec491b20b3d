from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.data.splits import check_split_seed, holdout_split, permutation, stratified_split
from approxmm.errors import DataError, InputError


def digest(indices):
    return hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()[:16]


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=200), seed=st.integers(0, 2**64 - 1))
def test_stratified_split_is_a_partition_with_the_stated_counts(labels, seed):
    y = np.array(labels)
    parts = stratified_split(y, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(y.size))
    for part in parts:
        assert np.all(np.diff(part) > 0)
    for label in set(labels):
        count = labels.count(label)
        validation, test = (int(np.count_nonzero(y[part] == label)) for part in parts[1:])
        assert (validation, test) == ((count + 5) // 10, (2 * count + 5) // 10)


@settings(deadline=None)
@given(count=st.integers(2, 500), seed=st.integers(0, 2**64 - 1))
def test_holdout_split_is_a_partition(count, seed):
    train, validation = holdout_split(count, seed)
    assert sorted(np.concatenate([train, validation]).tolist()) == list(range(count))
    assert len(validation) == max(1, count // 12)


def test_permutation_is_fixed_for_ever():
    words = np.random.Philox(key=[3, 1]).random_raw(6)
    assert permutation(6, 3, 1).tolist() == sorted(range(6), key=lambda i: words[i])
    assert permutation(6, 0).tolist() == [0, 2, 1, 5, 4, 3]


def test_the_official_split_is_the_one_of_old():
    train, validation = holdout_split(60_000)
    assert (len(train), len(validation)) == (55_000, 5_000)
    assert digest(validation) == "4a7448bb3898000b"


def test_keys_are_used_to_their_last_bit():
    top = 2**64 - 1
    assert permutation(50, top).tolist() != permutation(50, top - 1).tolist()
    assert permutation(50, top, 1).tolist() != permutation(50, top, 2).tolist()


def test_seed_changes_the_split():
    assert holdout_split(600, 0)[1].tolist() != holdout_split(600, 1)[1].tolist()
    y = np.zeros(100, np.int64)
    assert stratified_split(y, 0)[1].tolist() != stratified_split(y, 1)[1].tolist()


def test_permutation_is_uniform_over_the_six_orders_of_three():
    # 6000 draws, chi-square with 5 degrees of freedom; 51 is exceeded with probability below 1e-9.
    orders, counts = np.unique([permutation(3, seed) for seed in range(6000)], axis=0, return_counts=True)
    assert len(orders) == 6
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 51


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", None, True])
def test_bad_seed(seed):
    with pytest.raises(InputError, match=r"split_seed is .* and must be an integer from 0 to 2\*\*64 - 1"):
        check_split_seed(seed)


def test_numpy_integers_are_seeds():
    assert check_split_seed(np.int64(5)) == 5


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_split(count):
    with pytest.raises(DataError, match=rf"training set of {count} example\(s\) cannot be split; give at least 2"):
        holdout_split(count)
