"""Sorting of messages by time: a radix sort, because a tick's messages lie in a narrow range of instants."""

from __future__ import annotations

import numpy as np

from twin.kernels import njit
from twin.kernels.borrowing import bit_length

_DIGIT = 11
N_COUNTS = 1 << _DIGIT
_FEW = 48


@njit(cache=True)
def _insert(rows, n):
    """Insertion sort by (time, item): for few rows, or rows sorted but for ties."""
    for i in range(1, n):
        time, item = rows[i, 0], rows[i, 1]
        k = i
        while k > 0 and (rows[k - 1, 0] > time or (rows[k - 1, 0] == time and rows[k - 1, 1] > item)):
            rows[k, 0] = rows[k - 1, 0]
            rows[k, 1] = rows[k - 1, 1]
            k -= 1
        rows[k, 0] = time
        rows[k, 1] = item


@njit(cache=True)
def sort_by_time(rows, spare, n, counts):
    """Sort the first n rows (time, item) of an int64 array, in place.

    Args:
        rows, spare: int64 arrays of two columns with room for n rows.
        n: rows to sort.
        counts: int64 [N_COUNTS], scratch.
    """
    if n > _FEW:
        low = high = rows[0, 0]
        for i in range(n):
            low, high = min(low, rows[i, 0]), max(high, rows[i, 0])
        shift, bits = np.int64(0), bit_length(high - low + 1)
        # Ties are rare, so the radix passes need not look at the items.
        source, target, passes = rows, spare, 0
        while shift < bits:
            counts[:] = 0
            for i in range(n):
                counts[((source[i, 0] - low) >> shift) & (N_COUNTS - 1)] += 1
            total = np.int64(0)
            for d in range(N_COUNTS):
                total += counts[d]
                counts[d] = total - counts[d]
            for i in range(n):
                digit = ((source[i, 0] - low) >> shift) & (N_COUNTS - 1)
                k = counts[digit]
                counts[digit] = k + 1
                target[k, 0] = source[i, 0]
                target[k, 1] = source[i, 1]
            source, target = target, source
            shift += _DIGIT
            passes += 1
        if passes % 2 == 1:
            for i in range(n):
                rows[i, 0] = spare[i, 0]
                rows[i, 1] = spare[i, 1]
    _insert(rows, n)
