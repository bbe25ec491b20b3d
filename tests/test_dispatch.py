from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import pytest

from approxmm.dispatch import generic


class Double(NamedTuple):
    """Multiplies by two."""


class Power(NamedTuple):
    exponent: int


class Unregistered(NamedTuple):
    """Nobody's state."""


@generic
def act(state, x):
    """Do what the state's class says."""


@act.register(Double)
@numba.njit
def _double(state, x):
    return 2.0 * x


@act.register(Power)
@numba.njit
def _power(state, x):
    return x**state.exponent


@numba.njit
def total(state, values):
    result = 0.0
    for x in values:
        result += act(state, x)
    return result


def test_class_of_the_first_argument_decides_in_python():
    assert act(Double(), 3.0) == 6.0
    assert act(Power(3), 2.0) == 8.0
    assert act.implementation(Power) is _power


def test_compiled_loop_is_specialised_for_each_class():
    values = np.array([1.0, 2.0, 3.0])
    assert total(Double(), values) == total.py_func(Double(), values) == 12.0
    assert total(Power(2), values) == total.py_func(Power(2), values) == 14.0
    assert len(total.signatures) == 2


def test_unregistered_class_is_named():
    with pytest.raises(TypeError, match="no act is registered for the state class Unregistered"):
        act(Unregistered(), 1.0)
    with pytest.raises(numba.TypingError, match="act"):
        total(Unregistered(), np.ones(2))
    with pytest.raises(TypeError, match="state class float"):
        act(3.0, 1.0)


def test_name_and_documentation_stay():
    assert act.__name__ == "act"
    assert act.__doc__ == "Do what the state's class says."
    assert act.__module__ == __name__


def test_an_implementation_for_object_serves_all_other_classes():
    @generic
    def look(state):
        """Do what the state's class says."""

    @look.register(Double)
    @numba.njit
    def _seen(state):
        return 1

    @look.register(object)
    @numba.njit
    def _nothing(state):
        return 0

    compiled = numba.njit(lambda state: look(state))
    for state, expected in ((Double(), 1), (Unregistered(), 0), (Power(2), 0)):
        assert look(state) == expected
        assert compiled(state) == expected
