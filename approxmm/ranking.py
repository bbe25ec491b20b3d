"""Order statistics for compiled loops."""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled

__all__ = ["fill_top", "kth_largest"]


@compiled
def kth_largest(values: np.ndarray, k: int) -> float:
    """Return the k-th largest (k = 1: the maximum) of the 1-D array `values`, which is reordered.

    Hoare's quickselect with the median of first, middle and last as pivot: O(n) on average, quadratic for
    adversarial orders, no allocation. (NumPy's `partition` inside compiled code costs seconds of compile time.) With
    NaN among the values the result is unspecified, but the search ends.
    """
    target, low, high = k - 1, 0, values.size - 1
    while low < high:
        a, b, c = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while pivot > values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if target <= j:
            high = j
        elif target >= i:
            low = i
        else:
            break
    found: float = values[target]
    return found


@compiled
def fill_top(values: np.ndarray, k: int, index: np.ndarray) -> int:
    """Write the positions of the k largest of `values` to `index`, increasing; ties go to the lower position.

    Returns
    -------
    int
        k.
    """
    threshold = kth_largest(values.copy(), k)
    above = 0
    for j in range(values.size):
        above += values[j] > threshold
    ties, count = k - above, 0
    for j in range(values.size):
        tied = values[j] == threshold and ties > 0
        ties -= tied
        if tied or values[j] > threshold:
            index[count] = j
            count += 1
    return count
