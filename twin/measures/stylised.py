"""Statistics of prices and order flow by which markets are known: the estimators.

Pure functions of arrays; times in ns since midnight, prices in ticks. Their intervals are in `stylised_intervals`.

References: Cont, Quantitative Finance 1 (2001) 223 (the list of facts); Hill, Annals of Statistics 3 (1975) 1163; Lo
and MacKinlay, Review of Financial Studies 1 (1988) 41 (variance ratio); Lillo and Farmer, Studies in Nonlinear Dynamics
and Econometrics 8(3) (2004) (memory of signs); Bouchaud, Mezard and Potters, Quantitative Finance 2 (2002) 251
(placement, average book); Lillo, Farmer and Mantegna, Nature 421 (2003) 129 (impact of single trades).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.clock import MILLISECOND, SECOND, SESSIONS, Phase

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Windows = Sequence[tuple[int, int]]

CONTINUOUS: tuple[tuple[int, int], ...] = tuple((s.start, s.end) for s in SESSIONS if s.phase == Phase.CONTINUOUS)
"""Windows of continuous trading, ns since midnight."""
DECAY_LAGS: Ints = np.unique(np.round(np.geomspace(1, 200, 20)).astype(np.int64))
"""Lags, evenly spread in logarithm, over which the decay of order signs is fitted."""
FEED_RESOLUTION = 10 * MILLISECOND
"""Recorded times are in hundredths of a second; simulated ones are cut to the same before gaps are taken."""
MARKETABLE, INSIDE, AT_BEST, BEHIND = range(4)


def centred(x: ArrayLike) -> Floats:
    """A sample less its mean."""
    data = np.asarray(x, np.float64)
    return data - data.mean() if len(data) else data


def inside(time: Ints, windows: Windows = CONTINUOUS) -> NDArray[np.bool_]:
    """Which instants lie in one of the windows (start included, end excluded)."""
    found = np.zeros(len(time), np.bool_)
    for start, end in windows:
        found |= (time >= start) & (time < end)
    return found


def trading_time(time: ArrayLike, windows: Windows = CONTINUOUS) -> Ints:
    """Nanoseconds of the windows that have passed at each instant, so that the lunch break takes no time."""
    t = np.asarray(time, np.int64)
    passed = np.zeros(t.shape, np.int64)
    for start, end in windows:
        passed += np.clip(t - start, 0, end - start)
    return passed


def on_grid(time: Ints, value: ArrayLike, step: int, windows: Windows = CONTINUOUS) -> Floats:
    """The value in force at the end of every step of every window, in one series.

    Args:
        time: when each value began, ascending; values before the first are taken as the first.
        value: any column.
        step: ns.
        windows: the noon break counts as one step, as in the reference statistics.
    """
    ends = np.concatenate([np.arange(start + step, end + 1, step) for start, end in windows])
    rows = np.searchsorted(time, ends, side="right") - 1
    return np.asarray(value, np.float64)[np.maximum(rows, 0)]


def log_returns(price: ArrayLike) -> Floats:
    """Differences of the logarithm; a price of 0 or less gives NaN, which is left out."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(np.asarray(price, np.float64))
    steps = np.diff(logs)
    return steps[np.isfinite(steps)]


def skewness(x: ArrayLike) -> float:
    """Third standardised moment."""
    y = centred(x)
    variance = float(np.mean(y * y))
    return float(np.mean(y**3)) / variance**1.5 if variance > 0 else math.nan


def excess_kurtosis(x: ArrayLike) -> float:
    """Fourth standardised moment less that of a Gaussian (3)."""
    y = centred(x)
    variance = float(np.mean(y * y))
    return float(np.mean(y**4)) / variance**2 - 3.0 if variance > 0 else math.nan


def hill(x: ArrayLike, fraction: float = 0.05) -> float:
    """Tail exponent of the largest positive values (Hill 1975): P(X > x) ~ x ** -exponent.

    Args:
        x: a sample; take absolute values for two-sided tails.
        fraction: share of the sample that counts as the tail; k = floor(fraction n) values above the (k+1)-th.
    """
    data = np.asarray(x, np.float64)
    data = data[data > 0]
    k = int(len(data) * fraction)
    if k < 5:
        return math.nan
    tail = np.partition(data, len(data) - k - 1)[-k - 1 :]
    total = float(np.sum(np.log(tail / tail.min())))
    return k / total if total > 0 else math.nan


def autocorrelation(x: ArrayLike, lags: ArrayLike) -> Floats:
    """Sample autocorrelation, mean of the products over mean of the squares; NaN at lags beyond the data."""
    y = centred(x)
    variance = float(np.mean(y * y)) if len(y) else 0.0
    steps = np.asarray(lags, np.int64)
    if variance == 0:
        return np.full(len(steps), math.nan)
    return np.array([float(np.mean(y[:-k] * y[k:])) / variance if k < len(y) else math.nan for k in steps])


def decay_exponent(lags: ArrayLike, correlation: ArrayLike) -> float:
    """Exponent g of correlation ~ lag ** -g: least squares on logarithms, positive correlations only.

    NaN where fewer than half of the correlations are positive: then there is no slow decay to fit.
    """
    k, c = np.asarray(lags, np.float64), np.asarray(correlation, np.float64)
    good = np.isfinite(c) & (c > 0)
    if good.sum() < max(3, 0.5 * len(c)):
        return math.nan
    return -float(np.polyfit(np.log(k[good]), np.log(c[good]), 1)[0])


def variance_ratio(returns: ArrayLike, q: int) -> float:
    """Variance of q-step returns over q times that of one-step returns, overlapping (Lo and MacKinlay 1988).

    1 for uncorrelated returns, below 1 where prices revert, above where they trend.
    """
    r = np.asarray(returns, np.float64)
    r = r - r.mean()
    if len(r) <= q or not r.any():
        return math.nan
    total = np.concatenate([[0.0], np.cumsum(r)])
    long = total[q:] - total[:-q]
    n = len(r)
    scale = q * (n - q + 1) * (1 - q / n)
    return float(np.sum(long**2)) / scale / (float(np.sum(r * r)) / (n - 1))


def signature(price: ArrayLike, steps: ArrayLike) -> Floats:
    """Signature plot: mean squared log return per base step at each sampling interval (in base steps)."""
    logs = np.log(np.asarray(price, np.float64))
    return np.array([float(np.mean((logs[k:] - logs[:-k]) ** 2)) / k for k in np.asarray(steps, np.int64)])


def kurtosis_by_horizon(returns: ArrayLike, horizons: Sequence[int]) -> Floats:
    """Excess kurtosis of sums of 1, 2, ... returns: aggregational Gaussianity is its fall with the horizon."""
    r = np.asarray(returns, np.float64)
    return np.array([excess_kurtosis(r[: len(r) // h * h].reshape(-1, h).sum(axis=1)) for h in horizons])


@dataclass(frozen=True)
class Sizes:
    """Order or trade sizes in shares; the shares of round sizes count a multiple of 10,000 as one of 100 too."""

    n: int
    mean: float
    median: float
    p90: float
    p99: float
    share_eq_100: float
    share_mult_100: float
    share_mult_1000: float
    share_mult_10000: float
    hill_top1pct: float
    hill_top5pct: float


def sizes(shares: ArrayLike) -> Sizes:
    """Distribution of order sizes: quantiles, round numbers (Mu et al., EPJ B 68 (2009) 145), tail exponent."""
    x = np.asarray(shares, np.int64)
    median, p90, p99 = (float(q) for q in np.quantile(x, [0.5, 0.9, 0.99]))
    lots, thousands, myriads = (float(np.mean(x % unit == 0)) for unit in (100, 1_000, 10_000))
    return Sizes(
        len(x), float(x.mean()), median, p90, p99, float(np.mean(x == 100)), lots, thousands, myriads,
        hill(x, 0.01), hill(x, 0.05),
    )  # fmt: skip


def gaps(time: Ints, windows: Windows = CONTINUOUS, resolution: int = FEED_RESOLUTION) -> Floats:
    """Seconds between successive events within each window, times cut to the feed's resolution."""
    parts = [np.diff(time[(time >= start) & (time < end)] // resolution * resolution) for start, end in windows]
    return np.concatenate(parts) / SECOND


def weibull(x: ArrayLike) -> tuple[float, float]:
    """Shape and scale of a Weibull law by maximum likelihood; a shape below 1 means clustering.

    The profile likelihood's equation sum(x^k ln x) / sum(x^k) - 1/k = mean(ln x) has one root (Newton's method).
    """
    values, counts = np.unique(np.asarray(x, np.float64), return_counts=True)
    values, counts = values[values > 0], counts[values > 0]
    n = int(counts.sum())
    if len(values) < 3:
        return math.nan, math.nan
    logs = np.log(values)
    mean_log = float(counts @ logs) / n
    logs = logs - mean_log
    k = 1.2 / max(float(np.sqrt(counts @ logs**2 / n)), 1e-9)
    for _ in range(60):
        power = counts * np.exp(k * logs)
        s0, s1, s2 = float(power.sum()), float(power @ logs), float(power @ logs**2)
        value = s1 / s0 - 1 / k
        slope = s2 / s0 - (s1 / s0) ** 2 + 1 / (k * k)
        step = value / slope
        k = max(k - step, 0.25 * k)
        if abs(step) < 1e-10 * k:
            break
    return k, float((counts @ np.exp(k * logs) / n) ** (1 / k) * math.exp(mean_log))


def placement(side: Ints, price: Ints, bid: Ints, ask: Ints) -> Ints:
    """Where each order was placed: MARKETABLE, INSIDE the spread, AT_BEST of its own side or BEHIND it.

    Orders must have met both quotes; a price of 0 is a market order.
    """
    crosses = (price == 0) | np.where(side > 0, price >= ask, price <= bid)
    behind = ticks_behind(side, price, bid, ask)
    return np.select([crosses, behind < 0, behind == 0], [MARKETABLE, INSIDE, AT_BEST], BEHIND).astype(np.int64)


def ticks_behind(side: Ints, price: Ints, bid: Ints, ask: Ints) -> Ints:
    """Ticks by which an order lies behind the best price of its own side; negative inside the spread and beyond."""
    return np.where(side > 0, bid - price, price - ask)


def time_weights(time: Ints, windows: Windows = CONTINUOUS) -> Floats:
    """Seconds of the windows for which each state, from its time to the next one's, was in force."""
    passed = trading_time(np.append(time, windows[-1][1]), windows)
    return np.diff(passed) / SECOND


def one_sign_per_order(sign: Ints, taker: Ints) -> tuple[Ints, Ints]:
    """The signs of aggressors and the row of each one's first trade: trades of one order count once (sign 0: none)."""
    rows = np.flatnonzero(sign != 0)
    first = np.append(True, taker[rows][1:] != taker[rows][:-1])
    return sign[rows][first], rows[first]


def binned_sums(time: Ints, weight: ArrayLike, step: int, windows: Windows = CONTINUOUS) -> Floats:
    """Sum of the weights in every whole step of every window, in one series."""
    parts = []
    for start, end in windows:
        edges = np.arange(start, end + 1, step)
        parts.append(np.histogram(time, edges, weights=np.asarray(weight, np.float64))[0])
    return np.concatenate(parts)


def correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's correlation; NaN where one does not vary."""
    a, b = centred(x), centred(y)
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else math.nan


def volume_volatility(volume: Floats, fine_returns: Floats) -> float:
    """Correlation over bins of log volume with log realised volatility (root of the sum of squared finer returns).

    Args:
        volume: shares of each bin.
        fine_returns: bins x returns within the bin.
    """
    realised = np.sqrt(np.sum(fine_returns**2, axis=1))
    good = (volume > 0) & (realised > 0)
    return correlation(np.log(volume[good]), np.log(realised[good])) if good.sum() > 3 else math.nan


def depth_profile(depth: Ints) -> Floats:
    """Mean shares on each level from the best outwards, both sides together.

    Args:
        depth: rows x (bid price, bid shares, ask price, ask shares) x levels.
    """
    return 0.5 * (depth[:, 1].mean(axis=0) + depth[:, 3].mean(axis=0))


def power_exponent(size: ArrayLike, response: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Exponent b of response ~ size ** b by (weighted) least squares on logarithms of the positive responses.

    Weights are those of the squared residuals: for a mean with standard error s, (response / s) ** 2.
    """
    x, y = np.asarray(size, np.float64), np.asarray(response, np.float64)
    w = np.ones(len(x)) if weight is None else np.asarray(weight, np.float64)
    good = (x > 0) & (y > 0) & np.isfinite(y) & (w > 0)
    if good.sum() < 2 or np.ptp(np.log(x[good])) == 0:
        return math.nan
    return float(np.polyfit(np.log(x[good]), np.log(y[good]), 1, w=np.sqrt(w[good]))[0])


def mean_by_size(size: ArrayLike, response: ArrayLike, bins: int = 12, least: int = 30) -> tuple[Floats, Floats]:
    """Mean size and mean response in bins of equal width in log size; bins with fewer than `least` are left out."""
    x, y = np.asarray(size, np.float64), np.asarray(response, np.float64)
    x, y = x[x > 0], y[x > 0]
    if len(x) == 0 or x.min() == x.max():
        return np.zeros(0), np.zeros(0)
    edges = np.geomspace(x.min(), x.max() * (1 + 1e-9), bins + 1)
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, bins - 1)
    count = np.bincount(place)
    held = count >= least
    return (np.bincount(place, weights=x)[held] / count[held], np.bincount(place, weights=y)[held] / count[held])


_EXPONENTS = np.arange(0.0, 2.0001, 0.005)


def impact_fit(share: ArrayLike, impact: ArrayLike, error: ArrayLike) -> tuple[float, float]:
    """Exponent d and prefactor Y of impact = Y share ** d, by least squares weighted with the errors.

    Impacts of small orders may well come out negative, so the fit is on the impacts, not on their logarithms: for each
    exponent from 0 to 2 the best prefactor is known in closed form, and the best exponent is searched on a grid.

    Args:
        share: size of the metaorder as a share of the day's volume.
        impact: mean signed price change in units of the daily volatility (Toth et al., PRX 1 (2011) 021006).
        error: standard error of each mean.
    """
    x, y, e = (np.asarray(column, np.float64) for column in (share, impact, error))
    if len(x) < 3 or not (e > 0).all():
        return math.nan, math.nan
    curves = x[None, :] ** _EXPONENTS[:, None] / e
    target = y / e
    best = (curves @ target) / (curves**2).sum(axis=1)
    misfit = ((target - best[:, None] * curves) ** 2).sum(axis=1)
    misfit[best <= 0] = math.inf
    i = int(np.argmin(misfit))
    return (float(_EXPONENTS[i]), float(best[i])) if math.isfinite(misfit[i]) else (math.nan, math.nan)
