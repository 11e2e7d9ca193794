"""Latency histograms: log-linear buckets with a relative error below 1 %, mergeable, one row per group or minute.

After Tene's HdrHistogram; the bucket rule is in `twin.kernels.histogram`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.kernels import histogram as kernel

N_BUCKETS = kernel.N_BUCKETS


def _edges() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First value and width of every bucket."""
    bucket = np.arange(N_BUCKETS)
    shift = np.maximum(bucket // kernel.SUB_BUCKETS - 1, 0)
    width = np.int64(1) << shift
    return (bucket - shift * kernel.SUB_BUCKETS) * width, width


BUCKET_START, BUCKET_WIDTH = _edges()
BUCKET_VALUE = BUCKET_START + (BUCKET_WIDTH - 1) // 2
"""What a bucket stands for: its middle."""


class Histograms:
    """Histograms of non-negative integers, one per row.

    Args:
        rows: number of histograms (groups, or minutes of the day).

    Example:
        >>> h = Histograms(1)
        >>> h.record(np.array([10, 20, 30]))
        >>> int(h.percentile(50)[0])
        20
    """

    def __init__(self, rows: int = 1) -> None:
        self.counts: NDArray[np.int64] = np.zeros((rows, N_BUCKETS), np.int64)

    def __len__(self) -> int:
        return len(self.counts)

    def record(self, values: NDArray[np.int64], rows: NDArray[np.int64] | int = 0) -> None:
        """Count values, each in its row."""
        values = np.ascontiguousarray(values, np.int64)
        kernel.record_all(self.counts, np.ascontiguousarray(np.broadcast_to(np.int64(rows), values.shape)), values)

    def merge(self, other: Histograms) -> None:
        """Add the counts of another histogram of the same shape."""
        self.counts += other.counts

    def total(self) -> NDArray[np.int64]:
        """Number of values in each row."""
        return np.asarray(self.counts.sum(axis=1))

    def pooled(self) -> Histograms:
        """All rows in one."""
        out = Histograms(1)
        out.counts[0] = self.counts.sum(axis=0)
        return out

    def grouped(self, size: int) -> Histograms:
        """Rows pooled in groups of `size` neighbours (minutes into quarters of an hour); the last may be smaller."""
        out = Histograms(-(-len(self) // size))
        out.counts[:] = np.add.reduceat(self.counts, np.arange(0, len(self), size), axis=0)
        return out

    def percentile(self, q: float) -> NDArray[np.float64]:
        """The q-th percentile (0 to 100) of each row: the smallest value that q % do not exceed; NaN where empty."""
        cumulated = self.counts.cumsum(axis=1)
        total = cumulated[:, -1]
        # The small subtraction keeps q/100*n from being rounded up to the next rank.
        rank = np.maximum(np.ceil(q / 100 * total - 1e-9), 1)
        bucket = np.minimum((cumulated < rank[:, None]).sum(axis=1), N_BUCKETS - 1)
        return np.where(total > 0, BUCKET_VALUE[bucket], np.nan)

    def mean(self) -> NDArray[np.float64]:
        """Mean of each row (within the bucket error); NaN where empty."""
        total = self.total()
        return np.where(total > 0, self.counts @ BUCKET_VALUE.astype(np.float64) / np.maximum(total, 1), np.nan)

    def share_above(self, value: int) -> NDArray[np.float64]:
        """Share of each row in buckets that start above a value; NaN where empty."""
        total = self.total()
        above = self.counts[:, value < BUCKET_START].sum(axis=1)
        return np.where(total > 0, above / np.maximum(total, 1), np.nan)
