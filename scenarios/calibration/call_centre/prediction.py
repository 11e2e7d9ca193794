"""Predicts a month of a call centre from its parameters, and sets it beside what happened.

Every run draws its own month. Arrivals: the pattern by weekday with busy-ness of days and hours. Staff and speed of
work: those of successive weeks of the fitting period, each day from a day of the same weekday (block bootstrap, Kuensch
1989, blocks as long as the month). Both beside the level of their week, which is drawn as what may follow the last
weeks of the fitting period (`levels`). Staff answers to arrivals. Nothing is taken from the month that is predicted but
its dates, unless `given` says so.
Assumes: no holiday is in the month; the levels of arrivals and of staff wander apart from that answer independently.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenarios.calibration.call_centre.fitting import busy_logs, main_kinds
from scenarios.calibration.call_centre.levels import Levels, week_of, weekly
from scenarios.calibration.call_centre.mechanism import MEASURES, Ended, process_model, ratios, simulate, tally
from scenarios.calibration.call_centre.parameters import WEEKDAYS, DayFit, Parameters
from scenarios.calibration.call_centre.records import DAY_S, Calls
from scenarios.calibration.call_centre.staffing import infer, stay_on, steps_of
from twin.clock import SECOND
from twin.errors import DataError
from twin.randomness import Stream, Streams

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GIVEN = ("arrivals", "staff")
LEAST_CALLS = 1.0
"""Hours with fewer calls a day are left out of tables."""
_BLOCK_ENTITY = (1 << 62) - 2
_TYPE_COUNTER = 1
_CALLS_ENTITY, _STAFF_ENTITY = (1 << 62) - (1 << 20), (1 << 62) - (2 << 20)


@dataclass(frozen=True)
class Prediction:
    """Runs and, if known, what happened: sums of `tally` per day and hour.

    `runs` is float64[runs, days, 24, 4], `actual` float64[days, 24, 4]; `main` marks the main days of the week.
    """

    dates: tuple[dt.date, ...]
    runs: Floats
    actual: Floats | None
    main: NDArray[np.bool_]
    given: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One hour and measure: bands of the mean over the month and of a single day, and what happened.

    `inside` says whether the month's mean lies in its band, `days_inside` the share of days in the band of a day.
    """

    hour: int
    measure: str
    median: float
    month_low: float
    month_high: float
    day_low: float
    day_high: float
    actual: float
    inside: bool
    days_inside: float


@dataclass(frozen=True)
class Weeks:
    """Levels of arrivals and of staff in the weeks of the fitting period and after it (logarithms)."""

    first: dt.date
    last: dt.date
    calls: Levels
    staff: Levels

    @classmethod
    def of(cls, parameters: Parameters) -> Weeks:
        """Levels from the main regular days of the fit, each beside what is usual on its weekday."""
        main = main_weekdays(parameters)
        days = [d for d in usable_days(parameters) if main[d.date.weekday()] and sum(d.calls) > 0]
        days = days or usable_days(parameters)
        kind = np.array([d.date.weekday() for d in days])
        expected = np.stack([_expected_by_hour(parameters, k) for k in range(7)])
        calls = np.log([max(sum(d.calls), 1) for d in days]) - np.log(np.maximum(expected[kind].sum(axis=1), 1.0))
        staff = np.log(ordinary_agents(parameters, days).sum(axis=1))
        dates = [d.date for d in days]
        for k in np.unique(kind):
            staff[kind == k] -= staff[kind == k].mean()
        found = (weekly(logs, dates, parameters.first, parameters.last) for logs in (calls, staff))
        return cls(parameters.first, parameters.last, *found)

    def recorded(self, dates: Sequence[dt.date]) -> tuple[Floats, Floats]:
        """Levels of arrivals and of staff on days of the fitting period."""
        week = [week_of(d, self.first) for d in dates]
        return self.calls.smooth[week], self.staff.smooth[week]

    def ahead(self, dates: Sequence[dt.date], streams: Streams) -> tuple[Floats, Floats]:
        """Levels drawn for days after the fitting period; days before its end take those of its last week."""
        week = np.maximum([week_of(d, self.first) - week_of(self.last, self.first) for d in dates], 0)
        most = int(week.max())
        return (
            self.calls.draw(most, streams, _CALLS_ENTITY)[week],
            self.staff.draw(most, streams, _STAFF_ENTITY)[week],
        )


def ordinary_agents(parameters: Parameters, days: Sequence[DayFit]) -> Floats:
    """Agents of usual speed per period, without their answer to the day's arrivals, float64[days, periods]."""
    recorded = np.asarray([d.calls for d in days], np.float64)
    agents = np.asarray([d.staff for d in days]) / np.asarray([d.service_factor for d in days])[:, None]
    return np.asarray(agents / _answer(parameters, days, recorded, agents.shape[1]))


def _answer(parameters: Parameters, days: Sequence[DayFit], calls_by_hour: Floats, periods: int) -> Floats:
    """Factor by which agents of such days answer to arrivals, per period."""
    kind = [d.date.weekday() for d in days]
    expected = np.stack([_expected_by_hour(parameters, k) for k in range(7)])[kind]
    day, hour = busy_logs(calls_by_hour, expected)
    staff = parameters.staff
    factor = np.exp(staff.day_elasticity * day[:, None] + staff.hour_elasticity * hour)
    return np.repeat(factor, periods // 24, axis=1)


@dataclass(frozen=True)
class Plan:
    """The days of the fitting period whose staff stands for the days of one run, and their weeks' levels."""

    days: tuple[DayFit, ...]

    def steps(self, parameters: Parameters, calls_by_hour: Floats, was: Floats, level: Floats) -> tuple[Floats, Ints]:
        """Agents over time for `simulate`, in units of agents of usual speed.

        Args:
            parameters: the fit.
            calls_by_hour: calls of the run, float64[days, 24], which the agents answer to.
            was: level of staff in the week of each day of the plan.
            level: level of staff in the week of each day of the run.
        """
        staff = parameters.staff
        kind = np.asarray([d.date.weekday() for d in self.days])
        ordinary = ordinary_agents(parameters, self.days) * np.exp(-was)[:, None]
        periods = ordinary.shape[1]
        main = main_weekdays(parameters)
        likeness = np.where(main[kind], 7, kind)  # main days have one plan, the others one for each weekday
        for k in np.unique(likeness):
            own = likeness == k
            mean = ordinary[own].mean(axis=0)
            ordinary[own] = mean + staff.own_share * (ordinary[own] - mean)
        planned = ordinary * np.repeat(np.asarray(staff.flexibility), periods // 24) * np.exp(level)[:, None]
        return stay_on(*steps_of(planned * _answer(parameters, self.days, calls_by_hour, periods), staff.period_s))


def _expected_by_hour(parameters: Parameters, weekday: int) -> Floats:
    return np.asarray(parameters.pattern().expected[weekday]).reshape(24, -1).sum(axis=1)


def usable_days(parameters: Parameters) -> list[DayFit]:
    """Days of the fit that may stand for a day to come: regular, and with agents."""
    days = [d for d in parameters.days if d.regular and max(d.staff) > 0]
    if not days:
        raise DataError("the fit has no day with agents", hint="Records without agents cannot tell how many work.")
    return days


def draw_plan(parameters: Parameters, dates: Sequence[dt.date], streams: Streams) -> Plan:
    """Staff of a month to come: a block of successive weeks of the fitting period, weekday by weekday.

    Where the block lacks a usable day of some weekday, another week's day of that weekday is drawn.
    """
    days = usable_days(parameters)
    monday = parameters.first - dt.timedelta(days=parameters.first.weekday())
    known = {((d.date - monday).days // 7, d.date.weekday()): d for d in days}
    weeks = max(week for week, _ in known) + 1
    origin = dates[0] - dt.timedelta(days=dates[0].weekday())
    length = (dates[-1] - origin).days // 7 + 1
    starts = max(weeks - length, 0) + 1
    u = streams.uniform(Stream.PROCESS_ARRIVAL, _BLOCK_ENTITY, 0)
    start = min(int(float(u) * starts), starts - 1)
    pick = streams.uniform(Stream.PROCESS_ARRIVAL, _BLOCK_ENTITY - 1 - np.arange(len(dates)), 0)
    chosen = []
    for date, v in zip(dates, pick.tolist(), strict=True):
        week, kind = start + (date - origin).days // 7, date.weekday()
        day = known.get((week % weeks, kind))
        if day is None:
            same = [d for d in days if d.date.weekday() == kind] or days
            day = same[min(int(v * len(same)), len(same) - 1)]
        chosen.append(day)
    return Plan(tuple(chosen))


def draw_calls(
    parameters: Parameters, dates: Sequence[dt.date], streams: Streams, level: ArrayLike = 0.0
) -> tuple[Floats, Ints]:
    """Arrival times (s) and types (numbers in the order of `types`) of a month to come; `level` (logarithm) by day."""
    kinds = [d.weekday() for d in dates]
    times, numbers = parameters.pattern().draw(kinds, streams, scale=np.exp(level))
    mix = np.stack([_mix(parameters, k) for k in range(7)])
    weekday = np.asarray(kinds)[times // (DAY_S * SECOND)]
    up_to = np.cumsum(mix, axis=2)[weekday, times // (3600 * SECOND) % 24]
    u = streams.uniform(Stream.PROCESS_ARRIVAL, numbers, _TYPE_COUNTER) * up_to[:, -1]
    return times / SECOND, np.sum(u[:, None] >= up_to, axis=1).astype(np.int64)


def _mix(parameters: Parameters, weekday: int) -> Floats:
    known = parameters.mix.get(WEEKDAYS[weekday])
    return np.asarray(known if known is not None else next(iter(parameters.mix.values())), np.float64)


def _group(parameters: Parameters, arrived: Floats, kind: Ints) -> Ints:
    of = np.asarray([parameters.group_of[name] for name in parameters.type_names], np.int64)
    return of[kind, (arrived // 3600 % 24).astype(np.int64)]


def _kinds_in(parameters: Parameters, calls: Calls) -> Ints:
    """Numbers of recorded types in the parameters; an unknown type counts as the most frequent one."""
    number = {name: i for i, name in enumerate(parameters.type_names)}
    return np.asarray([number.get(name, 0) for name in calls.kinds], np.int64)[calls.kind]


def predict(
    parameters: Parameters,
    dates: Sequence[dt.date],
    *,
    runs: int = 50,
    seed: int = 1,
    actual: Calls | None = None,
    given: Sequence[str] = (),
    ahead: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Simulate the days `dates` (successive) `runs` times.

    Args:
        parameters: the fit.
        dates: successive days.
        runs: months drawn.
        seed: of the random numbers.
        actual: what happened, with the same first day, for comparison.
        given: what to take from `actual` instead of drawing it: arrivals, staff (to tell errors apart).
        ahead: whether the levels of weeks are those to come, or as recorded in the weeks whose staff is taken.
        progress: called with runs done and wanted.

    Raises:
        DataError: if something is to be taken from records that are not there.
    """
    if given and actual is None:
        raise DataError(f"{given[0]} cannot be taken from records that are not given")
    if actual is not None and actual.first_day != dates[0]:
        raise DataError(f"the records begin on {actual.first_day}, the prediction on {dates[0]}")
    observed = _observed_staff(actual) if "staff" in given and actual is not None else None
    groups, turnaround = parameters.mechanism_groups(), parameters.staff.turnaround
    model, weeks = process_model(groups, turnaround), Weeks.of(parameters)
    sums = []
    for r in range(runs):
        streams = Streams(seed, r)
        plan = draw_plan(parameters, dates, streams)
        was = weeks.recorded([d.date for d in plan.days])
        level = weeks.ahead(dates, streams) if ahead else was
        if "arrivals" in given and actual is not None:
            arrived, kind = actual.arrived, _kinds_in(parameters, actual)
        else:
            arrived, kind = draw_calls(parameters, dates, streams, level[0])
        hourly = np.bincount((arrived // 3600).astype(np.int64), minlength=len(dates) * 24)[: len(dates) * 24]
        steps = observed or plan.steps(parameters, hourly.reshape(-1, 24).astype(np.float64), was[1], level[1])
        group = _group(parameters, arrived, kind)
        sums.append(tally(simulate(model, arrived, group, steps, streams), len(dates)))
        if progress:
            progress(r + 1, runs)
    happened = tally(Ended.of(actual), len(dates)) if actual is not None else None
    main = main_weekdays(parameters)[[d.weekday() for d in dates]]
    return Prediction(tuple(dates), np.stack(sums), happened, main, tuple(given))


def _observed_staff(actual: Calls) -> tuple[Floats, Ints]:
    return stay_on(*infer(actual).steps(0.0, float(actual.days * DAY_S)))


def main_weekdays(parameters: Parameters) -> NDArray[np.bool_]:
    """Which weekdays, Monday first, are main days of the week."""
    totals = np.asarray([sum(parameters.arrivals.expected.get(day, ())) for day in WEEKDAYS])
    return main_kinds(totals)


def rows(prediction: Prediction, *, main: bool = True, band: float = 0.9) -> list[Row]:
    """Bands by hour and measure, over the main days of the week or over the others."""
    days = prediction.main if main else ~prediction.main
    if not days.any():
        return []
    p = prediction
    tail = (1 - band) / 2
    runs = p.runs[:, days]
    month, day = ratios(runs.sum(axis=1)), ratios(runs).reshape(-1, 24, len(MEASURES))
    month[..., 0] /= days.sum()
    happened = p.actual[days] if p.actual is not None else np.full((1, 24, len(MEASURES)), np.nan)
    actual, actual_days = ratios(happened.sum(axis=0)), ratios(happened)
    actual[..., 0] /= len(happened)
    result = []
    for hour in range(24):
        if runs[:, :, hour, 0].mean() < LEAST_CALLS:
            continue
        for m, measure in enumerate(MEASURES):
            low, middle, high = np.nanquantile(month[:, hour, m], [tail, 0.5, 1 - tail])
            day_low, day_high = np.nanquantile(day[:, hour, m], [tail, 1 - tail])
            seen = actual_days[:, hour, m]
            seen = seen[np.isfinite(seen)]
            inside = (seen >= day_low) & (seen <= day_high)
            result.append(
                Row(
                    hour,
                    measure,
                    median=float(middle),
                    month_low=float(low),
                    month_high=float(high),
                    day_low=float(day_low),
                    day_high=float(day_high),
                    actual=float(actual[hour, m]),
                    inside=bool(low <= actual[hour, m] <= high),
                    days_inside=float(inside.mean()) if len(seen) else float("nan"),
                )
            )
    return result


@dataclass(frozen=True)
class Coverage:
    """How often what happened lay in its band: months' means of hours, and single days' hours."""

    measure: str
    hours: int
    hours_inside: int
    days_inside: float


def coverage(table: Sequence[Row]) -> list[Coverage]:
    """Coverage by measure, of rows with known outcome."""
    result = []
    for measure in MEASURES:
        own = [r for r in table if r.measure == measure and np.isfinite(r.actual)]
        if own:
            inside = float(np.nanmean([r.days_inside for r in own]))
            result.append(Coverage(measure, len(own), sum(r.inside for r in own), inside))
    return result


def month_dates(first: dt.date, days: int) -> list[dt.date]:
    """Successive days."""
    return [first + dt.timedelta(days=i) for i in range(days)]


def with_first_day(calls: Calls, first: dt.date) -> Calls:
    """The same calls counted from another first day, not later than their own."""
    shift = (calls.first_day - first).days * DAY_S
    return replace(calls, first_day=first, arrived=calls.arrived + shift)
