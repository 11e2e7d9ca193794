"""How many cases will come, and when: a level that wanders, a week pattern, and scatter that is measured.

Day totals follow a level (a mean, and a deviation that fades by `memory` a day and is fed by `walk_sd`; Harvey 1989,
chapter 4) times the weight of the weekday. The variance of a day is `dispersion` times its mean (1 = Poisson, less =
more regular, more = days of their own). Memory and walk are fitted by maximum likelihood, the dispersion then follows
in closed form. Within its day an arrival falls by the pattern of the hours, which wanders from day to day or is kept
more evenly than chance would, as `evenness` tells. A path draws the level at its start, its walk, and the scatter of
its days and hours, so that bands widen with what is not known about the level.

Where the same number has come in the same hour of every week, far beyond chance, past weeks are repeated instead.

Assumes: the pattern of the week stays; days off that the log has not shown come as a surprise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaincinv, ndtri
from scipy.stats import nbinom, poisson

from twin.process.forecasting.columns import NONE, Floats, Ints
from twin.process.forecasting.timetable import Timetable, timetable_of
from twin.process.forecasting.week import DAY, HOUR, HOURS, hour_of_week
from twin.randomness import Stream, Streams

_WEEKDAYS = 7
_PRIOR = 2.0
"""Arrivals that an hour's share of its day starts from at least."""
_OFF = 1e-4
"""A working day without a single arrival is a day off if that is less likely than this, and is left out."""
_REGULAR = 0.7
"""Below this dispersion day totals are drawn from a rounded normal law."""
_LEAST_DISPERSION = 0.02
_CHANCE = (0.85, 1.15)
"""Evenness between these counts as that of independent arrivals."""
_ENOUGH = 5
"""Arrivals of a day from which it tells about evenness."""
_DIFFUSE = 1e2
"""Variance of the mean level before the first day."""
_MEMORIES = (0.5, 0.8, 0.93, 1.0)
_FEWEST, _LONG = 4, 14
"""Days from which the level is fitted at all, and from which it may be drawn to its mean."""
_LONGEST = 180
"""Days of the past that the level is fitted on."""
_PER_DAY = 1 << 20
"""Entities of the random streams that belong to one day."""


@dataclass(frozen=True)
class Level:
    """Arrivals of an average day: a mean m and a deviation d that fades.

    Attributes:
        mean: of m.
        deviation: mean of d now.
        factor: lower triangle (m: first, d: second row) that turns two standard normals into their uncertainty.
        memory: share of d left after a day.
        walk_sd: of what a day adds to d.
    """

    mean: float
    deviation: float
    factor: tuple[float, float, float]
    memory: float
    walk_sd: float

    @property
    def now(self) -> float:
        """Expected arrivals of an average day now."""
        return max(self.mean + self.deviation, 0.0)

    @property
    def sd(self) -> float:
        """Its standard deviation."""
        a, b, c = self.factor
        return float(np.hypot(a + b, c))

    def path(self, z: Floats) -> Floats:
        """Levels of successive days from standard normals: two for the start, then one for each further day."""
        a, b, c = self.factor
        mean = self.mean + a * z[0]
        deviation = self.deviation + b * z[0] + c * z[1]
        out = np.empty(len(z) - 1)
        for day in range(len(out)):
            if day:
                deviation = self.memory * deviation + self.walk_sd * z[day + 1]
            out[day] = mean + deviation
        # The level is a rate: where the normal path would cross zero it is held at a small share of the level.
        return np.maximum(out, 0.05 * max(self.now, self.mean, 0.0))


@dataclass(frozen=True)
class ArrivalModel:
    """Arrivals by hour of the week with an uncertain level.

    Attributes:
        start: from when the model predicts (ns).
        level: arrivals of an average day.
        dispersion: variance of a day's total over its mean, given the level.
        evenness: variance of an hour's count, given the day's total, over that of independent arrivals.
        weekday: weight of each weekday from Monday, of mean 1.
        hour: share of each hour of the week (168) in its day.
        days: of the past that were used.
        timetable: by which they come instead, where the past shows one.
    """

    start: int
    level: Level
    dispersion: float
    evenness: float
    weekday: Floats
    hour: Floats
    days: int
    timetable: Timetable | None = None

    def draw(self, end: int, streams: Streams) -> Ints:
        """Arrivals from `start` to `end` (ns), rising: one possible future.

        Level, walk, days and arrivals have draws of their own, so a longer horizon keeps the arrivals of a shorter.
        """
        if self.timetable is not None:
            return self.timetable.draw(self.start, end, streams)
        first, last = self.start // DAY, -(-end // DAY)
        n = int(max(last - first, 0))
        if n == 0 or self.level.now <= 0:
            return np.zeros(0, np.int64)
        path = self.level.path(streams.normal(Stream.FORECAST_LEVEL, np.arange(n + 1)))
        mean = self.weekday[(first + np.arange(n) + 3) % _WEEKDAYS] * path
        u = streams.uniform(Stream.FORECAST_LEVEL, np.arange(n), 1)
        totals = _totals(mean, self.dispersion, u)
        out = [self._day(int(first + i), total, streams) for i, total in enumerate(totals.tolist()) if total]
        times = np.concatenate(out) if out else np.zeros(0, np.int64)
        return times[(times >= self.start) & (times < end)]

    def _day(self, day: int, total: int, streams: Streams) -> Ints:
        """The arrivals of one whole day."""
        base = (day % (1 << 30)) * _PER_DAY
        hours = usual = self.hour[hour_of_week(day * DAY + np.arange(24) * HOUR)]
        if self.evenness > _CHANCE[1]:
            # Hours with luck of their own: Dirichlet weights that give the evenness at a usual day's total.
            mean = max(float(self.weekday[(day + 3) % _WEEKDAYS]) * self.level.now, 2.0)
            strength = max((mean - self.evenness) / (self.evenness - 1.0), 0.5)
            u = streams.uniform(Stream.FORECAST_LEVEL, base + np.arange(24), 2)
            hours = gammaincinv(np.maximum(usual * strength, 1e-6), u)
            hours = hours / hours.sum() if hours.sum() > 0 else usual
        mass = np.concatenate([[0.0], np.cumsum(hours)])
        shape = 1.0 / self.evenness if self.evenness < _CHANCE[0] else 1.0
        # Gamma gaps between arrivals, and before the first and after the last: independent arrivals for shape 1.
        gaps = gammaincinv(shape, streams.uniform(Stream.FORECAST_ARRIVAL, base + np.arange(total + 1)))
        share = np.cumsum(gaps)[:-1] / gaps.sum()
        at = np.interp(share * mass[-1], mass, np.arange(25) * float(HOUR))
        return np.minimum(day * DAY + at.astype(np.int64), (day + 1) * DAY - 1)


def _totals(mean: Floats, dispersion: float, u: Floats) -> Ints:
    """Day totals of given means and dispersion, by inversion: negative binomial, Poisson, or a rounded normal."""
    m = np.maximum(mean, 1e-9)
    if dispersion > 1.02:
        found = nbinom.ppf(u, m / (dispersion - 1.0), 1.0 / dispersion)
    elif dispersion > _REGULAR:
        found = poisson.ppf(u, m)
    else:
        found = np.rint(m + np.sqrt(dispersion * m) * ndtri(u))
    return np.clip(found, 0, _PER_DAY // 2).astype(np.int64)


def fit_arrivals(born: Ints, instant: int) -> ArrivalModel:
    """The model of the arrivals before an instant.

    Args:
        born: instants of all arrivals before `instant` (ns), in any order.
        instant: from when to predict.
    """
    today = instant // DAY
    born = np.sort(born[(born != NONE) & (born >= (today - _LONGEST) * DAY) & (born < instant)])
    if not len(born):  # for half a year: nobody comes any more
        return ArrivalModel(instant, _LEVEL_ZERO, 1.0, 1.0, np.ones(7), np.full(HOURS, 1 / 24), 0)
    first = int(born[0] // DAY)
    days = np.arange(first, today + 1)
    y = np.bincount(born // DAY - first, minlength=len(days)).astype(np.float64)
    hour, evenness = _hour_shares(born)
    # The first and the current day are there in part only: so much of their usual arrivals.
    part = np.ones(len(days))
    part[0] = max(1.0 - _day_share(hour, int(born[0])), 1e-3)
    part[-1] = part[-1] - (1.0 - _day_share(hour, instant)) if len(days) > 1 else max(_day_share(hour, instant), 1e-3)
    part[-1] = max(part[-1], 1e-6)
    kind = (days + 3) % _WEEKDAYS
    weekday, spent = _weekday_weights(y, part, kind)
    size = weekday[kind] * part
    rough = max(float(y.sum() / max(size.sum(), 1e-9)), 1e-9)
    used = ~((y == 0) & (rough * size > -np.log(_OFF))) & (rough * size > 1e-3)
    level, dispersion = _fit_level(y[used], size[used], rough, spent)
    known = timetable_of(born, instant)
    return ArrivalModel(instant, level, dispersion, evenness, weekday, hour, int(used.sum()), known)


_LEVEL_ZERO = Level(0.0, 0.0, (0.0, 0.0, 0.0), 1.0, 0.0)


def _hour_shares(born: Ints) -> tuple[Floats, float]:
    """Share of each hour of the week in its day, and the evenness of the arrivals within a day.

    The hours of a weekday are drawn towards those of all days, and these towards equal shares, as far as their
    differences are no more than chance.
    """
    days, place = np.unique(born // DAY, return_inverse=True)
    counts = np.zeros((len(days), 24))
    np.add.at(counts, (place, born // HOUR % 24), 1.0)
    kind = (days + 3) % _WEEKDAYS
    evenness = _evenness(counts, kind)
    total = counts.sum(axis=0)
    pooled = _drawn(total, np.full(24, 1.0 / 24), evenness)
    rows = [_drawn(counts[kind == k].sum(axis=0), pooled, evenness) for k in range(_WEEKDAYS)]
    return np.concatenate(rows), evenness


def _drawn(counts: Floats, towards: Floats, evenness: float) -> Floats:
    """Shares from counts, drawn towards others by the moments of a Dirichlet-multinomial law."""
    n = counts.sum()
    expected = n * towards
    seen = expected > 0
    if n < 1 or seen.sum() < 2:
        return towards
    square = float(((counts[seen] - expected[seen]) ** 2 / expected[seen]).sum() / (seen.sum() - 1))
    ratio = square / max(evenness, 1e-3)
    strength = 1e9 if ratio <= 1.0 else max((n - ratio) / (ratio - 1.0), _PRIOR)
    return np.asarray((counts + strength * towards) / (n + strength))


def _evenness(counts: Floats, kind: Ints) -> float:
    """Pearson's chi-square of the hours of days of one weekday against each other, over its degrees of freedom."""
    square = freedom = 0.0
    for k in range(_WEEKDAYS):
        table = counts[kind == k]
        table = table[table.sum(axis=1) >= _ENOUGH]
        hours = table.sum(axis=0) > 0
        if len(table) < 2 or hours.sum() < 2:
            continue
        table = table[:, hours]
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
        square += float(((table - expected) ** 2 / expected).sum())
        freedom += (len(table) - 1) * (int(hours.sum()) - 1)
    return max(square / freedom, 0.01) if freedom > 20 else 1.0


def _day_share(hour: Floats, instant: int) -> float:
    """Share of its day's arrivals that come before an instant."""
    place = int(hour_of_week(instant))
    first = place - place % 24
    inside = (instant % HOUR) / HOUR
    return float(min(hour[first:place].sum() + hour[place] * inside, 1.0))


def _weekday_weights(y: Floats, part: Floats, kind: Ints) -> tuple[Floats, float]:
    """Weight of each weekday, of mean 1, drawn to 1 as far as the differences are no more than chance.

    Also how many free numbers that took.
    """
    mean = y.sum() / part.sum()
    total, exposure = (np.bincount(kind, x, minlength=_WEEKDAYS) for x in (y, part))
    expected = exposure * mean
    seen = exposure > 0.5
    if seen.sum() < 2 or mean <= 0:
        return np.ones(_WEEKDAYS), 1.0
    own = (total / np.maximum(exposure, 1e-9))[kind] * part
    rows = own > 0
    freedom = max(int(rows.sum()) - int(seen.sum()), 1)
    within = float(((y - own)[rows] ** 2 / own[rows]).sum() / freedom) if rows.sum() > seen.sum() else 1.0
    between = float(((total - expected)[seen] ** 2 / expected[seen]).sum() / (seen.sum() - 1))
    spread = (between - within) / float(expected[seen].mean())
    strength = max(within, 0.1) / spread if spread > 0 else 1e9
    strength = max(strength, _PRIOR / 2)
    weight = (total + strength) / (expected + strength)
    spent = float((expected[seen] / (expected[seen] + strength)).sum())
    return np.asarray(weight / weight.mean()), max(spent, 1.0)


@dataclass
class _Filtered:
    """What the Kalman filter of the level ends with; variances in units of dispersion x rough level."""

    mean: float
    deviation: float
    v_mean: float
    v_both: float
    v_deviation: float
    squares: float
    logs: float


def _filter(y: Floats, size: Floats, rough: float, memory: float, wander: float) -> _Filtered:
    """Run the filter over the days; one of size s has mean (m + d) s and, given the level, variance s."""
    stay = wander / (1.0 - memory * memory) if memory < 1 else 0.0
    f = _Filtered(rough, 0.0, _DIFFUSE, 0.0, stay, 0.0, 0.0)
    for value, s in zip(y.tolist(), size.tolist(), strict=True):
        f.deviation *= memory
        f.v_both *= memory
        f.v_deviation = memory * memory * f.v_deviation + wander
        on_mean, on_deviation = f.v_mean + f.v_both, f.v_both + f.v_deviation
        spread = s * s * (on_mean + on_deviation) + s
        error = value - s * (f.mean + f.deviation)
        gain_m, gain_d = s * on_mean / spread, s * on_deviation / spread
        f.mean += gain_m * error
        f.deviation += gain_d * error
        f.v_mean -= gain_m * s * on_mean
        f.v_deviation -= gain_d * s * on_deviation
        f.v_both -= gain_m * s * on_deviation
        f.squares += error * error / spread
        f.logs += float(np.log(spread))
    return f


def _fit_level(y: Floats, size: Floats, rough: float, spent: float) -> tuple[Level, float]:
    """The level by maximum likelihood over memory and wander, and the dispersion that belongs to it."""
    n = len(y)
    if n < _FEWEST:
        sd = rough * np.sqrt(1.0 / max(rough * max(size.sum(), 0.1), 0.1)) + 0.2 * rough
        return Level(rough, 0.0, (float(sd), 0.0, 0.0), 1.0, 0.05 * rough), 1.0

    def deviance(log_wander: float, memory: float) -> float:
        found = _filter(y, size, rough, memory, float(np.exp(log_wander)))
        return n * float(np.log(max(found.squares / n / rough, 1e-6))) + found.logs

    fits = []
    for memory in _MEMORIES if n >= _LONG else (1.0,):
        best = minimize_scalar(deviance, args=(memory,), bounds=(-9.0, 1.5), method="bounded", options={"xatol": 0.1})
        fits.append((float(best.fun), memory, float(np.exp(best.x))))
    _, memory, wander = min(fits)
    found = _filter(y, size, rough, memory, wander)
    # The weights of the weekdays are fitted to the same days; a day of Poisson keeps small samples from extremes.
    freedom = max(n - spent, n / 3)
    dispersion = max((found.squares / rough * n / freedom + 1.0) / (n + 1.0), _LEAST_DISPERSION)
    scale = dispersion * rough * (n + 1) / max(n - 1, 1)
    v_mean, v_both = max(found.v_mean, 0.0) * scale, found.v_both * scale
    a = float(np.sqrt(v_mean))
    b = v_both / a if a > 0 else 0.0
    c = float(np.sqrt(max(found.v_deviation * scale - b * b, 0.0)))
    walk = float(np.sqrt(wander * scale))
    return Level(found.mean, found.deviation, (a, float(b), c), memory, walk), float(dispersion)
