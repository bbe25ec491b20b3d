"""States that come out of a file: whatever is not what training can make is refused, before compiled code reads it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.errors import DataError
from approxmm.methods import available_methods, get_method
from approxmm.methods.contract import Method
from approxmm.methods.state_check import named_arrays, with_arrays

INDEXES: dict[str, Method] = {
    "few codes": get_method("alsh", 0.3, bits=4, tables=3),  # tables with offsets
    "many codes": get_method("alsh", 0.3, bits=14, tables=3, transform="none"),  # tables with sorted keys
    "sparse planes": get_method("alsh", 0.3, bits=4, tables=2, density=0.3, pool=2),
    "unbiased": get_method("alsh_unbiased", bits=5, tables=2),
    "screening": get_method("subspace_screen", 0.3, rank=4, buffer=6),
}
COUNTERS = ("clock", "seen", "renewed", "projected", "behind")  # which training moves; only their range is known


def state_of(method: Method) -> Any:
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape) for shape in ((7, 12), (12, 9))]
    return method.prepare(weights, [np.zeros(12), np.zeros(9)])


@cache
def state(name: str) -> Any:
    return state_of(INDEXES[name])


def positions(whole: Any) -> list[tuple[str, int]]:
    """Every place of every whole number that compiled code may take for a position."""
    arrays = [(name, a) for name, a in named_arrays(whole, "state") if a.dtype.kind in "iub"]
    return [(name, i) for name, a in arrays if name.split(".")[-1] not in COUNTERS for i in range(a.size)]


@pytest.mark.parametrize("name", available_methods())
def test_a_methods_own_state_is_accepted(name: str) -> None:
    method = get_method(name)
    method.check_state(state_of(method), state_of(method))


@pytest.mark.parametrize("name", INDEXES)
@given(data=st.data())
def test_changed_positions_are_refused_or_change_nothing(name: str, data: st.DataObject) -> None:
    own = state(name)
    places = st.lists(st.sampled_from(positions(own)), min_size=1, max_size=3)
    numbers = st.one_of(st.integers(-3, 20), st.integers(-(2**31), 2**31 - 1))
    changed = dict(named_arrays(own, "state"))
    for field, place in data.draw(places):
        changed[field] = changed[field].copy()
        changed[field].reshape(-1)[place] = data.draw(numbers)
    try:
        INDEXES[name].check_state(with_arrays(own, "state", changed), own)
    except DataError as error:
        assert "state." in str(error)  # noqa: PT017 - either outcome is right
        return
    for field, array in named_arrays(own, "state"):
        np.testing.assert_array_equal(changed[field], array)


def swapped(array: np.ndarray, first: int, second: int) -> np.ndarray:
    array = array.copy()
    array[[first, second]] = array[[second, first]]
    return array


def test_what_is_wrong_is_named() -> None:
    own, method = state("few codes"), INDEXES["few codes"]
    short, long = own.indexes.short, own.indexes.long
    items, locks = int(short.layout[0, 1, 0]), int(long.layout[0, 3, 0])
    locked = long.flat.copy()
    locked[locks] = 1
    cases: list[tuple[str, np.ndarray, str]] = [
        ("indexes.short.flat", swapped(short.flat, items, items + 1), r"layer 1\).items.* in the order of their codes"),
        ("indexes.long.flat", locked, "being changed"),
        ("indexes.real.flat", own.indexes.real.flat * 1.01, "hyperplanes of this seed"),
        ("indexes.real.flat", own.indexes.real.flat * np.nan, "not finite"),
        ("indexes.double.flat", -own.indexes.double.flat, "no scale or norm"),
        ("limit", own.limit + 1, "does not hold the numbers that these settings give"),
        ("clock", own.clock - 1, "outside 0"),
    ]
    for field, array, message in cases:
        with pytest.raises(DataError, match=message):
            method.check_state(with_arrays(own, "state", {f"state.{field}": array}), own)
    screen = state("screening")
    for field, array in (("seen", screen.seen - 1), ("renewed", screen.seen + 1), ("busy", screen.busy + 1)):
        with pytest.raises(DataError, match=f"state.{field}"):
            INDEXES["screening"].check_state(with_arrays(screen, "state", {f"state.{field}": array}), screen)


def test_counters_that_training_moved_are_accepted() -> None:
    screen = state("screening")
    later = {"state.seen": screen.seen + 40, "state.renewed": screen.seen + 20, "state.behind": screen.behind + 1}
    INDEXES["screening"].check_state(with_arrays(screen, "state", later), screen)
    alsh = state("many codes")
    INDEXES["many codes"].check_state(alsh._replace(clock=alsh.clock + 7), alsh)
