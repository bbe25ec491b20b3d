"""Threads that walk through the same compiled steps together, meeting at barriers.

Each thread of a team runs the same function on its own share of every product. Starting a parallel loop for each
product would cost more than some products do, and would tie the package to a threading layer of Numba.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from approxmm.compile import compiled, intrinsic
from approxmm.engine._vectors import cgutils

__all__ = ["ALONE", "Team", "barrier", "make_teams", "share"]

_SPINS = 4000  # turns (some microseconds) before a waiting thread offers its processor to others


class Team(NamedTuple):
    """One thread's place in its team.

    Attributes
    ----------
    rank, size : int
        This thread's number from 0, and how many there are.
    meeting : (2,) int64
        Threads that have arrived at the barrier, and how often it has opened; shared.
    """

    rank: int
    size: int
    meeting: np.ndarray


ALONE = Team(0, 1, np.zeros(2, dtype=np.int64))


def make_teams(size: int) -> list[Team]:
    """Return the places of a new team of `size` threads."""
    meeting = np.zeros(2, dtype=np.int64)
    return [Team(rank, size, meeting) for rank in range(size)]


def _element(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@intrinsic
def _fetch_add(typing: Any, array: Any, index: Any, amount: Any) -> Any:
    """Add to an int64 element in one indivisible step; return what it was."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _element(context, builder, signature, args), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), emit


@intrinsic
def _read(typing: Any, array: Any, index: Any) -> Any:
    """Return an int64 element as other threads left it."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_element(context, builder, signature, args), "seq_cst", 8)

    return types.int64(array, types.intp), emit


@intrinsic
def _give_way(typing: Any) -> Any:
    """Offer the processor to another thread, where the system has a call for it."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if sys.platform != "win32":
            call = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), "sched_yield")
            builder.call(call, [])
        return context.get_dummy_value()

    return types.void(), emit


@compiled
def barrier(team: Team) -> None:
    """Wait until all threads of the team are here; what they wrote before is then visible to all."""
    if team.size == 1:
        return
    opened = _read(team.meeting, 1)
    if _fetch_add(team.meeting, 0, 1) == team.size - 1:
        _fetch_add(team.meeting, 0, -team.size)
        _fetch_add(team.meeting, 1, 1)
        return
    turns = 0
    while _read(team.meeting, 1) == opened:
        turns += 1
        if turns > _SPINS:
            _give_way()


@compiled
def share(team: Team, count: int, unit: int) -> tuple[int, int]:
    """Return this thread's range of `count` items, cut at multiples of `unit`."""
    units = (count + unit - 1) // unit
    first, stop = units * team.rank // team.size, units * (team.rank + 1) // team.size
    return min(count, first * unit), min(count, stop * unit)
