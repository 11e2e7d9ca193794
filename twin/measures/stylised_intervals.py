"""Intervals of the statistics in `stylised`; method and length of blocks are named in each result.

Dependent series are resampled in blocks, independent ones singly. Each function takes the `Resampler` to use.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.measures import stylised
from twin.measures.resampling import Measured, Resampler, nothing

Floats = NDArray[np.float64]


def mean(x: ArrayLike, by: Resampler) -> Measured:
    """Mean, for instance a share (of zeros and ones)."""
    return by.of_means(np.asarray(x, np.float64), lambda m: m[:, 0])


def ratio(numerator: ArrayLike, denominator: ArrayLike, by: Resampler) -> Measured:
    """Ratio of two sums over the same observations, for instance a time-weighted mean."""
    return by.of_means(np.column_stack([numerator, denominator]), lambda m: m[:, 0] / m[:, 1])


def quantile(x: ArrayLike, level: float, by: Resampler) -> Measured:
    """Quantile of a sample."""
    return by.of_sample(x, lambda sample: float(np.quantile(sample, level)))


def deviation(x: ArrayLike, by: Resampler) -> Measured:
    """Standard deviation."""
    y = stylised.centred(x)
    return by.of_means(np.column_stack([y, y**2]), lambda m: np.sqrt(np.maximum(m[:, 1] - m[:, 0] ** 2, 0)))


def _central(m: Floats) -> tuple[Floats, Floats, Floats]:
    """Second, third and fourth central moments from raw ones."""
    a, b, c, d = m.T
    return b - a**2, c - 3 * a * b + 2 * a**3, d - 4 * a * c + 6 * a**2 * b - 3 * a**4


def _powers(x: ArrayLike) -> Floats:
    y = stylised.centred(x)
    scale = float(y.std()) if len(y) else 0.0
    unit = y / (scale or 1.0)
    return np.column_stack([unit, unit**2, unit**3, unit**4])


def skewness(x: ArrayLike, by: Resampler) -> Measured:
    """`stylised.skewness`."""

    def statistic(m: Floats) -> Floats:
        second, third, _ = _central(m)
        return third / second**1.5

    return by.of_means(_powers(x), statistic)


def excess_kurtosis(x: ArrayLike, by: Resampler) -> Measured:
    """`stylised.excess_kurtosis`."""

    def statistic(m: Floats) -> Floats:
        second, _, fourth = _central(m)
        return fourth / second**2 - 3.0

    return by.of_means(_powers(x), statistic)


def hill(x: ArrayLike, fraction: float, by: Resampler) -> Measured:
    """`stylised.hill`."""
    data = np.asarray(x, np.float64)
    return by.of_sample(data[data > 0], lambda sample: stylised.hill(sample, fraction))


def _products(x: ArrayLike, lags: NDArray[np.int64]) -> Floats:
    """Rows of x[t] * x[t + k] over the lags, then x[t] squared."""
    y = stylised.centred(x)
    n = len(y) - int(lags.max())
    return np.column_stack([*(y[:n] * y[k : k + n] for k in lags), y[:n] ** 2])


def autocorrelations(x: ArrayLike, lags: ArrayLike, by: Resampler) -> list[Measured]:
    """`stylised.autocorrelation` at several lags; values are the usual ones, spreads come from blocks of products."""
    steps = np.asarray(lags, np.int64)
    data = np.asarray(x, np.float64)
    if len(data) < 4 * int(steps.max()) or not np.ptp(data):
        return [nothing(len(data)) for _ in steps]
    values = stylised.autocorrelation(data, steps)
    rows = _products(data, steps)
    sample = by.means(rows)
    sample = sample[:, :-1] / sample[:, -1:]
    # Rows end before the series does; the usual estimate is kept and the sample moved onto it.
    sample += values - rows.mean(axis=0)[:-1] / rows[:, -1].mean()
    tail = 50 * (1 - by.level)
    low, high = np.percentile(sample, [tail, 100 - tail], axis=0)
    how = by.describe(len(rows))
    return [Measured(float(v), float(a), float(b), len(data), how) for v, a, b in zip(values, low, high, strict=True)]


def mean_autocorrelation(x: ArrayLike, first: int, last: int, by: Resampler) -> Measured:
    """Mean autocorrelation over the lags from `first` to `last`: memory in one number, whatever the shape of decay."""
    steps = np.arange(first, last + 1)
    data = np.asarray(x, np.float64)
    if len(data) < 4 * last or not np.ptp(data):
        return nothing(len(data))
    return by.of_means(_products(data, steps), lambda m: np.asarray(m[:, :-1].mean(axis=1) / m[:, -1]))


def decay(x: ArrayLike, lags: ArrayLike, by: Resampler) -> Measured:
    """`stylised.decay_exponent` of a series' autocorrelation."""
    steps = np.asarray(lags, np.int64)
    data = np.asarray(x, np.float64)
    if len(data) < 4 * int(steps.max()) or not np.ptp(data):
        return nothing(len(data))
    value = stylised.decay_exponent(steps, stylised.autocorrelation(data, steps))
    sample = by.means(_products(data, steps))
    fits = np.array([stylised.decay_exponent(steps, row[:-1] / row[-1]) for row in sample])
    how = by.describe(len(data) - int(steps.max()))
    good = fits[np.isfinite(fits)]
    if not math.isfinite(value) or len(good) < 0.5 * len(fits):
        return Measured(math.nan, math.nan, math.nan, len(data), how + "; correlations not positive")
    tail = 50 * (1 - by.level)
    low, high = np.percentile(good, [tail, 100 - tail])
    return Measured(value, float(low), float(high), len(data), how)


def weibull_shape(x: ArrayLike, by: Resampler) -> Measured:
    """Shape of `stylised.weibull` over the positive values."""
    data = np.asarray(x, np.float64)
    return by.of_sample(data[data > 0], lambda sample: stylised.weibull(sample)[0])


def variance_ratio(returns: ArrayLike, q: int, by: Resampler) -> Measured:
    """`stylised.variance_ratio`, resampled through products: 1 + 2 sum (1 - k/q) acf(k), its asymptotic equal."""
    data = np.asarray(returns, np.float64)
    if len(data) < 4 * q or not np.ptp(data):
        return nothing(len(data))
    steps = np.arange(1, q)
    weight = 2 * (1 - steps / q)

    def statistic(m: Floats) -> Floats:
        return np.asarray(1 + m[:, :-1] @ weight / m[:, -1])

    found = by.of_means(_products(data, steps), statistic)
    shift = stylised.variance_ratio(data, q) - found.value
    return Measured(found.value + shift, found.low + shift, found.high + shift, len(data), found.method)


def correlation(x: ArrayLike, y: ArrayLike, by: Resampler) -> Measured:
    """`stylised.correlation` of pairs."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(a) < 4 or not np.ptp(a) or not np.ptp(b):
        return nothing(len(a))
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()

    def statistic(m: Floats) -> Floats:
        spread = np.sqrt((m[:, 2] - m[:, 0] ** 2) * (m[:, 3] - m[:, 1] ** 2))
        return (m[:, 4] - m[:, 0] * m[:, 1]) / spread

    return by.of_means(np.column_stack([a, b, a * a, b * b, a * b]), statistic)


def mean_ratio(x: ArrayLike, y: ArrayLike, by: Resampler) -> Measured:
    """Mean of one series over the mean of another, each resampled by itself: for parts of the day."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(a) < 2 or len(b) < 2 or b.mean() == 0:
        return nothing(len(a))
    sample = by.means(a)[:, 0] / replace(by, seed=by.seed + 1).means(b)[:, 0]
    tail = 50 * (1 - by.level)
    low, high = np.percentile(sample, [tail, 100 - tail])
    return Measured(float(a.mean() / b.mean()), float(low), float(high), len(a) + len(b), by.describe(len(a)))


def impact_exponent(share: ArrayLike, impacts: ArrayLike, by: Resampler) -> Measured:
    """Exponent of `stylised.impact_fit`, resampled over the replications.

    Args:
        share: sizes as shares of the day's volume.
        impacts: replications x sizes.
        by: with blocks of 1: replications are independent.
    """
    rows = np.asarray(impacts, np.float64)
    if len(rows) < 3:
        return nothing(len(rows))
    error = np.maximum(rows.std(axis=0, ddof=1), 1e-12) / math.sqrt(len(rows))
    return by.of_sample(rows, lambda sample: stylised.impact_fit(share, sample.mean(axis=0), error)[0])
