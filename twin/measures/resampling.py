"""Intervals for statistics of one long recording: independent and block bootstrap.

Smooth functions of means (moments, autocorrelations, shares, correlations) are resampled through the sums of blocks,
all replications at once. An autocorrelation resamples rows of products x[t] * x[t + k] (blocks of blocks), so that no
product spans the seam between two blocks. Intervals are percentile intervals (Efron 1979).

References: Kuensch, Annals of Statistics 17 (1989) 1217 (moving blocks); Politis and Romano, in Exploring the Limits of
Bootstrap (1992) (circular blocks); Politis and Romano, JASA 89 (1994) 1303 (stationary bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from twin.errors import DataError
from twin.randomness import Stream, Streams

Floats = NDArray[np.float64]
REPLICATIONS = 400
LEVEL = 0.95
ENOUGH_DAYS = 5


@dataclass(frozen=True)
class Measured:
    """A statistic with its interval; NaN where the data do not give it.

    Attributes:
        value: the statistic; low, high: ends of its interval.
        n: observations behind it.
        method: how the interval was made.
    """

    value: float
    low: float
    high: float
    n: int
    method: str

    @property
    def known(self) -> bool:
        """Whether the data gave the statistic at all."""
        return math.isfinite(self.value)

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return 0.5 * (self.high - self.low)


@dataclass(frozen=True)
class Resampler:
    """How to resample a series.

    Args:
        block: observations of a block; 1 = independent observations, 0 = the cube root rule, n ** (1/3) rounded up.
        replications: bootstrap samples.
        level: of the interval.
        seed: of the bootstrap's own random numbers.
        stationary: geometric block lengths with mean `block` instead of fixed ones (index resampling only).
    """

    block: int = 1
    replications: int = REPLICATIONS
    level: float = LEVEL
    seed: int = 0
    stationary: bool = False

    def length(self, n: int) -> int:
        """Block length for n observations; at most a quarter of them."""
        wanted = self.block if self.block > 0 else math.ceil(n ** (1 / 3))
        return max(1, min(wanted, n // 4))

    def describe(self, n: int) -> str:
        """The method in words."""
        block = self.length(n)
        if block == 1:
            return "i.i.d. bootstrap"
        kind = "stationary" if self.stationary else "circular block"
        return f"{kind} bootstrap, blocks of {block}"

    def means(self, rows: ArrayLike) -> Floats:
        """Bootstrap means of the columns: replications x columns.

        Args:
            rows: observations x columns (or one column).
        """
        x = np.asarray(rows, np.float64)
        x = x[:, None] if x.ndim == 1 else x
        n, block = len(x), self.length(len(x))
        blocks = n // block
        total = np.zeros((n + block, x.shape[1]))
        np.cumsum(np.concatenate([x, x[: block - 1]]), axis=0, out=total[1:])
        sums = total[block:] - total[:n]
        out = np.empty((self.replications, x.shape[1]))
        for start in range(0, self.replications, 50):
            stop = min(start + 50, self.replications)
            out[start:stop] = sums[self._draw(start, stop, blocks, n)].sum(axis=1)
        return out / (blocks * block)

    def indices(self, n: int) -> Iterator[NDArray[np.int64]]:
        """Indices of the bootstrap samples, one after the other."""
        block = self.length(n)
        for i in range(self.replications):
            if self.stationary and block > 1:
                first = self._draw(i, i + 1, n, n)[0]
                breaks = self._uniform(1, np.arange(i * n, (i + 1) * n)) < 1.0 / block
                breaks[0] = True
                at = np.maximum.accumulate(np.where(breaks, np.arange(n), 0))
                yield (first[at] + np.arange(n) - at) % n
            else:
                starts = self._draw(i, i + 1, -(-n // block), n)[0]
                yield ((starts[:, None] + np.arange(block)) % n).ravel()[:n]

    def of_means(self, rows: ArrayLike, statistic: Callable[[Floats], Floats]) -> Measured:
        """Interval of a function of the columns' means.

        Args:
            rows: observations x columns.
            statistic: of a matrix (samples x columns) of means; a value for each sample.
        """
        x = np.asarray(rows, np.float64)
        x = x[:, None] if x.ndim == 1 else x
        if len(x) < 2:
            return nothing(len(x))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            value = float(statistic(x.mean(axis=0)[None, :])[0])
            sample = statistic(self.means(x))
        return self._measured(value, sample, len(x))

    def of_sample(self, data: ArrayLike, statistic: Callable[[Floats], float]) -> Measured:
        """Interval of any statistic of a series (or of rows), by resampling the observations themselves."""
        x = np.asarray(data, np.float64)
        if len(x) < 2:
            return nothing(len(x))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            sample = np.array([statistic(x[rows]) for rows in self.indices(len(x))])
            return self._measured(float(statistic(x)), sample, len(x))

    def _measured(self, value: float, sample: Floats, n: int) -> Measured:
        good = sample[np.isfinite(sample)]
        if not math.isfinite(value) or len(good) < 0.9 * len(sample):
            return Measured(value, math.nan, math.nan, n, self.describe(n))
        tail = 0.5 * (1 - self.level)
        low, high = np.quantile(good, [tail, 1 - tail])
        return Measured(value, float(low), float(high), n, self.describe(n))

    def _draw(self, start: int, stop: int, width: int, below: int) -> NDArray[np.int64]:
        u = self._uniform(0, np.arange(start * width, stop * width))
        return np.minimum((u * below).astype(np.int64), below - 1).reshape(stop - start, width)

    def _uniform(self, counter: int, entities: NDArray[np.int64]) -> Floats:
        return Streams(self.seed).uniform(Stream.BOOTSTRAP, entities, counter)


def nothing(n: int = 0) -> Measured:
    """A statistic that the data do not give."""
    return Measured(math.nan, math.nan, math.nan, n, "too few observations")


def over_days(days: list[Measured], level: float = LEVEL) -> Measured:
    """A statistic over independent days: the mean of the days.

    From five days on the interval is Student's t over the days. Fewer say too little of the spread between days: then
    the days' own intervals are combined, which leaves that spread out.
    """
    known = [day for day in days if day.known]
    if not days:
        raise DataError("no days to average")
    if len(known) < 2:
        return known[0] if known else days[0]
    n = len(known)
    values = np.array([day.value for day in known])
    mean, seen = float(values.mean()), sum(day.n for day in known)
    if n < ENOUGH_DAYS:
        low = math.sqrt(sum((day.value - day.low) ** 2 for day in known)) / n
        high = math.sqrt(sum((day.high - day.value) ** 2 for day in known)) / n
        return Measured(mean, mean - low, mean + high, seen, f"mean of {n} days; {known[0].method} in each")
    half = float(stdtrit(n - 1, 0.5 + level / 2) * values.std(ddof=1) / math.sqrt(n))
    return Measured(mean, mean - half, mean + half, seen, f"Student's t over {n} days")
