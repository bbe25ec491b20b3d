"""Threads that walk through the same compiled steps together, meeting at barriers.

Each thread of a team runs the same function on its own share of every product. Starting a parallel loop for each
product would cost more than some products do, and would tie the package to a threading layer of Numba.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from approxmm.apart import zeros_apart
from approxmm.compile import compiled
from approxmm.locks import fetch_add, give_way, read_shared

__all__ = ["ALONE", "Team", "barrier", "make_teams", "share", "take"]

_SPINS = 4000  # turns (some microseconds) before a waiting thread offers its processor to others


class Team(NamedTuple):
    """One thread's place in its team.

    Attributes
    ----------
    rank, size : int
        This thread's number from 0, and how many there are.
    meeting : (3,) int64
        Threads that have arrived at the barrier, how often it has opened, and how much of what threads take as they
        come is taken; shared.
    """

    rank: int
    size: int
    meeting: np.ndarray


ALONE = Team(0, 1, zeros_apart(3, np.int64))


def make_teams(size: int) -> list[Team]:
    """Return the places of a new team of `size` threads."""
    meeting = zeros_apart(3, np.int64)
    return [Team(rank, size, meeting) for rank in range(size)]


@compiled
def barrier(team: Team) -> None:
    """Wait until all threads of the team are here; what they wrote before is then visible to all."""
    if team.size == 1:
        return
    opened = read_shared(team.meeting, 1)
    if fetch_add(team.meeting, 0, 1) == team.size - 1:
        fetch_add(team.meeting, 0, -team.size)
        fetch_add(team.meeting, 1, 1)
        return
    turns = 0
    while read_shared(team.meeting, 1) == opened:
        turns += 1
        if turns > _SPINS:
            give_way()


@compiled
def take(team: Team, count: int) -> int:
    """Take the next `count` of what the team has to do; return the first of them, from 0. A team does this once."""
    first: int = fetch_add(team.meeting, 2, count)
    return first


@compiled
def share(team: Team, count: int, unit: int) -> tuple[int, int]:
    """Return this thread's range of `count` items, cut at multiples of `unit`."""
    units = (count + unit - 1) // unit
    first, stop = units * team.rank // team.size, units * (team.rank + 1) // team.size
    return min(count, first * unit), min(count, stop * unit)
