"""Drawing from discrete distributions in constant time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def alias_table(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Walker's alias table of non-negative weights (Vose 1991): probability of keeping a cell, and its alias.

    Raises:
        ValueError: if no weight is positive.
    """
    total = float(weights.sum())
    if not total > 0.0:
        raise ValueError("an alias table needs a positive weight")
    n = len(weights)
    scaled = weights * (n / total)
    probability, alias = np.ones(n), np.arange(n, dtype=np.int64)
    small = [i for i in range(n) if scaled[i] < 1.0]
    large = [i for i in range(n) if scaled[i] >= 1.0]
    while small and large:
        i, j = small.pop(), large[-1]
        probability[i], alias[i] = scaled[i], j
        scaled[j] -= 1.0 - scaled[i]
        if scaled[j] < 1.0:
            small.append(large.pop())
    return probability, alias
