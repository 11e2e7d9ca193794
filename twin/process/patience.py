"""Patience of those who wait: how long they would wait before leaving, from waits that service cut short.

A served caller's wait censors his patience; an abandoned caller's wait censors the wait that would have been required
of him. Both are estimated by the product limit (Kaplan and Meier 1958) with Greenwood's variance.
Assumes: patience and required wait are independent given the kind of caller.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import DataError

if TYPE_CHECKING:
    from twin.process.distributions import Distribution

Floats = NDArray[np.float64]
LEAST_AT_RISK = 50
"""Beyond the last time with so many still waiting, the curve is noise and gives way to an exponential tail."""


@dataclass(frozen=True)
class Survival:
    """Share still waiting after each time at which somebody left, with Greenwood's log-log interval.

    Args:
        times: s, rising.
        share: survival just after each time; `low` and `high` its interval at the confidence asked for.
        events, at_risk: leavings at each time, and callers who still waited just before it.
    """

    times: Floats
    share: Floats
    low: Floats
    high: Floats
    events: NDArray[np.int64]
    at_risk: NDArray[np.int64]

    def at(self, t: ArrayLike) -> Floats:
        """Survival after t s."""
        i = np.searchsorted(self.times, np.asarray(t, np.float64), side="right")
        return np.concatenate([[1.0], self.share])[i]

    def area(self, until: float) -> float:
        """Integral of the curve from 0 to `until`: the mean restricted to `until`."""
        inside = self.times < until
        edges = np.concatenate([[0.0], self.times[inside], [until]])
        return float(np.diff(edges) @ np.concatenate([[1.0], self.share[inside]]))

    def area_error(self, until: float, beyond: float = 0.0) -> float:
        """Standard error of `area` plus a tail of area `beyond` (Greenwood; Klein and Moeschberger 2003, eq. 4.5.2).

        The tail is proportional to the curve's last value and shares its error.
        """
        inside = self.times < until
        d, n = self.events[inside].astype(np.float64), self.at_risk[inside].astype(np.float64)
        edges = np.concatenate([self.times[inside], [until]])
        rest = np.cumsum((np.diff(edges) * self.share[inside])[::-1])[::-1] + beyond
        usable = n > d
        return float(np.sqrt(np.sum(rest[usable] ** 2 * d[usable] / (n[usable] * (n[usable] - d[usable])))))


@dataclass(frozen=True)
class TailedMean:
    """A mean in two parts: the curve's area up to `horizon` s, and an exponential tail of rate `tail_rate` beyond."""

    mean: float
    error: float
    restricted: float
    horizon: float
    beyond: float
    tail_rate: float


def _checked(waits: ArrayLike, ended: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    w, e = np.asarray(waits, np.float64), np.asarray(ended, np.bool_)
    if w.ndim != 1 or w.shape != e.shape:
        raise DataError(f"{w.shape} waits and {e.shape} outcomes", hint="Give one outcome for each wait.")
    if len(w) == 0 or not e.any():
        raise DataError("nobody left while waiting", hint="Patience can only be told from waits that ended by leaving.")
    if not np.isfinite(w).all() or w.min() < 0:
        raise DataError("a wait is negative or not a number", hint="Give waits in seconds.")
    return w, e


def kaplan_meier(waits: ArrayLike, ended: ArrayLike, confidence: float = 0.95) -> Survival:
    """Product-limit estimate of the time to the event; a wait without it is censored.

    At equal times those with the event count before those without.

    Args:
        waits: s.
        ended: True where the wait ended by the event (leaving, when patience is asked for).
        confidence: of the interval.

    Raises:
        DataError: if the arrays do not match, a wait is negative, or nothing happened.
    """
    from scipy import stats

    w, e = _checked(waits, ended)
    with warnings.catch_warnings():
        # where the curve touches 0 or 1 the log-log interval is not defined: it becomes the curve itself
        warnings.simplefilter("ignore", RuntimeWarning)
        sf: Any = stats.ecdf(stats.CensoredData(uncensored=w[e], right=w[~e])).sf
        interval = sf.confidence_interval(confidence, method="log-log")
        times, share = np.asarray(sf.quantiles, np.float64), np.asarray(sf.probabilities, np.float64)
        low, high = (np.asarray(side.probabilities, np.float64) for side in (interval.low, interval.high))
    low, high = np.where(np.isfinite(low), low, share), np.where(np.isfinite(high), high, share)
    happened = np.unique(w[e])
    keep = np.isin(times, happened)
    ordered = np.sort(w)
    at_risk = (len(w) - np.searchsorted(ordered, times[keep], side="left")).astype(np.int64)
    events = np.unique(w[e], return_counts=True)[1].astype(np.int64)
    return Survival(times[keep], share[keep], low[keep], high[keep], events, at_risk)


def hazard(waits: ArrayLike, ended: ArrayLike, edges: ArrayLike, confidence: float = 0.95) -> tuple[Floats, ...]:
    """Rate of leaving per s between `edges` (s): events over time waited, with exact Poisson limits (Garwood 1936).

    Returns:
        Rate, lower and upper limit, one each per interval; NaN where nobody waited.
    """
    from scipy import stats

    w, e = _checked(waits, ended)
    edge = np.asarray(edges, np.float64)
    if len(edge) < 2 or np.any(np.diff(edge) <= 0):
        raise DataError("the edges of a hazard must rise", hint="Give at least two, in seconds.")
    events = np.histogram(w[e & (w < edge[-1])], edge)[0].astype(np.float64)
    exposure = np.array([np.clip(w - a, 0.0, b - a).sum() for a, b in pairwise(edge)])
    alpha = 1.0 - confidence
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(events > 0, stats.chi2.ppf(alpha / 2, 2 * np.maximum(events, 0.5)) / 2, 0.0) / exposure
        high = stats.chi2.ppf(1 - alpha / 2, 2 * events + 2) / 2 / exposure
        return events / exposure, low, np.where(exposure > 0, high, np.nan)


def tailed_mean(waits: ArrayLike, ended: ArrayLike, least_at_risk: int = LEAST_AT_RISK) -> TailedMean:
    """Mean time to the event: restricted mean plus exponential tail.

    The curve counts up to the last time with `least_at_risk` still waiting. Beyond, the hazard is that of the second
    half of this time (events over time waited), or of all of it if nothing happened there. Assumes: those few who would
    bear more go on leaving at that rate; with heavy censoring this assumption carries much of the mean (`beyond`).
    The error is that of the curve plus that of the tail's rate (by its count of events): both err to the same side.
    """
    w, e = _checked(waits, ended)
    curve = kaplan_meier(w, e)
    ordered = np.sort(w)
    horizon = float(ordered[max(len(w) - max(least_at_risk, 1), 0)])
    if horizon <= 0:
        horizon = float(ordered[-1])
    left = float(curve.at(horizon))
    rate, count = 0.0, 0
    for start in (horizon / 2, 0.0):
        count = int(np.sum(e & (w >= start) & (w <= horizon)))
        exposure = float(np.clip(w - start, 0.0, horizon - start).sum())
        if count and exposure > 0:
            rate = count / exposure
            break
    beyond = left / rate if rate > 0 else 0.0
    restricted = curve.area(horizon)
    error = curve.area_error(horizon, beyond) + (beyond / float(np.sqrt(count)) if count else 0.0)
    return TailedMean(restricted + beyond, error, restricted, horizon, beyond, rate)


@dataclass(frozen=True)
class Patience:
    """Patience of a kind of caller, and the wait that was required of him (virtual wait), in s.

    `restricted_mean` is the curve's area up to the longest wait, without any tail, as published studies give it.
    """

    curve: Survival
    mean: TailedMean
    required: TailedMean | None
    restricted_mean: float

    @property
    def index(self) -> float:
        """Patience index: mean patience over mean required wait (Mandelbaum, Sakov and Zeltyn 2000)."""
        return self.mean.mean / self.required.mean if self.required else float("nan")

    def median(self) -> float:
        """Time by which half would have left."""
        return float(self.quantiles(np.array([0.5]))[0])

    def quantiles(self, p: ArrayLike) -> Floats:
        """Quantiles in s: of the curve up to its horizon, of the exponential tail beyond."""
        survive = 1.0 - np.asarray(p, np.float64)
        inside = self.curve.times <= self.mean.horizon
        times, share = self.curve.times[inside], self.curve.share[inside]
        # Leavings of one second are spread over the second before, as the recording rounds up to whole seconds.
        x = np.interp(-survive, np.concatenate([[-1.0], -share]), np.concatenate([[0.0], times]))
        last = float(share[-1]) if len(share) else 1.0
        if self.mean.tail_rate <= 0 or last <= 0:
            return x
        beyond = self.mean.horizon - np.log(np.maximum(survive, 1e-12) / last) / self.mean.tail_rate
        return np.where(survive < last, beyond, x)

    def table(self, size: int = 200) -> Floats:
        """`size` equally likely values (s) with the mean of the estimate: a sample for a process file."""
        fine = self.quantiles((np.arange(20 * size) + 0.5) / (20 * size))
        return np.asarray(fine.reshape(size, 20).mean(axis=1))

    def distribution(self, size: int = 200) -> Distribution:
        """Patience as a distribution for a process model."""
        from twin.process.distributions import Distribution

        return Distribution(distribution="sample", values=tuple(map(float, self.table(size))), unit="1 s")  # type: ignore[arg-type]


def fit_patience(waits: ArrayLike, left: ArrayLike, least_at_risk: int = LEAST_AT_RISK) -> Patience:
    """Patience from waits, those of served callers censored.

    Args:
        waits: time in the queue, s, of all who had to wait.
        left: True for those who left, False for those who were served.
        least_at_risk: see `tailed_mean`.

    Example:
        >>> fit = fit_patience([5.0, 8.0, 2.0, 9.0], [True, False, False, True], least_at_risk=1)
        >>> round(fit.mean.restricted, 1)
        7.7
    """
    w, e = _checked(waits, left)
    required = None if e.all() else tailed_mean(w, ~e, least_at_risk)
    curve = kaplan_meier(w, e)
    return Patience(curve, tailed_mean(w, e, least_at_risk), required, curve.area(float(w.max())))
