"""When cases arrive: a weekly profile, a level that may drift, and gaps in operational time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import chi2

from twin.process.discovery.columns import DAY, HOUR, MONDAY_SHIFT, WEEK, Float, Int, week_time
from twin.process.discovery.model import Arrivals
from twin.randomness import Stream, Streams

HOURS = 168
_HALF_LIFE = 13.0
_OF_SPAN = 0.15
"""A week loses half its weight in the level of arrivals in so many weeks, or in this part of the log if that is longer.

Assumed, from 22 real and made-up logs cut at 411 instants: so the level of the next quarter of the time was forecast
best (mean error of its logarithm 0.133; all weeks alike 0.159; 13 weeks in logs of any length 0.138, 4 weeks 0.170). A
half life chosen by the past errors of each log did worse (0.185): some weeks up and down look like a lasting change.
"""
_FAR = 3.0
"""Likewise: with weeks farther out weighing less, the geometric mean over the logs of that error was 4% less."""
_MAD = 1.4826
_ROUNDS = 20
_FEWEST_WEEKS = 4
_WHOLE = 0.3
"""A week with a smaller part of the usual hours says too little to stand for itself."""
_AHEAD = 0.25
"""Forecasts are tried over a quarter of what lies before them; a trend is taken to go on as long, not longer."""
_SURE_SLOPE = 3.0
_SURE_HALF = 2.0
"""Standard errors: of the slope of the whole log, and of those of its halves."""
_MILLION = 1_000_000
_LEAST_SHOWN = (0.7, 0.3)
"""Stretches in which a log shows fewer of the cases are left out, if half of it remains."""
_LULL = 0.05
"""A recording that goes on for a greater part after its last arrival (or a day) was continued without arrivals."""
_ROLLING = 51
_SURE = 0.01
_STRETCHES = 10
"""Blocks are so long that the log holds at least so many."""


def fit_arrivals(first: Int, weight: Float, begin: int, cut: int, shut: Int | None = None) -> Arrivals:
    """Fit arrivals to the first starts of cases.

    Args:
        first: sorted instants, ns.
        weight: how many arrivals each stands for (truncation makes late ones rare).
        begin: ns from which the log shows arrivals.
        cut: ns until which it does.
        shut: days (since 1970) on which the office was closed: where nothing arrived either, they say nothing of the
            rate of other days.
    """
    shut = np.setdiff1d(np.zeros(0, np.int64) if shut is None else shut, first // DAY)
    usable, until = np.ones(len(first), bool), int(first.max())
    for least in _LEAST_SHOWN:
        some = weight <= 1.0 / least
        if some.any() and int(first[some].max()) - begin >= 0.5 * (cut - begin):
            usable, until = some, int(first[some].max())
            break
    until = cut if bool(usable.all()) and cut - until < min(DAY, _LULL * (cut - begin)) else until
    seen = first <= until
    times, mass = first[seen], weight[seen]
    profile = profile_of_week(times, mass, begin, max(until, begin + HOUR), shut)
    days, counts, exposure = _daily(times, mass, profile, begin, until)
    exposure[np.isin(days + begin // DAY, shut)] = 0.0
    half_life, slope, spread = _choose_level(days, counts, exposure)
    level = _level(days, counts, exposure, days[-1] + 1.0, half_life)
    if slope:
        level = _trend_level(*_trend(days, counts, exposure)[:2], days[-1:] + 1.0, np.ones(1))
    if level <= 0 and exposure.sum() > 0:
        level = float(counts.sum() / exposure.sum())
    # A log of one instant says nothing of a rate: its cases are taken as one day's.
    level = level if level > 0 else float(mass.sum()) / (DAY / HOUR)
    gaps = _gaps(times, profile, shut)
    block = _block(gaps, len(times) / max(len(days), 1))
    plain = _gaps(times, profile, shut, mass)
    steady = 1 if slope else _steady_block(plain)
    if steady > 1:
        gaps, block = plain, steady
    return Arrivals(
        per_week=float(level * HOURS),
        half_life_weeks=half_life,
        profile=[round(float(x), 5) for x in profile],
        gaps=np.round(gaps * _MILLION).astype(np.int64),
        block=block,
        level_spread=round(float(spread), 4),
        growth=round(7.0 * slope, 6),
        begin=begin,
        until=until,
    )


def _exposure(begin: int, until: int, shut: Int) -> Float:
    """How often each hour of the week lies between two instants, but for some days."""
    first, last = (begin + MONDAY_SHIFT) // HOUR, (until + MONDAY_SHIFT) // HOUR
    hours = np.arange(first, last + 1)
    share = np.ones(len(hours))
    share[0] -= ((begin + MONDAY_SHIFT) % HOUR) / HOUR
    share[-1] -= 1.0 - ((until + MONDAY_SHIFT) % HOUR) / HOUR
    share[np.isin((hours * HOUR - MONDAY_SHIFT) // DAY, shut)] = 0.0
    return np.bincount(hours % HOURS, weights=np.maximum(share, 0.0), minlength=HOURS).astype(np.float64)


def profile_of_week(times: Int, mass: Float, begin: int, until: int, shut: Int | None = None) -> Float:
    """Relative rate by hour of the week; cells with little evidence lean to weekday times hour of the day.

    Of a log shorter than a week, hours of the week that it does not reach are as that hour on other days, or as all.
    """
    seen = np.bincount(week_time(times) // HOUR, weights=mass, minlength=HOURS)
    exposure = _exposure(begin, until, np.zeros(0, np.int64) if shut is None else shut)
    rate = seen / np.maximum(exposure, 1e-9)
    table = np.where(exposure > 0, rate, 0.0).reshape(7, 24)
    by_day = table.sum(axis=1, keepdims=True)
    share = seen.reshape(7, 24).sum(axis=0)
    share = share / max(share.sum(), 1e-9)
    product = (by_day * share).ravel() * np.maximum(exposure, 1e-9)
    cells = product * (seen + 0.5) / (product + 0.5) / np.maximum(exposure, 1e-9)
    cells = np.where(product > 0, cells, 0.0)
    by_hour, hours = seen.reshape(7, 24).sum(axis=0), exposure.reshape(7, 24).sum(axis=0)
    usual = np.where(hours > 0, by_hour / np.maximum(hours, 1e-9), seen.sum() / max(exposure.sum(), 1e-9))
    cells = np.where(exposure > 0, cells, np.tile(usual, 7))
    mean = cells.mean()
    return np.asarray(cells / mean if mean > 0 else np.ones(HOURS), np.float64)


def _daily(times: Int, mass: Float, profile: Float, begin: int, until: int) -> tuple[Float, Float, Float]:
    """Days since the first, arrivals and operational hours of each."""
    first, last = begin // DAY, until // DAY
    days = np.arange(first, last + 1)
    counts = np.bincount(times // DAY - first, weights=mass, minlength=len(days)).astype(np.float64)
    edges = np.clip(np.append(days, last + 1) * DAY, begin, until)
    exposure = np.diff(operational(edges, profile))
    return (days - first).astype(np.float64), counts, exposure


def _level(days: Float, counts: Float, exposure: Float, at: float, half_life: float) -> float:
    """Arrivals per operational hour: the mean of weeks, older ones weighing less, and less those out of the ordinary.

    A week farther than three robust standard deviations from the median (a feast, a campaign) counts as if it lay there
    (P. J. Huber 1964). Fewer than four whole weeks are taken together.
    """
    week = ((at - 1.0 - days) // 7.0).astype(np.int64)
    hours = np.bincount(week, exposure)
    arrived = np.bincount(week, counts)
    used = hours > _WHOLE * np.median(hours[hours > 0]) if (hours > 0).any() else hours > 0
    if used.sum() < _FEWEST_WEEKS:
        total = float(exposure.sum())
        return float(counts.sum()) / total if total > 0 else 0.0
    age = np.arange(len(hours)) / half_life if half_life else np.zeros(len(hours))
    mass = np.asarray(hours * 0.5**age, np.float64)[used]
    rate = arrived[used] / hours[used]
    level = _middle(rate, mass)
    reach = _FAR * max(_MAD * _middle(np.abs(rate - level), mass), 1e-9 * level)
    for _ in range(_ROUNDS):
        counted = mass * np.minimum(1.0, reach / np.maximum(np.abs(rate - level), 1e-300))
        level = float((rate * counted).sum() / counted.sum())
    return level


def _middle(values: Float, mass: Float) -> float:
    """Weighted median."""
    order = np.argsort(values)
    total = np.cumsum(mass[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def _trend(days: Float, counts: Float, exposure: Float) -> tuple[float, float, float]:
    """Log-linear rate by Poisson regression: its logarithm on day 0, its slope a day, and |slope| over its error.

    The error is that of counts as dispersed as they are (Pearson's statistic by its degrees of freedom).
    """
    use = exposure > 1e-9
    t, y, e = days[use], counts[use], exposure[use]
    if len(t) < 3 or y.sum() <= 0:
        return 0.0, 0.0, 0.0
    centre = float(t.mean())
    design = np.stack([np.ones(len(t)), t - centre])
    beta = np.array([np.log(y.sum() / e.sum()), 0.0])
    for _ in range(25):
        mean = e * np.exp(np.clip(beta @ design, -50.0, 50.0))
        information = (design * mean) @ design.T
        step = np.linalg.lstsq(information, design @ (y - mean), rcond=None)[0]
        beta = beta + np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-10:
            break
    mean = np.maximum(e * np.exp(np.clip(beta @ design, -50.0, 50.0)), 1e-9)
    dispersion = max(1.0, float(((y - mean) ** 2 / mean).sum()) / max(1, len(t) - 2))
    spread = float((mean * (t - centre) ** 2).sum())
    error = np.sqrt(dispersion / max(spread, 1e-9))
    return float(beta[0] - beta[1] * centre), float(beta[1]), float(abs(beta[1]) / error)


def _trend_level(base: float, slope: float, days: Float, exposure: Float) -> float:
    """Arrivals per operational hour that a trend gives on some days."""
    total = float(exposure.sum())
    return float((exposure * np.exp(base + slope * days)).sum()) / total if total > 0 else 0.0


def _choose_level(days: Float, counts: Float, exposure: Float) -> tuple[float, float, float]:
    """The half life of the level's memory, a slope, and the error of forecasts of the next quarter from earlier days.

    A trend (slope of the logarithm a day, 0 = none) must go through both halves of the log, and forecast better than
    the level by more than chance explains.
    """
    span = len(days)
    origins = [o for o in range(int(0.35 * span), int(0.85 * span), max(1, span // 24)) if o >= 5]
    if span < 14 or not origins:
        return 0.0, 0.0, 0.0
    stops = [min(span, o + max(3, int(_AHEAD * o))) for o in origins]
    actual = np.array([counts[o:s].sum() / max(exposure[o:s].sum(), 1e-9) for o, s in zip(origins, stops, strict=True)])

    def error(forecast: Callable[[int, int], float]) -> Float:
        found = np.array([forecast(o, s) for o, s in zip(origins, stops, strict=True)])
        sound = (actual > 0) & (found > 0)
        return np.abs(np.log(np.where(sound, found, np.nan) / np.where(sound, actual, 1.0)))

    def half_life_after(length: int) -> float:
        return max(_HALF_LIFE, round(_OF_SPAN * length / 7.0, 1))

    chosen = error(lambda o, _: _level(days[:o], counts[:o], exposure[:o], float(o), half_life_after(o)))
    half_life, slope = half_life_after(span), _lasting_slope(days, counts, exposure)
    if slope:
        past = {o: _trend(days[:o], counts[:o], exposure[:o])[:2] for o in origins}
        trend = error(lambda o, s: _trend_level(*past[o], days[o:s], exposure[o:s]))
        if _surely_less(trend, chosen):
            chosen, half_life = trend, 0.0
        else:
            slope = 0.0
    seen = chosen[np.isfinite(chosen)]
    return half_life, slope, 1.2533 * float(seen.mean()) if len(seen) else 0.0


def _lasting_slope(days: Float, counts: Float, exposure: Float) -> float:
    """The slope of a trend that is surely there, in both halves of the log alike; else 0."""
    half = len(days) // 2
    _, slope, sure = _trend(days, counts, exposure)
    (_, one, sure_one), (_, two, sure_two) = (
        _trend(days[part], counts[part], exposure[part]) for part in (slice(half), slice(half, None))
    )
    if min(sure / _SURE_SLOPE, sure_one / _SURE_HALF, sure_two / _SURE_HALF) <= 1.0 or one * two <= 0:
        return 0.0
    error = float(np.hypot(one / sure_one, two / sure_two))
    return slope if abs(one - two) <= _SURE_HALF * error else 0.0


def _surely_less(mine: Float, plain: Float) -> bool:
    """Better than chance explains: errors of overlapping quarters are alike, hence twice the standard error."""
    gain = (plain - mine)[np.isfinite(plain) & np.isfinite(mine)]
    return len(gain) > 1 and bool(gain.mean() > 2.0 * gain.std() / np.sqrt(len(gain)))


def operational(times: Int, profile: Float) -> Float:
    """Operational hours since 1970 at instants: an hour of average rate counts one."""
    shifted = np.asarray(times, np.int64) + MONDAY_SHIFT
    cumulative = np.concatenate([[0.0], np.cumsum(profile)])
    hour = shifted % WEEK // HOUR
    return np.asarray((shifted // WEEK) * float(HOURS) + cumulative[hour] + profile[hour] * ((shifted % HOUR) / HOUR))


def calendar_time(hours: Float, profile: Float) -> Int:
    """The instants (ns) at which so many operational hours since 1970 have passed: the inverse of `operational`."""
    cumulative = np.concatenate([[0.0], np.cumsum(profile)])
    cumulative *= HOURS / cumulative[-1]
    weeks = np.floor(hours / HOURS)
    rest = hours - weeks * HOURS
    cell = np.clip(np.searchsorted(cumulative, rest, side="right") - 1, 0, HOURS - 1)
    inside = (rest - cumulative[cell]) / np.maximum(profile[cell], 1e-12)
    inside = np.clip(inside, 0.0, 1.0)
    return np.asarray(weeks.astype(np.int64) * WEEK + cell * HOUR + (inside * HOUR).astype(np.int64) - MONDAY_SHIFT)


def _bounds(fitted: Arrivals) -> tuple[float, float, float, float]:
    """Slope in an operational hour, and operational hours since 1970: of the end of the log, first and last growth."""
    profile = np.asarray(fitted.profile)
    begin, until = operational(np.array([fitted.begin, fitted.until]), profile).tolist()
    return fitted.growth / HOURS, until, begin - until, _AHEAD * (until - begin)


def _grown(hours: Float, fitted: Arrivals) -> Float:
    """Operational hours in which the trend is taken up: those at which the rate is `per_week` throughout."""
    if not fitted.growth:
        return hours
    slope, zero, low, high = _bounds(fitted)
    x = hours - zero
    inside = np.clip(x, low, high)
    return np.asarray(zero + np.expm1(slope * inside) / slope + (x - inside) * np.exp(slope * inside), np.float64)


def _shrunk(hours: Float, fitted: Arrivals) -> Float:
    """The inverse of `_grown`."""
    if not fitted.growth:
        return hours
    slope, zero, low, high = _bounds(fitted)
    edge = np.expm1(slope * np.array([low, high])) / slope
    x = hours - zero
    inside = np.clip(x, *edge)
    found = np.log1p(slope * inside) / slope
    return np.asarray(zero + found + (x - inside) / np.exp(slope * found), np.float64)


def _gaps(times: Int, profile: Float, shut: Int, mass: Float | None = None) -> Float:
    """Gaps in operational time over their local mean, so that a trend is not taken for dispersion.

    Given how many arrivals each stands for, gaps over the mean of all: local means would hide how steady the flow is.
    """
    closed = np.searchsorted(shut, times[1:] // DAY) > np.searchsorted(shut, times[:-1] // DAY)
    gaps = np.diff(operational(times, profile))[~closed]
    if len(gaps) < 2:
        return np.ones(1)
    if mass is not None:
        gaps = gaps / mass[1:][~closed]
        return np.asarray(gaps / max(gaps.mean(), 1e-12), np.float64)
    half = min(_ROLLING // 2, len(gaps) - 1)
    total = np.concatenate([[0.0], np.cumsum(gaps)])
    low = np.maximum(np.arange(len(gaps)) - half, 0)
    high = np.minimum(np.arange(len(gaps)) + half + 1, len(gaps))
    local = (total[high] - total[low]) / (high - low)
    scaled = gaps / np.maximum(local, 1e-12)
    return np.asarray(scaled / max(scaled.mean(), 1e-12), np.float64)


def _block(gaps: Float, per_day: float) -> int:
    """One, unless successive gaps are correlated: then about a day's arrivals."""
    if len(gaps) < 30 or gaps.std() <= 0:
        return 1
    centred = gaps - gaps.mean()
    lag = float((centred[1:] * centred[:-1]).mean() / (centred**2).mean())
    return max(1, min(round(per_day), len(gaps) // 5)) if lag > 2.0 / np.sqrt(len(gaps)) else 1


def _steady_block(gaps: Float) -> int:
    """How many gaps are drawn together where arrivals are steadier over long stretches than independent gaps; else one.

    So are those that keep a timetable with some lateness: a long gap comes before a short one. The measure is the
    variance of the sums of m successive gaps over m times that of one (A. W. Lo and A. C. MacKinlay 1988), with
    1.5 n / m degrees of freedom; at the longest m it must be below one by more than chance. The block is the m at which
    it is least, as drawing longer blocks makes nothing steadier.
    """
    centred, n = gaps - gaps.mean(), len(gaps)
    lengths = [1 << k for k in range(1, 64) if _STRETCHES << k <= n]
    if not lengths or gaps.std() <= 0:
        return 1
    total = np.concatenate([[0.0], np.cumsum(centred)])
    ratio = [float(((total[m:] - total[:-m]) ** 2).mean() / (m * gaps.var())) for m in lengths]
    freedom = 1.5 * n / lengths[-1]
    if chi2.cdf(freedom * ratio[-1], freedom) > _SURE:
        return 1
    return lengths[int(np.argmin(ratio))]


def draw_arrivals(
    fitted: Arrivals,
    start: int,
    streams: Streams,
    *,
    cases: int | None = None,
    end: int | None = None,
    at_start: bool = False,
    level: float = 1.0,
    part: int = 0,
) -> Int:
    """Arrival instants (ns, sorted) from `start` on.

    Args:
        fitted: the arrivals.
        start: ns.
        streams: of the replication.
        cases: so many; None = until `end`.
        end: ns, exclusive.
        at_start: the first arrives at `start` itself.
        level: times the fitted level.
        part: numbers independent stretches of one replication.
    """
    profile = np.asarray(fitted.profile)
    rate = fitted.per_week / HOURS * level
    if rate <= 0:
        return np.zeros(0, np.int64)
    begin = float(_grown(operational(np.array([start]), profile), fitted)[0])
    if cases is None:
        if end is None:
            raise ValueError("give the number of cases or the end")
        expected = (float(_grown(operational(np.array([end]), profile), fitted)[0]) - begin) * rate
        count = int(expected + 8.0 * np.sqrt(expected + 1.0) * max(1.0, fitted.block**0.5) + 16)
    else:
        count = cases
    steps = _draw_gaps(fitted, count, streams, part)
    if at_start:
        steps[0] = 0.0
    times = calendar_time(_shrunk(begin + np.cumsum(steps) / rate, fitted), profile)
    if at_start and count:
        times[0] = start
    times = np.maximum(times, start)
    return times if cases is not None or end is None else times[times < end]


def _draw_gaps(fitted: Arrivals, count: int, streams: Streams, part: int) -> Float:
    gaps = fitted.gaps / _MILLION
    blocks = -(-count // fitted.block)
    begin = (streams.uniform(Stream.WORK_ARRIVAL, np.arange(blocks), 4 * part) * len(gaps)).astype(np.int64)
    rows = (begin[:, None] + np.arange(fitted.block)).ravel()[:count] % len(gaps)
    picked = gaps[rows].copy()
    if count:
        # A residual life for the first gap: the last arrival before the start is not known.
        picked[0] *= float(streams.uniform(Stream.WORK_ARRIVAL, np.array([0]), 4 * part + 1)[0])
    return np.asarray(picked, np.float64)
