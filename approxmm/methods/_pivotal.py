"""The ordered pivotal method: unequal inclusion probabilities, a fixed size, one pass (Deville and Tillé 1998).

Items meet in their order. A champion carries the fraction a of the probability seen so far (its sum modulo 1); it
meets the next item, of probability p, and with uniform chances

* if a + p < 1, one of them leaves and the other carries a + p: the champion stays with chance a/(a + p);
* otherwise one of them is selected and the other carries a + p − 1: the champion is selected with chance
  (1 − p)/(2 − a − p).

Item i is then selected with probability exactly p_i. Given who is champion the future does not depend on the past, so
with A(i), C(i) the probabilities that i was selected, or is champion, before j, and F the probability that the
champion after j is selected later (the same for whoever it is), a pair i < j is selected together with probability

    first case:   (1 − stay) A(i) F
    second case:  s (A(i) + C(i)) F + (1 − s)(A(i) + C(i) F),      s the champion's chance.

The samples are negatively associated (Brändén and Jonasson 2012), so no covariance is positive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from approxmm.compile import compiled

__all__ = ["fill_pivotal", "joint_inclusion", "pivotal_samples"]

Meeting = tuple[bool, Any, Any]


def _meet(carried: Any, p: Any) -> Meeting:
    """Return (one is selected, the champion's chance to stay or to be selected, what is carried on)."""
    together = carried + p
    if together < 1:
        return False, carried / together, together
    return True, (1 - p) / (2 - together), together - 1


def joint_inclusion(p: np.ndarray) -> np.ndarray:
    """Return the probabilities that two items are both selected, (n, n), in the arithmetic of `p`; p on the diagonal.

    Parameters
    ----------
    p : (n,) array
        In (0, 1); their sum is a whole number (up to rounding).
    """
    meetings, carried = [], p.sum() * 0
    for q in p:
        meetings.append(_meet(carried, q))
        carried = meetings[-1][2]
    later = _selected_later(meetings, carried)
    joint = np.diag(p)
    selected, champion = p * 0, p * 0
    for j, (decided, chance, _) in enumerate(meetings):
        done, leading, future = selected[:j].copy(), champion[:j].copy(), later[j]
        if decided:
            both = chance * (done + leading) * future + (1 - chance) * (done + leading * future)
            selected[:j], selected[j] = done + chance * leading, 1 - chance
            champion[:j], champion[j] = (1 - chance) * leading, chance
        else:
            both = (1 - chance) * done * future
            champion[:j], champion[j] = chance * leading, 1 - chance
        joint[:j, j] = joint[j, :j] = both
    return joint


def _selected_later(meetings: Sequence[Meeting], carried: Any) -> list[Any]:
    """Return, for the champion after each meeting, the probability that it is selected in a later one."""
    # A whole sum leaves nothing to the last champion; rounding may leave it almost one instead of one selected.
    chance_at_end = round(carried)
    later = [chance_at_end]
    for decided, chance, _ in reversed(meetings[1:]):
        later.append(chance + (1 - chance) * later[-1] if decided else chance * later[-1])
    return later[::-1]


def pivotal_samples(p: Sequence[Fraction]) -> Iterator[tuple[Fraction, tuple[int, ...]]]:
    """Yield (probability, selected items) of every course of the tournament; a sample may appear more than once."""
    courses: list[tuple[Fraction, tuple[int, ...], int]] = [(Fraction(1), (), -1)]
    carried = Fraction(0)
    for j, q in enumerate(p):
        decided, chance, carried = _meet(carried, q)
        following = []
        for probability, chosen, champion in courses:
            if decided:
                ends = ((chance, (*chosen, champion), j), (1 - chance, (*chosen, j), champion))
            else:
                ends = ((chance, chosen, champion), (1 - chance, chosen, j))
            following += [(probability * c, sample, best) for c, sample, best in ends if c > 0]
        courses = following
    return ((probability, chosen) for probability, chosen, _ in courses)


@compiled
def fill_pivotal(p: np.ndarray, uniforms: np.ndarray, index: np.ndarray, scale: np.ndarray) -> int:
    """Select items with the probabilities `p` (n,) (ones surely, zeros never), with scales 1/p; return how many.

    `uniforms` (n,) is overwritten.
    """
    champion, carried = -1, 0.0
    for j in range(p.size):
        u = uniforms[j]
        uniforms[j] = 1.0 if p[j] >= 1.0 else 0.0  # from here on: whether j is selected
        if not 0.0 < p[j] < 1.0:
            continue
        together = carried + p[j]
        if together < 1.0:
            champion = champion if u * together < carried else j
            carried = together
        else:
            champion_wins = u * (2.0 - together) < 1.0 - p[j]
            uniforms[champion if champion_wins else j] = 1.0
            champion = j if champion_wins else champion
            carried = together - 1.0
    if carried > 0.5:  # rounding left the last champion almost selected
        uniforms[champion] = 1.0
    count = 0
    for j in range(p.size):
        if uniforms[j] > 0.0:
            index[count] = j
            scale[count] = 1.0 / p[j]
            count += 1
    return count
