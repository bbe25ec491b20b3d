from __future__ import annotations

import numpy as np
import pytest

from approxmm.studies.recall import recall_of_active_sets


@pytest.fixture(scope="module")
def table():
    return recall_of_active_sets(
        depths=(2,), width=30, epochs=1, budgets=(0.1, 1.0), hashes=((3, 4),), ranks=(2, 64), examples=20, builds=30
    )


def test_one_row_for_each_setting(table):
    assert len(table) == 2 * 2 * 4
    assert list(table.columns) == [
        "depth", "layer", "budget", "method", "bits", "tables", "rank", "recall", "active", "expected",
        "expected_active", "chance",
    ]  # fmt: skip
    assert table[["recall", "active", "chance"]].stack().between(0, 1).all()


def test_measured_recall_of_hash_tables_is_that_of_the_closed_form(table):
    """Means of 30 independent builds in [0, 1]: Hoeffding gives 0.6 at 1e-9; this seed stays within 0.1."""
    union = table[table.method == "alsh_union"]
    np.testing.assert_allclose(union.recall, union.expected, atol=0.1)
    np.testing.assert_allclose(union.active, union.expected_active, atol=0.1)
    assert table[table.method != "alsh_union"].expected.isna().all()


def test_all_nodes_recall_everything_and_the_whole_space_screens_perfectly(table):
    whole = table[(table.budget == 1.0) & (table.method != "alsh_union")]
    np.testing.assert_allclose(whole[["recall", "active"]], 1.0)
    full_rank = table[table["rank"] == 64]
    np.testing.assert_allclose(full_rank.recall, 1.0)
    low_rank = table[(table["rank"] == 2) & (table.budget == 0.1)]
    assert (low_rank.recall < 1.0).all()
    assert (low_rank.recall > low_rank.chance).all()
