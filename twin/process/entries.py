"""When the cases of a process file arrive: by rate and profile (Poisson, or spaced), or by the gaps between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
from twin.errors import ScenarioError
from twin.process.arrivals import DAY_NUMBERS, Busyness, Profile, arrivals
from twin.process.calendar import WorkCalendar
from twin.process.distributions import Distribution
from twin.process.model import Calendar, DayArrivals, ProcessModel, Spacing
from twin.process.staff import WEEKDAYS
from twin.randomness import Stream, Streams

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_BLOCK = 4096
_FURTHEST_DAY = 3660


def case_times(
    model: ProcessModel,
    streams: Streams,
    calendar: WorkCalendar | None = None,
    *,
    days: int | None = None,
    cases: int | None = None,
    fewer: bool = False,
) -> Ints:
    """Times (ns since the midnight of day 0, rising) at which cases arrive.

    Args:
        model: the process; its `arrivals` count.
        streams: random numbers of the replication.
        calendar: working days.
        days: arrivals of so many days;
        cases: or so many arrivals.
        fewer: those that come within ten years will do.

    Raises:
        ScenarioError: the model says nothing of arrivals, or none come within ten years.
    """
    given, calendar = model.arrivals, calendar or WorkCalendar()
    if given is None:
        raise ScenarioError(f"process {model.name!r} says nothing of arrivals", hint="Give `arrivals` in its file.")
    if (days is None) == (cases is None):
        raise ScenarioError("arrivals of some days or a number of cases", hint="Give one of the two.")
    if given.gap is not None:
        hours = model.calendars[given.calendar] if given.calendar is not None else None
        found = _by_gaps(given, hours, streams, calendar, days, cases)
    elif given.spacing is not None:
        found = _spaced(given, given.spacing, streams, calendar, days, cases)
    else:
        found = _by_rate(given, streams, calendar, days, cases)
    if cases is not None and len(found) < cases and not fewer:
        raise ScenarioError(f"only {len(found)} cases come in ten years", hint="Ask for fewer, or raise the rate.")
    return found


def _by_rate(given: DayArrivals, streams: Streams, calendar: WorkCalendar, days: int | None, cases: int | None) -> Ints:
    """Poisson arrivals day by day, the day's total by its weights, its weekday and its busy-ness."""
    busyness = Busyness(given.dispersion.cv) if given.dispersion is not None else None
    times, n = [np.zeros(0, np.int64)], 0
    for day, total, profile in _expected(given, calendar, _FURTHEST_DAY if days is None else days):
        if cases is not None and n >= cases:
            break
        first = day * DAY_NUMBERS
        if busyness is not None:
            noise = streams.normal(Stream.PROCESS_ARRIVAL, np.asarray([first + DAY_NUMBERS // 2]), 1)
            total *= float(busyness.factors(noise)[0])
        found, _ = arrivals(profile, total, streams, entity_base=first)
        times.append(found + day * DAY)
        n += len(found)
    return np.concatenate(times)[:cases]


def _expected(given: DayArrivals, calendar: WorkCalendar, days: int) -> Iterator[tuple[int, float, Profile]]:
    """The days on which cases may come, how many are expected, and when."""
    usual = _usual_mass(given)
    for day in range(days):
        periods = [(p.start, p.end, p.weight) for p in given.profile if calendar.works(day, p.days)]
        mass = sum((end - start) * weight for start, end, weight in periods)
        if mass > 0:
            factor = given.weekdays.get(WEEKDAYS[calendar.weekday(day)], 1.0)
            yield day, given.per_day * mass / usual * factor, Profile.of_periods(periods)


def _spaced(
    given: DayArrivals,
    spacing: Spacing,
    streams: Streams,
    calendar: WorkCalendar,
    days: int | None,
    cases: int | None,
) -> Ints:
    """Arrivals whose gaps, in the time in which one is expected per unit, are those of the spacing."""
    found, n, ended = [np.zeros(0, np.int64)], 0, 0.0
    coming = _spaced_instants(spacing, streams)
    ahead = next(coming)
    for day, total, profile in _expected(given, calendar, _FURTHEST_DAY if days is None else days):
        while ahead[-1] < ended + total:
            ahead = np.concatenate([ahead, next(coming)])
        here = int(np.searchsorted(ahead, ended + total, side="left"))
        if here:
            found.append(profile.time_of((ahead[:here] - ended) / total) + day * DAY)
        ahead, ended, n = ahead[here:], ended + total, n + here
        if cases is not None and n >= cases:
            break
    return np.concatenate(found)[:cases]


def _spaced_instants(spacing: Spacing, streams: Streams) -> Iterator[Floats]:
    """Instants of arrivals, a block at a time, where one is expected per unit of time.

    Run k begins at a gap that is a function of (seed, replication, k). Of the first gap only a part is left when
    observation begins.
    """
    gaps = np.asarray(spacing.gaps)
    gaps, runs, last = gaps / gaps.mean(), max(_BLOCK // spacing.run, 1), 0.0
    for block in range(1 << 40):
        number = np.arange(block * runs, (block + 1) * runs, dtype=np.int64)
        begin = (streams.uniform(Stream.PROCESS_ARRIVAL, number) * len(gaps)).astype(np.int64)
        drawn = gaps[(begin[:, None] + np.arange(spacing.run)).ravel() % len(gaps)]
        if block == 0:
            drawn[0] *= float(streams.uniform(Stream.PROCESS_ARRIVAL, np.zeros(1, np.int64), 1)[0])
        instants = last + np.cumsum(drawn)
        last = float(instants[-1])
        yield instants


def _usual_mass(given: DayArrivals) -> float:
    """Mean weight of the days of a week that have arrivals; trading days count as Monday to Friday."""
    masses = []
    for weekday in range(7):
        on = [
            p for p in given.profile if p.days == "every" or (weekday < 5 if p.days == "trading" else weekday in p.days)
        ]
        masses.append(sum((p.end - p.start) * p.weight for p in on))
    present = [m for m in masses if m > 0]
    return sum(present) / len(present) if present else 1.0


def _by_gaps(
    given: DayArrivals,
    hours: Calendar | None,
    streams: Streams,
    calendar: WorkCalendar,
    days: int | None,
    cases: int | None,
) -> Ints:
    """A renewal process; outside the hours time stands still, or who would come waits for the next opening."""
    end = _FURTHEST_DAY * DAY if days is None else days * DAY
    gaps = _gaps(given.gap, streams) if given.gap is not None else iter(())
    open_hours = _OpenHours(hours, calendar) if hours is not None else None
    found: list[int] = []
    now = worked = 0
    while cases is None or len(found) < cases:
        gap = next(gaps)
        if open_hours is None:
            now += gap
        elif given.when_closed == "paused":
            worked += gap
            now = open_hours.after_working(worked)
        else:
            now = open_hours.opening(now + gap)
        if now >= end:
            break
        found.append(now)
        if len(found) > 1_000_000_000 // 50:
            raise ScenarioError("more than twenty million arrivals", hint="Ask for fewer days.")
    return np.asarray(found, np.int64)


def _gaps(law: Distribution, streams: Streams) -> Iterator[int]:
    """Gaps one after another, in ns; gap n is a function of (seed, replication, n)."""
    for block in range(1 << 40):
        number = np.arange(block * _BLOCK, (block + 1) * _BLOCK, dtype=np.int64)
        u = streams.uniform(Stream.PROCESS_ARRIVAL, number)
        yield from np.maximum(np.rint(inverse(law, u)), 1).astype(np.int64).tolist()


def inverse(law: Distribution, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Durations in ns at probabilities `u`, of any law."""
    match law.distribution:
        case "constant":
            return np.full(u.shape, law.mean_ns)
        case "exponential":
            return -law.mean_ns * np.log1p(-u)
        case "uniform":
            return (law.low or 0) + u * ((law.high or 0) - (law.low or 0))
    return law.quantiles(u, 1 - u)


class _OpenHours:
    """The hours of a calendar from day 0 on, laid out as far as asked for."""

    def __init__(self, hours: Calendar, calendar: WorkCalendar) -> None:
        self._hours, self._calendar = hours, calendar
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._worked: list[int] = []
        self._days = 0

    def _more(self) -> None:
        if self._days > 2 * _FURTHEST_DAY:
            raise ScenarioError("the calendar of arrivals has no hours", hint="Give it hours on days that come.")
        first = self._days
        self._days += 365
        # intervals of the day before may reach over midnight into the first day
        for start, end in self._calendar.hours(self._hours, first - 1, self._days - 1):
            begin = max(start, self._ends[-1] if self._ends else 0)
            if end > begin:
                before = self._worked[-1] + self._ends[-1] - self._starts[-1] if self._starts else 0
                self._starts.append(begin)
                self._ends.append(end)
                self._worked.append(before)

    def opening(self, time: int) -> int:
        """The instant itself if it lies in the hours, else the next opening."""
        while not self._ends or self._ends[-1] <= time:
            self._more()
        i = bisect_right(self._ends, time)
        return max(time, self._starts[i])

    def after_working(self, duration: int) -> int:
        """The instant at which so much open time has passed."""
        while not self._ends or self._worked[-1] + self._ends[-1] - self._starts[-1] <= duration:
            self._more()
        i = bisect_right(self._worked, duration) - 1
        return self._starts[i] + duration - self._worked[i]
