"""Log-linear histogram of non-negative integers: 64 buckets per power of two, so a bucket is at most 1/64 wide.

Values below 128 have a bucket each. A bucket stands for its middle, so the relative error is at most 1/128.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import njit
from twin.kernels.borrowing import bit_length

SUB_BUCKETS = 64
MAX_EXPONENT = 48
N_BUCKETS = (MAX_EXPONENT - 6) * SUB_BUCKETS + SUB_BUCKETS
"""Values up to 2**48 - 1 (78 hours in ns) are told apart; larger ones fall into the last bucket."""


@njit(cache=True)
def bucket_of(value):
    """Bucket of an int64; negative values count as 0."""
    if value < 2 * SUB_BUCKETS:
        return max(value, np.int64(0))
    if value >= 1 << MAX_EXPONENT:
        return np.int64(N_BUCKETS - 1)
    shift = bit_length(value) - 7
    return shift * SUB_BUCKETS + (value >> shift)


@njit(cache=True)
def record(counts, row, value):
    """Count one value in a row of a histogram (int64, rows x N_BUCKETS)."""
    counts[row, bucket_of(value)] += 1


@njit(cache=True)
def record_all(counts, rows, values):
    """Count every value (int64) in the row given for it (int64)."""
    for i in range(values.shape[0]):
        record(counts, rows[i], values[i])
