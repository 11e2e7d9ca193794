"""Arrivals: Poisson with a given profile, over-dispersed by busy-ness of days and periods, or given by agents.

Common random numbers throughout: arrival n has a time of its own and the count grows with its expectation, so that a
larger total keeps every arrival of a smaller one, and the same luck makes the same days busy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import DataError, ScenarioError
from twin.randomness import Stream, Streams

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_COUNT_ENTITY = (1 << 62) - 1
"""Entity whose draw decides how many arrive; no case has this number."""
DAY_NUMBERS = 1 << 32
"""Arrivals of day d have the numbers d * DAY_NUMBERS and up; the upper half serves the busy-ness of its periods."""


@dataclass(frozen=True)
class Profile:
    """A rate that is constant between `edges` (ns, rising) and proportional to `weights` there."""

    edges: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.weights) + 1 or np.any(np.diff(self.edges) <= 0):
            raise ScenarioError("an arrival profile needs rising edges, one more than weights")
        if min(self.weights) < 0 or max(self.weights) <= 0:
            raise ScenarioError("an arrival profile needs weights that are not negative, and one above zero")

    @classmethod
    def flat(cls, start: int, end: int) -> Profile:
        """A constant rate from `start` to `end` (ns)."""
        return cls((start, end), (1.0,))

    @classmethod
    def of_periods(cls, periods: Sequence[tuple[int, int, float]]) -> Profile:
        """Rates between times of day (from, to, weight), zero in the gaps; periods must not overlap."""
        edges: list[int] = []
        weights: list[float] = []
        for start, end, weight in sorted(periods):
            if edges and start < edges[-1]:
                raise ScenarioError("periods of an arrival profile overlap")
            if edges and start > edges[-1]:
                weights.append(0.0)
                edges.append(start)
            edges.extend([end] if edges else [start, end])
            weights.append(weight)
        return cls(tuple(edges), tuple(weights))

    def _mass(self) -> Floats:
        return np.concatenate([[0.0], np.cumsum(np.diff(self.edges) * np.asarray(self.weights))])

    def time_of(self, share: Floats) -> Ints:
        """Instants (ns) before which the given shares of all arrivals come."""
        mass = self._mass()
        i = np.clip(np.searchsorted(mass, share * mass[-1], side="right") - 1, 0, len(self.weights) - 1)
        rate = np.asarray(self.weights)[i]
        start = np.asarray(self.edges)[i]
        inside = np.floor((share * mass[-1] - mass[i]) / rate).astype(np.int64)
        return np.minimum(start + np.maximum(inside, 0), self.edges[-1] - 1)

    def share_of(self, time: ArrayLike) -> Floats:
        """Shares of all arrivals that come before the given instants (ns): the time-rescaling transform."""
        mass = self._mass()
        return np.asarray(np.interp(np.asarray(time, np.float64), self.edges, mass / mass[-1]))


def arrivals(
    profile: Profile, total: float, streams: Streams, *, stream: Stream = Stream.PROCESS_ARRIVAL, entity_base: int = 0
) -> tuple[Ints, Ints]:
    """Times (ns, sorted) and numbers of the arrivals of a Poisson process with `total` expected arrivals.

    Given their number, the arrivals of a Poisson process are independent draws from its profile. So arrival n has a
    time of its own, a function of (stream, entity_base + n), and the number of arrivals is one draw, by inversion,
    which grows with `total`: a larger total keeps every arrival of a smaller one and adds others.
    """
    from scipy.stats import poisson

    if not 0 <= total < np.inf:
        raise ScenarioError(f"the expected number of arrivals is {total}", hint="Give zero or more.")
    u = float(streams.uniform(stream, _COUNT_ENTITY - entity_base))
    n = int(poisson.ppf(u, total)) if total > 0 else 0
    number = np.arange(n, dtype=np.int64)
    times = profile.time_of(streams.uniform(stream, number + entity_base)) if n else number
    order = np.argsort(times, kind="stable")
    return times[order], number[order]


def given(times: ArrayLike) -> tuple[Ints, Ints]:
    """Times (ns, sorted) and numbers of arrivals that somebody else decided (agents, a recording).

    Numbers follow the order given, so that an arrival keeps its number, and with it its luck, when others move.
    """
    given_times = np.asarray(times)
    if given_times.ndim != 1 or (len(given_times) and not np.issubdtype(given_times.dtype, np.integer)):
        raise DataError("arrival times must be a column of whole ns", hint="Convert seconds by multiplying with 1e9.")
    order = np.argsort(given_times, kind="stable").astype(np.int64)
    return given_times[order].astype(np.int64), order


@dataclass(frozen=True)
class Busyness:
    """How busy successive days or periods are beside what is expected: gamma factors of mean 1.

    A Poisson number with such a factor is negative binomial: variance = mean + (cv * mean) ** 2.

    Args:
        cv: standard deviation of the factor; 0 for none.
        autocorrelation: of the normal scores of successive factors (first-order autoregression, gamma by a Gaussian
            copula); that of the factors themselves is slightly smaller.
    """

    cv: float = 0.0
    autocorrelation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.cv < np.inf or not -1 < self.autocorrelation < 1:
            raise ScenarioError(
                f"busy-ness with cv {self.cv} and autocorrelation {self.autocorrelation}",
                hint="The cv must not be negative, the autocorrelation lies between -1 and 1.",
            )

    def factors(self, noise: ArrayLike) -> Floats:
        """Factors from independent standard normals, successive along the last axis."""
        from scipy.signal import lfilter
        from scipy.special import gammaincinv, ndtr

        e = np.atleast_1d(np.asarray(noise, np.float64))
        if self.cv == 0 or e.shape[-1] == 0:
            return np.ones_like(e)
        phi = self.autocorrelation
        driven = e * np.sqrt(1 - phi * phi)
        driven[..., 0] = e[..., 0]
        score = np.asarray(lfilter([1.0], [1.0, -phi], driven, axis=-1))
        shape = 1 / self.cv**2
        return np.asarray(gammaincinv(shape, ndtr(score)) / shape)


@dataclass(frozen=True)
class Pattern:
    """Arrivals by kind of day (a weekday, a holiday) and period of the day, more variable than Poisson.

    Args:
        period: length of a period, ns; the periods of a row begin at midnight.
        expected: arrivals expected per period, one row per kind of day, for an ordinary day (factor 1).
        day: busy-ness of successive days.
        within: busy-ness of the periods of one day; it moves arrivals from some periods to others.
    """

    period: int
    expected: tuple[tuple[float, ...], ...]
    day: Busyness = Busyness()
    within: Busyness = Busyness()

    def draw(
        self,
        kinds: Sequence[int],
        streams: Streams,
        *,
        scale: ArrayLike = 1.0,
        stream: Stream = Stream.PROCESS_ARRIVAL,
        entity_base: int = 0,
    ) -> tuple[Ints, Ints]:
        """Times (ns since midnight of the first day, sorted) and numbers of the arrivals of successive days.

        Numbers are unique over all days and do not depend on `scale`: a larger scale adds arrivals and keeps the
        others.

        Args:
            kinds: kind (row of `expected`) of every day, -1 for a day without arrivals.
            streams: random numbers of the replication.
            scale: factor on everything expected, one or one per day.
            stream: purpose of the draws.
            entity_base: to keep processes apart; below 2**46 days' worth of numbers.
        """
        from twin.clock import DAY

        rate = np.asarray(self.expected, np.float64)
        first = entity_base + np.arange(len(kinds), dtype=np.int64) * DAY_NUMBERS
        busy = self.day.factors(streams.normal(stream, _COUNT_ENTITY - first, 1)).ravel() if len(kinds) else np.ones(0)
        factor = np.broadcast_to(np.asarray(scale, np.float64), (len(kinds),)) * busy
        edges = tuple(int(i) * self.period for i in range(rate.shape[1] + 1))
        times, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for d, kind in enumerate(kinds):
            if kind < 0 or not rate[kind].any():
                continue
            inside = first[d] + DAY_NUMBERS // 2 + np.arange(rate.shape[1])
            weight = rate[kind] * self.within.factors(streams.normal(stream, inside, 1))
            profile = Profile(edges, tuple(weight.tolist()))
            # the periods' factors move arrivals within the day; how many come is the day's affair
            total = float(factor[d]) * float(rate[kind].sum())
            t, n = arrivals(profile, total, streams, stream=stream, entity_base=int(first[d]))
            times.append(t + d * DAY)
            numbers.append(n + d * DAY_NUMBERS)
        return np.concatenate(times), np.concatenate(numbers)


def fit_pattern(counts: ArrayLike, kinds: ArrayLike, period: int, *, successive: ArrayLike | None = None) -> Pattern:
    """Pattern of recorded days, by moments.

    Expected numbers are means by kind of day and period. The day's cv is what the variance of daily numbers (about the
    mean of their kind) has beyond Poisson; the periods' what the variance within days of given number has beyond
    Poisson; the autocorrelations are lag-one covariances over that excess variance.

    Args:
        counts: arrivals, one row per day in order of date, one column per period.
        kinds: kind of each day, 0 and up.
        period: ns.
        successive: True for each day that follows the day before it (length of `counts`); default: all do.
    """
    n, kind = np.asarray(counts, np.float64), np.asarray(kinds, np.int64)
    if n.ndim != 2 or len(n) != len(kind) or len(n) < 2:
        raise DataError(f"{n.shape} counts and {kind.shape} kinds of day", hint="Give one row and one kind per day.")
    rows = int(kind.max()) + 1
    expected = np.zeros((rows, n.shape[1]))
    for k in range(rows):
        if np.any(kind == k):
            expected[k] = n[kind == k].mean(axis=0)
    follows = np.ones(len(n), np.bool_) if successive is None else np.asarray(successive, np.bool_)
    day, factor = _day_busyness(n.sum(axis=1), expected.sum(axis=1)[kind], kind, follows[1:])
    within = _within_busyness(n, expected[kind] * factor[:, None])
    return Pattern(period, tuple(tuple(map(float, row)) for row in expected), day, within)


def _day_busyness(total: Floats, mean: Floats, kind: Ints, follows: NDArray[np.bool_]) -> tuple[Busyness, Floats]:
    """Busy-ness of days, and the factor of each day as observed."""
    size = np.bincount(kind)[kind]
    usable = (mean > 0) & (size > 1)
    # n / (n - 1): the mean of the kind is estimated from the same days
    spread = (total - mean) ** 2 * size / np.maximum(size - 1, 1)
    excess = float(np.sum((spread - mean)[usable]) / max(float(np.sum(mean[usable] ** 2)), 1e-300))
    factor = np.where(mean > 0, total / np.maximum(mean, 1e-300), 1.0)
    if excess <= 0:
        return Busyness(), factor
    pair = follows & usable[1:] & usable[:-1]
    together = (factor[1:] - 1) * (factor[:-1] - 1)
    rho = float(together[pair].mean()) / excess if pair.any() else 0.0
    return Busyness(float(np.sqrt(excess)), float(np.clip(rho, -0.95, 0.95))), factor


def _within_busyness(n: Floats, mean: Floats) -> Busyness:
    """Busy-ness of periods about the expectation for a day of the observed total."""
    whole = np.maximum(mean.sum(axis=1, keepdims=True), 1e-300)
    residual = n - mean
    # given the day's total the count of a period is binomial
    excess = float(np.sum(residual**2 - mean * (1 - mean / whole)) / max(float(np.sum(mean**2)), 1e-300))
    if excess <= 0:
        return Busyness()
    together = residual[:, 1:] * residual[:, :-1] + mean[:, 1:] * mean[:, :-1] / whole
    rho = float(together.sum()) / max(float(np.sum(mean[:, 1:] * mean[:, :-1])), 1e-300) / excess
    return Busyness(float(np.sqrt(excess)), float(np.clip(rho, -0.95, 0.95)))
