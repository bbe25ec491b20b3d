"""Order statistics for compiled loops."""

from __future__ import annotations

import numpy as np

from approxmm._compile import compiled

__all__ = ["kth_largest"]


@compiled
def kth_largest(values: np.ndarray, k: int) -> float:
    """Return the k-th largest (k = 1: the maximum) of the 1-D array `values`, which is reordered.

    Hoare's quickselect with the middle element as pivot: O(n) on average, no allocation. (NumPy's
    `partition` inside compiled code costs seconds of compile time.) With NaN among the values the
    result is unspecified, but the search ends.
    """
    target, low, high = k - 1, 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
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
