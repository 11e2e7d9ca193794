"""How good probabilistic forecasts were: CRPS, coverage, rank histogram, skill with an interval.

Source of the rules: Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.forecasting.columns import Bools, Floats
from twin.randomness import Stream, Streams

BANDS = (0.5, 0.8, 0.95)
"""Nominal coverage of the bands."""
BINS = 10
"""Of the rank histogram."""
_LEAST = 5
"""Members that must have a value for a forecast to count."""


def crps(members: Floats, truth: Floats) -> Floats:
    """Continuous ranked probability score of ensembles, in the unit of the truth; 0 is perfect.

    Args:
        members: (member, ...); members without a value (NaN) do not count.
        truth: (...).

    Returns:
        E|X - y| - E|X - X'| / 2 over the members as they are, from their order (Hersbach 2000); NaN where the truth
        or all members are missing.
    """
    x = np.sort(members, axis=0)
    n = np.sum(~np.isnan(members), axis=0)
    rank = np.arange(1, len(x) + 1).reshape(-1, *[1] * truth.ndim)
    with np.errstate(invalid="ignore"):
        term = (x - truth) * (n * (truth < x) - rank + 0.5)
    total = np.nansum(np.where(rank <= n, term, 0.0), axis=0)
    usable = (n > 0) & ~np.isnan(truth)
    return np.where(usable, 2.0 * total / np.maximum(n, 1) ** 2, np.nan)


def usable(members: Floats, truth: Floats) -> Bools:
    """Where there is a truth and enough of the ensemble has a value."""
    return ~np.isnan(truth) & (np.sum(~np.isnan(members), axis=0) >= _LEAST)


def ranks(members: Floats, truth: Floats, streams: Streams, first: int = 0) -> Floats:
    """Probability integral transform: uniform on (0, 1) if truth and members are draws from one law.

    Ties, as counts have them, are broken at random.

    Args:
        members: (member, ...).
        truth: (...).
        streams: of the ties.
        first: entity of the first draw.
    """
    n = np.sum(~np.isnan(members), axis=0)
    with np.errstate(invalid="ignore"):
        below, ties = np.sum(members < truth, axis=0), np.sum(members == truth, axis=0)
    u = streams.uniform(Stream.FORECAST_RANK, first + np.arange(truth.size)).reshape(truth.shape)
    return np.where(usable(members, truth), (below + u * (ties + 1)) / (n + 1), np.nan)


def quantiles(members: Floats, shares: Floats) -> Floats:
    """Quantiles (share, ...) over the members that have a value, NaN where too few have."""
    few = np.sum(~np.isnan(members), axis=0) < max(_LEAST, 0.1 * len(members))
    filled = np.where(few, 0.0, members)
    out = np.quantile(filled, shares, axis=0) if not np.isnan(filled).any() else np.nanquantile(filled, shares, axis=0)
    return np.where(few, np.nan, out)


def inside(members: Floats, truth: Floats, band: float) -> Floats:
    """1 where the truth lies in the central band of the members, ends included; NaN where there is none."""
    low, high = quantiles(members, np.array([(1 - band) / 2, (1 + band) / 2]))
    with np.errstate(invalid="ignore"):
        hit = (truth >= low) & (truth <= high)
    return np.where(usable(members, truth), hit.astype(np.float64), np.nan)


def covered(pit: Floats, band: float) -> Floats:
    """1 where the rank lies in the central band: at nominal rate also for counts, if the forecast is right."""
    return np.where(np.isnan(pit), np.nan, (np.abs(pit - 0.5) <= band / 2).astype(np.float64))


@dataclass(frozen=True)
class Skill:
    """1 - score / score of a reference, with its 95 % interval; positive is better than the reference."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `can't tell` if the interval holds zero."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "can't tell"


def skill(score: Floats, reference: Floats, streams: Streams, draws: int = 2_000) -> Skill:
    """Skill from the scores of successive origins, with an interval from a moving-block bootstrap over origins.

    Args:
        score: summed or mean score of each origin, in order of time.
        reference: of the other forecast.
        streams: of the resampling.
        draws: resamples.
    """
    ok = ~(np.isnan(score) | np.isnan(reference))
    score, reference = score[ok], reference[ok]
    if not len(score) or reference.sum() <= 0:
        return Skill(np.nan, np.nan, np.nan)
    value = 1.0 - score.sum() / reference.sum()
    rows = blocks(len(score), streams, draws)
    below = reference[rows].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = 1.0 - score[rows].sum(axis=1) / below
    drawn = drawn[np.isfinite(drawn)]
    if len(score) < 3 or not len(drawn):
        return Skill(float(value), np.nan, np.nan)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Skill(float(value), float(low), float(high))


def blocks(n: int, streams: Streams, draws: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Rows of a circular block bootstrap (Politis and Romano 1992), blocks of about n^(1/3)."""
    length = max(round(n ** (1 / 3)), 1)
    count = -(-n // length)
    first = (streams.uniform(Stream.BOOTSTRAP, np.arange(draws * count)) * n).astype(np.int64).reshape(draws, count, 1)
    return ((first + np.arange(length)) % n).reshape(draws, -1)[:, :n]


def mean_interval(values: Floats, weights: Floats, streams: Streams, draws: int = 2_000) -> tuple[float, float, float]:
    """Weighted mean over origins and its 95 % interval by the same bootstrap.

    Args:
        values: mean of each origin.
        weights: how many values it is the mean of.
        streams: of the resampling.
        draws: resamples.
    """
    ok = ~np.isnan(values) & (weights > 0)
    values, weights = values[ok], weights[ok]
    if not len(values):
        return np.nan, np.nan, np.nan
    mean = float((values * weights).sum() / weights.sum())
    if len(values) < 3:
        return mean, np.nan, np.nan
    rows = blocks(len(values), streams, draws)
    drawn = (values * weights)[rows].sum(axis=1) / weights[rows].sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return mean, float(low), float(high)
