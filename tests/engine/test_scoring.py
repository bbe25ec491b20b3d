"""Scores of a batch's nodes, for methods that have none: what is compiled for them all the same does nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from approxmm.engine.layout import make_layout
from approxmm.engine.ledger import make_ledger
from approxmm.engine.sparse import additions
from approxmm.engine.sparse.memory import make_memory
from approxmm.engine.sparse.plan import ByNode
from approxmm.engine.sparse.scoring import score_layer
from approxmm.methods.scoring import score_factors


class Plain(NamedTuple):
    """A state whose class registers nothing."""

    size: int


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_methods_without_scores_are_compiled_for_numbers_of_either_type(dtype: type) -> None:
    layout, _ = make_layout(np.array([5, 6, 3]))
    memory = make_memory(layout, dtype, 2, 1, 0, inner=False, by_node=True, scored=False)
    score_layer(ByNode(1, True, False), Plain(1), 0, layout, memory, 0, 2)
    additions._add_to_factors(layout, Plain(1), 0, memory, 0, 0, make_ledger(1, 2), 0.1)
    assert not memory.real.any()
    assert score_factors(Plain(1), 0, memory.scores).dtype == dtype
