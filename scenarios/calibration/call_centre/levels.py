"""Weekly levels that wander: a random walk seen through noise, forecast with all that is not known about it.

Local level model (Harvey 1989, ch. 2): y[w] = level[w] + noise, level[w+1] = level[w] + step. Records of a few months
cannot tell how much of the variation is steps, so every share is weighed by its likelihood (diffuse start, flat prior)
and draws are made from the mixture: few weeks give wide bands, and a level that only jitters is not followed.
Assumes of the variance before any record: `PRIOR_SD` squared, with the weight of `PRIOR_WEEKS` weeks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import DataError
from twin.randomness import Stream, Streams

Floats = NDArray[np.float64]
SHARES = np.linspace(0.0, 0.95, 20)
"""Shares of the step in the variance of a week (step over step plus noise) that are weighed."""
PRIOR_SD, PRIOR_WEEKS = 0.1, 3
LARGEST = 1.0
"""Logarithms of levels are kept within a factor of e."""


@dataclass(frozen=True)
class Levels:
    """What is known of a wandering level, per share of the step (rows).

    Args:
        smooth: expected level of every week with all weeks known, float64[weeks].
        weight: posterior weight.
        level: mean of the last week's level.
        known: its variance, in units of the variance of a week's noise plus step.
        scale: sum of squares whose quotient with a chi-square draw of `freedom` degrees is that variance.
        freedom: weeks less one, plus those of the prior.
    """

    smooth: Floats
    weight: Floats
    level: Floats
    known: Floats
    scale: Floats
    freedom: int

    @property
    def share(self) -> float:
        """Expected share of the step."""
        return float(self.weight @ SHARES)

    def draw(self, weeks: int, streams: Streams, entity: int) -> Floats:
        """Levels of the last week and of the `weeks` after it, float64[weeks + 1].

        Args:
            weeks: how many to come.
            streams: random numbers of the replication.
            entity: the draws are those of `entity` and the weeks + 2 numbers before it.
        """
        from scipy.special import gammaincinv

        u = streams.uniform(Stream.PROCESS_ARRIVAL, np.array([entity, entity - 1]), 2)
        i = min(int(np.searchsorted(np.cumsum(self.weight), u[0])), len(SHARES) - 1)
        variance = self.scale[i] / (2 * float(gammaincinv(self.freedom / 2, u[1])))
        z = streams.normal(Stream.PROCESS_ARRIVAL, entity - 2 - np.arange(weeks + 1), 2)
        spread = np.sqrt(variance * np.append(self.known[i], np.full(weeks, SHARES[i])))
        return np.clip(self.level[i] + np.cumsum(z * spread), -LARGEST, LARGEST)


def fit_levels(values: ArrayLike, size: ArrayLike | None = None) -> Levels:
    """Levels from successive weeks.

    Args:
        values: one a week, NaN where nothing is known.
        size: how much each rests on (its days): its noise has a variance inversely proportional to it.

    Raises:
        DataError: if no week is known.
    """
    y = np.asarray(values, np.float64)
    n = np.ones(len(y)) if size is None else np.asarray(size, np.float64)
    known = np.flatnonzero(np.isfinite(y) & (n > 0))
    if not len(known):
        raise DataError("no week with a level")
    rough = n[known].max() / n[known]
    walk = np.minimum.outer(np.arange(len(y)), np.arange(len(y))).astype(np.float64)
    found = [_posterior(y[known], share * walk, (1 - share) * rough, known) for share in SHARES]
    smooth = np.stack([f[0] for f in found])
    variance, squares, logs = (np.array([f[i] for f in found]) for i in (1, 2, 3))
    freedom = len(known) - 1 + PRIOR_WEEKS
    scale = squares + PRIOR_WEEKS * PRIOR_SD**2
    likelihood = -0.5 * (logs + freedom * np.log(scale))
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    return Levels(weight @ smooth, weight, smooth[:, -1], variance, scale, freedom)


def _posterior(y: Floats, walk: Floats, noise: Floats, known: NDArray[np.intp]) -> tuple[Floats, float, float, float]:
    """Levels of all weeks, variance of the last, weighted squares and log determinants (generalised least squares).

    The first level is diffuse: it is the mean of the regression, and its likelihood is the restricted one.
    """
    inside = walk[np.ix_(known, known)] + np.diag(noise)
    inverse, one = np.linalg.inv(inside), np.ones(len(known))
    precision = float(one @ inverse @ one)
    rest = y - float(one @ inverse @ y) / precision
    level = float(y[0] - rest[0]) + walk[:, known] @ inverse @ rest
    last = walk[-1, known]
    variance = walk[-1, -1] - last @ inverse @ last + (1 - last @ inverse @ one) ** 2 / precision
    logs = float(np.linalg.slogdet(inside)[1]) + float(np.log(precision))
    return level, max(float(variance), 0.0), float(rest @ inverse @ rest), logs


def week_of(date: dt.date, first: dt.date) -> int:
    """Weeks from the Monday of the week of `first` to `date`."""
    return (date - first + dt.timedelta(days=first.weekday())).days // 7


def weekly(logs: ArrayLike, dates: Sequence[dt.date], first: dt.date, last: dt.date) -> Levels:
    """Levels of the weeks from `first` to `last` from logarithms of single days."""
    week = np.array([week_of(d, first) for d in dates], np.int64)
    weeks = week_of(last, first) + 1
    size = np.bincount(week, minlength=weeks)
    total = np.bincount(week, np.asarray(logs, np.float64), weeks)
    return fit_levels(np.where(size > 0, total / np.maximum(size, 1), np.nan), size)
