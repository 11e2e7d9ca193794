"""Weekly hours of Prosimos: crisp ones as they are, fuzzy ones by the hours that are likeliest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twin.clock import DAY, SECOND
from twin.errors import DataError
from twin.process.prosimos.document import Entry
from twin.process.staff import WEEKDAYS, Calendar

_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
Interval = tuple[int, int, int]
"""Weekday, begin and end in ns since midnight."""


def _day(entry: Entry) -> int:
    name = entry.text.strip().upper()
    if name not in _DAYS:
        raise entry.fail(f"{entry.value!r} is not a weekday", "Write MONDAY to SUNDAY.")
    return _DAYS.index(name)


def _time(entry: Entry, *, end: bool) -> int:
    """Time of day in ns; an end at midnight or in the last second of the day is the end of the day."""
    parts = entry.text.strip().split("+")[0].removesuffix("Z").split(":")
    try:
        h, m, s = (float(parts[i]) if i < len(parts) else 0.0 for i in range(3))
    except ValueError as error:
        raise entry.fail(f"{entry.value!r} is not a time of day", "Write 09:00:00.") from error
    found = round(((h * 60 + m) * 60 + s) * SECOND)
    if not 0 <= found <= DAY or len(parts) < 2:
        raise entry.fail(f"{entry.value!r} is not a time of day", "Write 09:00:00.")
    if end and (found == 0 or found >= DAY - SECOND):
        return DAY
    return found


def read_period(entry: Entry) -> list[Interval]:
    """The intervals of a period {from, to, beginTime, endTime} of weekdays."""
    first, last = _day(entry["from"]), _day(entry["to"])
    begin, end = _time(entry["beginTime"], end=False), _time(entry["endTime"], end=True)
    if end <= begin:
        raise entry.fail("beginTime is not before endTime", "Split it at midnight.")
    return [((first + k) % 7, begin, end) for k in range((last - first) % 7 + 1)]


def read_calendar(periods: Entry) -> Calendar:
    """A crisp calendar.

    Raises:
        DataError: it has no hours, or one that is no time of day.
    """
    return weekly([i for period in periods.each() for i in read_period(period)], periods)


def read_fuzzy(calendar: Entry) -> Calendar:
    """A calendar for hours with probabilities of being at work.

    Assumed: the likeliest hours, as many as are expected in all; earlier ones first where they are equally likely.
    """
    weighted: list[tuple[float, Interval]] = []
    for period in calendar["time_periods"].each():
        chance = period["probability"].number if "probability" in period else 1.0
        weighted += [(chance, interval) for interval in read_period(period)]
    expected = sum(p * (end - begin) for p, (_, begin, end) in weighted)
    kept: list[Interval] = []
    for _, (day, begin, end) in sorted(weighted, key=lambda w: (-w[0], w[1])):
        whole = min(end, begin + round(expected))
        if whole > begin:
            kept.append((day, begin, whole))
            expected -= whole - begin
    return weekly(kept, calendar)


def weekly(intervals: Iterable[Interval], entry: Entry) -> Calendar:
    """A calendar of intervals, overlapping ones united, days with equal hours together."""
    by_day: dict[int, list[tuple[int, int]]] = {}
    for day, begin, end in sorted(intervals):
        hours = by_day.setdefault(day, [])
        if hours and begin <= hours[-1][1]:
            hours[-1] = (hours[-1][0], max(hours[-1][1], end))
        else:
            hours.append((begin, end))
    if not by_day:
        raise entry.fail("the calendar has no hours", "Give at least one period.")
    days: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for day in sorted(by_day):
        days.setdefault(tuple(by_day[day]), []).append(WEEKDAYS[day])
    rows = [
        {"from": time_text(begin), "to": time_text(end), "days": names}
        for hours, names in days.items()
        for begin, end in hours
    ]
    return Calendar.model_validate(rows)


def time_text(ns: int) -> str:
    """HH:MM:SS with microseconds if there are any; 24:00 for the end of the day."""
    if ns == DAY:
        return "24:00"
    seconds, rest = divmod(ns, SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{rest // 1000:06d}" if rest else text


def is_always(calendar: Calendar) -> bool:
    """Whether a calendar has no gap."""
    week = sum(h.end - h.start for h in calendar.hours for _ in _days_of(h.days))
    return week == 7 * DAY and not calendar.closed and calendar.holidays == "none"


def _days_of(days: Any) -> Iterable[int]:
    return range(7) if isinstance(days, str) else sorted(days)


def write_periods(calendar: Calendar | None) -> list[dict[str, str]]:
    """The periods of a calendar; those of the whole week without one.

    Raises:
        DataError: it has closed days or holidays, which weekly periods cannot say.
    """
    if calendar is None:
        return [_written(0, 6, 0, DAY)]
    if calendar.closed or calendar.holidays != "none":
        raise DataError("Prosimos has no holidays", hint="Leave closed and holidays out of the calendar.")
    rows: list[dict[str, str]] = []
    for hours in calendar.hours:
        for day in _days_of(hours.days):
            if hours.end > hours.start:
                rows.append(_written(day, day, hours.start, hours.end))
                continue
            rows.append(_written(day, day, hours.start, DAY))
            if hours.end:
                rows.append(_written((day + 1) % 7, (day + 1) % 7, 0, hours.end))
    return rows


def _written(first: int, last: int, begin: int, end: int) -> dict[str, str]:
    ends = "23:59:59.999999" if end == DAY else time_text(end)
    return {"from": _DAYS[first], "to": _DAYS[last], "beginTime": time_text(begin), "endTime": ends}
