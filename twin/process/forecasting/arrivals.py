"""How many cases will come, and when: a level that wanders, a week pattern, and scatter that is measured.

Day totals y follow a local level m (a random walk; Harvey 1989, chapter 4) times the weight of the weekday. The
variance of a day is `dispersion` times its mean (1 = Poisson, less = more regular, more = days of their own), that of a
step of the level `wander` times the variance of a day of average size. `wander` is fitted by maximum likelihood,
`dispersion` follows in closed form. A path draws the level at the start, its walk, and the scatter of its days, so
that bands widen with what is not known about the level.

Assumes: the pattern of the week stays; days off that the log has not shown come as a surprise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaincinv
from scipy.stats import poisson

from twin.process.forecasting.columns import NONE, Floats, Ints
from twin.process.forecasting.week import DAY, HOUR, HOURS, hour_of_week
from twin.randomness import Stream, Streams

_WEEKDAYS = 7
_PRIOR = 2.0
"""Arrivals that the weight of a weekday, and an hour's share of its day, start from."""
_OFF = 1e-4
"""A working day without a single arrival is a day off if that is less likely than this, and is left out."""
_REGULAR = 0.7
"""Below this dispersion arrivals are drawn evenly spaced rather than independent."""
_LEAST_DISPERSION = 0.02
_LONGEST = 180
"""Days of the past that the level is fitted on."""
_PER_DAY = 1 << 20
"""Entities of the random streams that belong to one day."""


@dataclass(frozen=True)
class ArrivalModel:
    """Arrivals by hour of the week with an uncertain level.

    Attributes:
        start: from when the model predicts (ns).
        level: arrivals of an average day, expected now.
        level_sd: standard deviation of that level.
        walk_sd: of the level's step from one day to the next.
        dispersion: variance of a day's total over its mean, given the level.
        weekday: weight of each weekday from Monday, of mean 1.
        hour: share of each hour of the week (168) in its day.
        days: of the past that were used.
        floor: of an arrival's moment within its hour, per mille, as seen in the past (101 quantiles).
    """

    start: int
    level: float
    level_sd: float
    walk_sd: float
    dispersion: float
    weekday: Floats
    hour: Floats
    days: int

    def expected(self, edges: Ints) -> Floats:
        """Expected arrivals between neighbouring edges (ns)."""
        return np.asarray(np.diff(self.level * self._share_to(edges)))

    def _share_to(self, instants: Ints) -> Floats:
        """Days of average size between a fixed Monday and each instant."""
        rate = np.repeat(self.weekday, 24) * self.hour
        before = np.concatenate([[0.0], np.cumsum(rate)])
        t = np.asarray(instants, np.int64) - 4 * DAY
        place = t // HOUR % HOURS
        return np.asarray(t // (7 * DAY) * before[-1] + before[place] + rate[place] * (t % HOUR) / HOUR)

    def draw(self, end: int, streams: Streams) -> Ints:
        """Arrivals from `start` to `end` (ns), rising: one possible future.

        Level, walk, days and arrivals have draws of their own, so a longer horizon keeps the arrivals of a shorter.
        """
        first, last = self.start // DAY, -(-end // DAY)
        n = int(max(last - first, 0))
        if n == 0 or self.level <= 0:
            return np.zeros(0, np.int64)
        z = streams.normal(Stream.FORECAST_LEVEL, np.arange(n + 1))
        path = self.level + self.level_sd * z[0] + self.walk_sd * np.concatenate([[0.0], np.cumsum(z[1:n])])
        # The level is a rate: where the normal path would cross zero it is held at a small share of the level.
        path = np.maximum(path, 0.05 * self.level)
        edges = (first + np.arange(n + 1)) * DAY
        mean = np.diff(self._share_to(edges)) * path
        mean = mean * self._day_scatter(mean, streams)
        out = [self._day(int(first + i), float(m), streams) for i, m in enumerate(mean.tolist()) if m > 0]
        times = np.concatenate(out) if out else np.zeros(0, np.int64)
        return times[(times >= self.start) & (times < end)]

    def _day_scatter(self, mean: Floats, streams: Streams) -> Floats:
        """Factor of each day's own luck: gamma of mean 1 that brings the variance to dispersion x mean."""
        if self.dispersion <= 1.0:
            return np.ones(len(mean))
        shape = np.maximum(mean, 1e-9) / (self.dispersion - 1.0)
        u = streams.uniform(Stream.FORECAST_LEVEL, np.arange(len(mean)), 1)
        return np.asarray(gammaincinv(shape, u) / shape)

    def _day(self, day: int, mean: float, streams: Streams) -> Ints:
        """Arrivals of one whole day with a given mean."""
        base = (day % (1 << 30)) * _PER_DAY
        hours = self.hour[hour_of_week(day * DAY + np.arange(24) * HOUR)]
        mass = np.concatenate([[0.0], np.cumsum(hours)])
        if self.dispersion < _REGULAR:
            # Gaps of a gamma law in operational time: their count has about the wanted dispersion.
            shape = 1.0 / self.dispersion
            n = int(mean + 6 * np.sqrt(mean * self.dispersion) + 8)
            u = streams.uniform(Stream.FORECAST_ARRIVAL, base + np.arange(n))
            gaps = gammaincinv(shape, u) / shape
            gaps[0] *= float(streams.uniform(Stream.FORECAST_ARRIVAL, base + n))
            share = np.cumsum(gaps) / mean
            share = share[share < 1.0]
        else:
            n = int(poisson.ppf(float(streams.uniform(Stream.FORECAST_LEVEL, base, 2)), mean))
            share = np.sort(streams.uniform(Stream.FORECAST_ARRIVAL, base + np.arange(n)))
        at = np.interp(share * mass[-1], mass, np.arange(25) * float(HOUR))
        return np.minimum(day * DAY + at.astype(np.int64), (day + 1) * DAY - 1)


def fit_arrivals(born: Ints, instant: int) -> ArrivalModel:
    """The model of the arrivals before an instant.

    Args:
        born: instants of all arrivals before `instant` (ns), in any order.
        instant: from when to predict.
    """
    born = np.sort(born[(born != NONE) & (born < instant)])
    if not len(born):
        return ArrivalModel(instant, 0.0, 0.0, 0.0, 1.0, np.ones(7), np.full(HOURS, 1 / 24), 0)
    today = instant // DAY
    first = max(int(born[0] // DAY), today - _LONGEST)
    born = born[born >= first * DAY]
    days = np.arange(first, today + 1)
    y = np.bincount(born // DAY - first, minlength=len(days)).astype(np.float64)
    hour = _hour_shares(born)
    # The first and the current day are there in part only: so much of their usual arrivals.
    part = np.ones(len(days))
    part[0] = max(1.0 - _day_share(hour, int(born[0])), 1e-3)
    part[-1] = part[-1] - (1.0 - _day_share(hour, instant)) if len(days) > 1 else max(_day_share(hour, instant), 1e-3)
    kind = (days + 3) % _WEEKDAYS
    weekday = _weekday_weights(y, part, kind)
    size = weekday[kind] * part
    rough = max(float(y.sum() / max(size.sum(), 1e-9)), 1e-9)
    used = ~((y == 0) & (rough * size > -np.log(_OFF))) & (rough * size > 1e-3)
    y, size = y[used], size[used]
    if not len(y):
        return ArrivalModel(instant, rough, rough, 0.0, 1.0, weekday, hour, 0)
    wander, dispersion = _fit_level(y, size, rough)
    level, variance, _, _ = _filter(y, size, rough, wander)
    # The dispersion is itself uncertain with few days: the mean of its inverse-gamma law with one day of Poisson.
    dispersion = max((dispersion * len(y) + 1.0) / (len(y) + 1.0), _LEAST_DISPERSION)
    scale = dispersion * rough
    few = np.sqrt((len(y) + 1) / max(len(y) - 1, 1))
    sd, walk = few * np.sqrt(variance * scale), few * np.sqrt(wander * scale)
    return ArrivalModel(instant, max(level, 1e-6), float(sd), float(walk), float(dispersion), weekday, hour, len(y))


def _hour_shares(born: Ints) -> Floats:
    """Share of each hour of the week in its day, drawn towards the pattern of all days where few arrivals were seen."""
    counts = np.bincount(hour_of_week(born), minlength=HOURS).reshape(_WEEKDAYS, 24).astype(np.float64)
    pooled = (counts.sum(axis=0) + _PRIOR / 24) / (counts.sum() + _PRIOR)
    mixed = counts + 10.0 * _PRIOR * pooled
    return (mixed / mixed.sum(axis=1, keepdims=True)).ravel()


def _day_share(hour: Floats, instant: int) -> float:
    """Share of its day's arrivals that come before an instant."""
    place = int(hour_of_week(instant))
    first = place - place % 24
    inside = (instant % HOUR) / HOUR
    return float(min(hour[first:place].sum() + hour[place] * inside, 1.0))


def _weekday_weights(y: Floats, part: Floats, kind: Ints) -> Floats:
    """Weight of each weekday: its arrivals over those of as many average days, a little drawn to 1."""
    mean = y.sum() / part.sum()
    total = np.bincount(kind, y, minlength=_WEEKDAYS)
    expected = np.bincount(kind, part, minlength=_WEEKDAYS) * mean
    weight = (total + _PRIOR) / (expected + _PRIOR)
    return np.asarray(weight / weight.mean())


def _filter(y: Floats, size: Floats, rough: float, wander: float) -> tuple[float, float, float, float]:
    """Kalman filter of the level: its mean and variance at the end, and the sums of the likelihood.

    Variances are in units of dispersion x rough level; a day of size s has mean level x s and variance s.
    """
    level, variance = rough, 1e2
    squares = logs = 0.0
    for value, s in zip(y.tolist(), size.tolist(), strict=True):
        variance += wander
        spread = s * s * variance + s
        error = value - s * level
        gain = variance * s / spread
        level += gain * error
        variance *= 1.0 - gain * s
        squares += error * error / spread
        logs += float(np.log(spread))
    return level, variance, squares, logs


def _fit_level(y: Floats, size: Floats, rough: float) -> tuple[float, float]:
    """Wander by maximum likelihood, and the dispersion that belongs to it."""
    n = len(y)

    def deviance(log_wander: float) -> float:
        _, _, squares, logs = _filter(y, size, rough, float(np.exp(log_wander)))
        return n * float(np.log(max(squares / n / rough, 1e-6))) + logs

    if n < 4:
        return 0.01, 1.0
    best = minimize_scalar(deviance, bounds=(-9.0, 1.5), method="bounded")
    wander = float(np.exp(best.x))
    _, _, squares, _ = _filter(y, size, rough, wander)
    # The weights of the weekdays are fitted to the same days.
    spent = 1 + min(_WEEKDAYS - 1, max(n // _WEEKDAYS, 0))
    return wander, squares / max(n - spent, 1) / rough
