"""Maximum-likelihood and least-squares fits of order flow; each takes plain arrays, so that tests can simulate them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares, minimize
from scipy.special import ndtr, zeta

from agents.kernels.excitement import log_likelihood

Floats = NDArray[np.float64]

_FLOOR = 1e-300
"""Smallest likelihood, so that its logarithm is finite."""


@dataclass(frozen=True)
class Lomax:
    """Pareto II distance, density proportional to (1 + x / scale) ** -(1 + exponent); `ks` is the KS distance."""

    scale: float
    exponent: float
    ks: float


@dataclass(frozen=True)
class Sizes:
    """Order sizes: lognormal around a value plus one lot, in whole lots, spikes at one and ten lots; `ks` on lots.

    The largest, `tail_share` of the orders outside the spike, have a Pareto tail that ends at `tail_reach` times its
    beginning; `tail_rmse` is the error of its log quantiles.
    """

    log_value: float
    log_value_sd: float
    spike_share: float
    round_share: float
    ks: float
    tail_share: float
    tail_exponent: float
    tail_reach: float
    tail_rmse: float


@dataclass(frozen=True)
class Patience:
    """A share of senders would cancel after a lognormal time (s), the others never; `km_distance` to Kaplan-Meier."""

    willing_share: float
    log_seconds: float
    log_seconds_sd: float
    km_distance: float


@dataclass(frozen=True)
class Signs:
    """Metaorders of Pareto length: autocorrelation = follow ** 2 * zeta(exponent, lag + 1) / zeta(exponent)."""

    run_exponent: float
    follow: float
    rmse: float


def _maximise(likelihood: Callable[[Floats], Floats], weights: Floats, start: list[float]) -> Floats:
    """Parameters that maximise the weighted log likelihood (Nelder and Mead 1965, restarted once)."""

    def loss(x: Floats) -> float:
        return -float(weights @ np.log(np.maximum(likelihood(x), _FLOOR)))

    def search(x: Floats) -> Floats:
        found = minimize(loss, x, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-6})
        return np.asarray(found.x, np.float64)

    return search(search(np.asarray(start, np.float64)))


def fit_lomax(ticks: ArrayLike, unit: ArrayLike, most: ArrayLike) -> Lomax:
    """Fit the distance behind a price: floor(X) with X = unit * Lomax, given X < most + 1.

    Args:
        ticks: whole ticks, >= 0.
        unit: ticks per unit of the distance.
        most: largest possible ticks (price limit).
    """
    k, u, m = (np.asarray(a, np.float64) for a in (ticks, unit, most))
    u = np.broadcast_to(u, k.shape)
    m = np.maximum(np.broadcast_to(m, k.shape), k)

    # beyond these bounds the truncated density does not change any more, and the search would wander off
    largest = math.log(10 * float(np.max((m + 1) / u)))

    def bounded(logs: Floats) -> tuple[float, float]:
        return math.exp(min(logs[0], largest)), math.exp(min(max(logs[1], -4.0), 3.0))

    def survival(x: Floats, logs: Floats) -> Floats:
        scale, exponent = bounded(logs)
        return np.asarray((1.0 + x / scale) ** -exponent)

    def likelihood(logs: Floats) -> Floats:
        mass = survival(k / u, logs) - survival((k + 1) / u, logs)
        return np.asarray(mass / (1.0 - survival((m + 1) / u, logs)))

    logs = _maximise(likelihood, np.ones(len(k)), [math.log(max(float(np.median((k + 0.5) / u)), 1e-3)), 0.0])
    whole = 1.0 - survival((m + 1) / u, logs)
    upper = (1.0 - survival((k + 1) / u, logs)) / whole
    lower = (1.0 - survival(k / u, logs)) / whole
    return Lomax(*bounded(logs), _discrete_ks(lower, upper))


def _discrete_ks(lower: Floats, upper: Floats) -> float:
    """KS distance between uniform and the transform of discrete data, each spread evenly over [lower, upper].

    The non-randomised transform of Czado, Gneiting and Held (2009).
    """
    grid = np.linspace(0.0, 1.0, 101)[1:-1]
    width = np.maximum(upper - lower, 1e-12)
    spread = [float(np.mean(np.clip((g - lower) / width, 0.0, 1.0))) for g in grid]
    return float(np.max(np.abs(np.array(spread) - grid)))


def fit_sizes(shares: ArrayLike, price_cny: ArrayLike) -> Sizes:
    """Fit order sizes by maximum likelihood, interval-censored to lots of 100 shares."""
    lots = np.maximum(1, np.floor(np.asarray(shares) / 100 + 0.5)).astype(np.int64)
    value = np.log(100.0 * np.broadcast_to(np.asarray(price_cny, np.float64), lots.shape))
    cells, weights = np.unique(np.column_stack([lots, np.round(value, 2)]), axis=0, return_counts=True)
    k, v = cells[:, 0], cells[:, 1]
    with np.errstate(divide="ignore"):
        low = np.where(k > 1, np.log(k - 0.5), -np.inf) + v
    high = np.log(k + 0.5) + v

    def mass(x: Floats) -> Floats:
        centre = np.logaddexp(x[0], v)
        return np.asarray(ndtr((high - centre) / np.exp(x[1])) - ndtr((low - centre) / np.exp(x[1])))

    def likelihood(x: Floats) -> Floats:
        spike = 1.0 / (1.0 + np.exp(-x[2]))
        return np.asarray(spike * (k == 1) + (1.0 - spike) * mass(x))

    start = [float(np.average(v + np.log(k), weights=weights)), 0.0, -2.0]
    x = _maximise(likelihood, weights.astype(np.float64), start)
    spike = 1.0 / (1.0 + math.exp(-x[2]))
    tail = fit_tail(lots / (np.exp(x[0] - value) + 1.0))
    share = min(TAIL / (1.0 - spike), 0.5)
    return Sizes(float(x[0]), math.exp(x[1]), spike, _round_share(lots), _size_ks(lots, value, x, spike), share, *tail)


TAIL = 0.05
"""Share of the orders that counts as the tail of sizes (chosen; the share that `twin realism` looks at)."""


def fit_tail(ratio: Floats) -> tuple[float, float, float]:
    """Exponent, reach and log error of a bounded Pareto law of the largest sizes, each over its usual one.

    Least squares of log quantiles, so that the largest order alone, which may be a gesture, does not set the bound.
    """
    ordered = np.sort(ratio)[::-1]
    count = int(TAIL * len(ordered))
    if count < 1 or ordered[count] == ordered[0]:
        return 10.0, 2.0, 0.0
    logs = np.log(ordered[:count] / ordered[count])
    left = (np.arange(1, count + 1) - 0.5) / count

    def residual(x: Floats) -> Floats:
        end = math.exp(-x[0] * x[1])
        return np.asarray(np.log(end + (1.0 - end) * left) / x[0] + logs)

    found = least_squares(residual, [1.5, 4.0], bounds=([1.05, 0.1], [10.0, 14.0]), loss="soft_l1", f_scale=1.0)
    return float(found.x[0]), math.exp(found.x[1]), float(np.sqrt(np.mean(found.fun**2)))


def _round_share(lots: NDArray[np.int64]) -> float:
    """Share of orders of 500 shares and more that is rounded to thousands, beyond the tenth expected by chance."""
    large = lots[lots >= 5]
    if len(large) == 0:
        return 0.0
    return max(0.0, (float(np.mean(large % 10 == 0)) - 0.1) / 0.9)


def _size_ks(lots: NDArray[np.int64], value: Floats, found: Floats, spike: float) -> float:
    """KS distance on lots: mean modelled share of orders of at most k lots against the observed one."""
    marks = np.unique(lots)
    observed = np.searchsorted(np.sort(lots), marks, side="right") / len(lots)
    prices, weights = np.unique(np.round(value, 2), return_counts=True)
    scaled = np.log(marks + 0.5)[:, None] + prices - np.logaddexp(found[0], prices)
    below = ndtr(scaled / np.exp(found[1])) @ (weights / weights.sum())
    return float(np.max(np.abs(spike + (1 - spike) * below - observed)))


@dataclass(frozen=True)
class Excitement:
    """Self-exciting arrivals in business time; `gain` is the log likelihood per order beyond that of a Poisson flow."""

    branching: float
    fast_share: float
    fast_decay: float
    slow_decay: float
    gain: float


def fit_excitement(days: Sequence[ArrayLike]) -> Excitement:
    """Fit one self-exciting process to several days by maximum likelihood.

    Args:
        days: of each day the arrival times in business time: from 0, at a mean rate of 1, increasing.
    """
    times = [np.asarray(day, np.float64) for day in days]

    def natural(x: Floats) -> tuple[float, float, float, float]:
        share = 1.0 / (1.0 + np.exp(-np.clip(x[:2], -12.0, 12.0)))
        fast = math.exp(min(x[2], 10.0))
        return float(share[0]), float(share[1]), fast, min(math.exp(max(x[3], -12.0)), fast)

    def loss(x: Floats) -> float:
        value = -float(np.mean([log_likelihood(t, max(float(len(t)), t[-1]), *natural(x)) / len(t) for t in times]))
        return value if math.isfinite(value) else 1e6

    x: Floats = np.array([0.8, -1.0, 3.0, -2.5])
    for _ in range(2):
        found = minimize(loss, x, method="Nelder-Mead", options={"maxiter": 800, "xatol": 1e-4, "fatol": 1e-7})
        x = np.asarray(found.x, np.float64)
    return Excitement(*natural(x), gain=1.0 - loss(x))


def fit_patience(life_s: ArrayLike, cancelled: ArrayLike) -> Patience:
    """Fit the time to cancel with fills and the close as censoring (mixture cure model).

    Assumes: whether an order would be cancelled does not depend on when it is filled.

    Args:
        life_s: patience time from entry to end in s.
        cancelled: True where the end was a cancel.
    """
    life, ended = np.maximum(np.asarray(life_s, np.float64), 0.005), np.asarray(cancelled, np.bool_)
    log = np.log(life)

    def likelihood(x: Floats) -> Floats:
        willing, sd = 1.0 / (1.0 + np.exp(-x[0])), np.exp(x[2])
        z = (log - x[1]) / sd
        return np.where(ended, willing * np.exp(-0.5 * z * z) / sd, 1.0 - willing * ndtr(z))

    x = _maximise(likelihood, np.ones(len(life)), [0.0, float(np.mean(log[ended])), 0.7])
    willing, sd = 1.0 / (1.0 + math.exp(-x[0])), math.exp(x[2])
    times, curve = kaplan_meier(life, ended)
    inside = times < np.quantile(life[ended], 0.99)
    model = 1.0 - willing * ndtr((np.log(times[inside]) - x[1]) / sd)
    return Patience(willing, float(x[1]), sd, float(np.max(np.abs(model - curve[inside]))))


def kaplan_meier(life: Floats, ended: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Times and the share not yet ended just after each (Kaplan and Meier 1958)."""
    times, where = np.unique(life, return_inverse=True)
    ends = np.bincount(where, weights=ended)
    gone = np.bincount(where)
    at_risk = len(life) - np.concatenate([[0], np.cumsum(gone)[:-1]])
    return times, np.cumprod(1.0 - ends / at_risk)


def autocorrelation(x: ArrayLike, lags: ArrayLike) -> Floats:
    """Sample autocorrelation at the given lags."""
    centred = np.asarray(x, np.float64) - np.mean(np.asarray(x, np.float64))
    variance = float(centred @ centred) / len(centred)
    return np.array([float(centred[:-k] @ centred[k:]) / (len(centred) - k) / variance for k in np.asarray(lags)])


def fit_signs(signs: ArrayLike) -> Signs:
    """Fit metaorder lengths to the autocorrelation of order signs (Lillo, Mike and Farmer 2005)."""
    lags = np.unique(np.round(np.geomspace(1, 200, 24)).astype(np.int64))
    observed = autocorrelation(signs, lags)

    def model(x: Floats) -> Floats:
        return np.asarray(x[1] * zeta(x[0], lags + 1.0) / zeta(x[0]))

    def residual(x: Floats) -> Floats:
        return model(x) - observed

    found = least_squares(residual, [1.5, 0.3], bounds=([1.01, 0.0], [6.0, 1.0]))
    return Signs(float(found.x[0]), math.sqrt(float(found.x[1])), float(np.sqrt(np.mean(found.fun**2))))
