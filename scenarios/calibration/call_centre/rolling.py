"""Predictions from a rolling origin: every month from the months before it, beside naive seasonal forecasts.

Naive forecasts know the hour of the day and nothing else. Their centre is the mean of the months before (`mean`) or the
last of them (`last`); their bands are those of textbooks: of a month's mean, Student's interval for one more month
(two months at least); of a day, quantiles of the days before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenarios.calibration.call_centre.calibration import calibrate
from scenarios.calibration.call_centre.fitting import fit
from scenarios.calibration.call_centre.mechanism import MEASURES, Ended, ratios, tally
from scenarios.calibration.call_centre.parameters import Parameters
from scenarios.calibration.call_centre.prediction import Row, main_weekdays, month_dates, predict, rows
from scenarios.calibration.call_centre.records import Calls, read
from twin.errors import DataError

Floats = NDArray[np.float64]
FORECASTS = ("twin", "mean", "last")


@dataclass(frozen=True)
class Score:
    """How one forecast of one month and measure did, over the hours of the main days of the week.

    Args:
        month: month predicted.
        measure: one of `MEASURES`.
        forecast: one of `FORECASTS`.
        error: mean absolute error of the hours' means over the month, in units of the measure.
        hours: hours compared.
        inside: hours whose mean over the month lies in its band; -1 without a band.
        interval: mean interval score of these bands (Gneiting and Raftery 2007, eq. 43: width, plus 2 / (1 - level)
            times the miss; smaller is better); NaN without a band.
        days_inside: share of single days' hours in the band of a day.
        days_interval: mean interval score of single days' hours.
    """

    month: int
    measure: str
    forecast: str
    error: float
    hours: int
    inside: int
    interval: float
    days_inside: float
    days_interval: float


@dataclass(frozen=True)
class _Bands:
    """Centre, band of the month's mean and band of a day by hour, float64[24] each."""

    centre: Floats
    low: Floats
    high: Floats
    day_low: Floats
    day_high: Floats


def interval_score(low: Floats, high: Floats, seen: Floats, band: float) -> Floats:
    """Interval score of central bands of a level; NaN where a value is missing."""
    miss = np.maximum(low - seen, 0.0) + np.maximum(seen - high, 0.0)
    return np.asarray(high - low + 2 / (1 - band) * miss)


def score(month: int, measure: int, name: str, bands: _Bands, seen: Floats, days: Floats, band: float) -> Score:
    """Score of one forecast: `seen` float64[24] is the month's mean by hour (NaN: not compared), `days` of each day."""
    hours = np.isfinite(seen) & np.isfinite(bands.centre)
    known = hours & np.isfinite(bands.low)
    inside = (seen >= bands.low) & (seen <= bands.high)
    single = hours & np.isfinite(days)
    day_inside = (days >= bands.day_low) & (days <= bands.day_high)
    return Score(
        month,
        MEASURES[measure],
        name,
        error=float(np.abs(bands.centre - seen)[hours].mean()),
        hours=int(hours.sum()),
        inside=int(inside[known].sum()) if known.any() else -1,
        interval=_mean(interval_score(bands.low, bands.high, seen, band)[known]),
        days_inside=_mean(day_inside[single]),
        days_interval=_mean(interval_score(bands.day_low, bands.day_high, days, band)[single]),
    )


def _mean(values: ArrayLike) -> float:
    values = np.asarray(values, np.float64)
    return float(values.mean()) if len(values) else float("nan")


def naive(calls: Calls, main: NDArray[np.bool_], measure: int, band: float) -> dict[str, _Bands]:
    """Naive forecasts from the records of the months before, over the main weekdays on which calls were recorded."""
    from scipy.stats import t

    sums = tally(Ended.of(calls), calls.days)
    dates = [calls.date(d) for d in range(calls.days)]
    usable = np.array([bool(main[d.weekday()]) for d in dates]) & (sums[..., 0].sum(axis=1) > 0)
    month = np.array([d.year * 12 + d.month for d in dates])
    numbers = sorted(set(month[usable].tolist()))
    each = np.stack([_means(sums[usable & (month == m)])[:, measure] for m in numbers])
    whole = _means(sums[usable])[:, measure]
    n, tail = len(numbers), (1 - band) / 2
    width = np.full(24, np.nan)
    if n > 1:
        width = t.ppf(1 - tail, n - 1) * each.std(axis=0, ddof=1) * np.sqrt(1 + 1 / n)
    days = ratios(sums[usable])[..., measure]
    with np.errstate(invalid="ignore"):
        low, high = (_quantiles(days, q) for q in (tail, 1 - tail))
    of_mean = _Bands(whole, np.maximum(whole - width, 0.0), whole + width, low, high)
    nothing = np.full(24, np.nan)
    latest = ratios(sums[usable & (month == numbers[-1])])[..., measure]
    of_last = _Bands(each[-1], nothing, nothing, _quantiles(latest, tail), _quantiles(latest, 1 - tail))
    return {"mean": of_mean, "last": of_last}


def _quantiles(days: Floats, q: float) -> Floats:
    seen = [column[np.isfinite(column)] for column in days.T]
    return np.array([np.quantile(column, q) if len(column) else np.nan for column in seen])


def _means(sums: Floats) -> Floats:
    """Measures of several days by hour, float64[24, 4]; calls per day."""
    found = ratios(sums.sum(axis=0))
    found[..., 0] /= len(sums)
    return found


def _of_rows(table: Sequence[Row], measure: int) -> _Bands:
    own = {r.hour: r for r in table if r.measure == MEASURES[measure]}
    names = ("median", "month_low", "month_high", "day_low", "day_high")
    return _Bands(*(np.array([getattr(own[h], k) if h in own else np.nan for h in range(24)]) for k in names))


def roll(
    source: Path,
    months: Sequence[int],
    *,
    runs: int = 50,
    seed: int = 1,
    band: float = 0.9,
    progress: Callable[[int, int], None] | None = None,
) -> list[Score]:
    """Predict each of `months` from all months recorded before it.

    Args:
        source: as for `read`.
        months: months of the year to predict.
        runs: simulated months of each prediction.
        seed: of the random numbers.
        band: level of the bands.
        progress: called with months done and wanted.

    Raises:
        DataError: if a month has none before it.
    """
    found: list[Score] = []
    for i, month in enumerate(months):
        if month <= 1:
            raise DataError(f"month {month} has no month before it in its year", hint="Roll from month 2 on.")
        before, report = read(source, list(range(1, month)))
        parameters = calibrate(fit(before, report, months=range(1, month)), before)
        found += score_month(parameters, before, read(source, [month])[0], month, runs=runs, seed=seed, band=band)
        if progress:
            progress(i + 1, len(months))
    return found


def score_month(
    parameters: Parameters, before: Calls, actual: Calls, month: int, *, runs: int, seed: int, band: float
) -> list[Score]:
    """Scores of all forecasts of one month."""
    result = predict(parameters, month_dates(actual.first_day, actual.days), runs=runs, seed=seed, actual=actual)
    table = rows(result, band=band)
    assert result.actual is not None
    happened = result.actual[result.main]
    happened = happened[happened[..., 0].sum(axis=1) > 0]
    seen, days = _means(happened), ratios(happened)
    found = []
    for m in range(len(MEASURES)):
        twin = _of_rows(table, m)
        compared = np.where(np.isfinite(twin.centre), seen[:, m], np.nan)
        forecasts = {"twin": twin, **naive(before, main_weekdays(parameters), m, band)}
        found += [score(month, m, k, b, compared, days[..., m], band) for k, b in forecasts.items()]
    return found
