"""Working days and what they mean in ns: when a shift is staffed, when a window is open."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

from twin.clock import DAY, calendar_bounds, is_trading_day

if TYPE_CHECKING:
    from twin.process.staff import Calendar

Days = Literal["trading", "every"] | frozenset[int]
"""Trading days, every day, or a set of weekdays (Monday is 0)."""


class WorkCalendar:
    """Days counted from day 0, whose midnight is time 0.

    Args:
        day: the calendar day 0; without it every day is a trading day and day 0 a Monday (for models outside any
            calendar).
    """

    def __init__(self, day: dt.date | None = None) -> None:
        self.day = day
        self._known: dict[int, bool] = {}

    def weekday(self, offset: int) -> int:
        """Weekday of the day `offset` days after day 0, Monday is 0."""
        return (offset + (self.day.weekday() if self.day is not None else 0)) % 7

    def works(self, offset: int, days: Days) -> bool:
        """Whether the day `offset` days after day 0 counts."""
        if isinstance(days, frozenset):
            return self.weekday(offset) in days
        if days == "every" or self.day is None:
            return True
        if offset not in self._known:
            self._known[offset] = is_trading_day(self.day + dt.timedelta(days=offset))
        return self._known[offset]

    def last_known(self, offset: int) -> int:
        """The day `offset`, or the last before it for which the exchange's calendar is known."""
        if self.day is None:
            return offset
        return min(offset, (calendar_bounds()[1] - self.day).days)

    def intervals(self, start: int, end: int, days: Days, first: int, last: int) -> list[tuple[int, int, int]]:
        """Intervals [start, end) of time of day on the days first..last, as (from, to, midnight of its day) in ns."""
        length = end - start if end > start else end - start + DAY
        return [
            (d * DAY + start, d * DAY + start + length, d * DAY) for d in range(first, last + 1) if self.works(d, days)
        ]

    def is_open(self, calendar: Calendar, offset: int) -> bool:
        """Whether a day is no holiday of a calendar."""
        if calendar.holidays == "trading" and not self.works(offset, "trading"):
            return False
        return self.day is None or self.day + dt.timedelta(days=offset) not in calendar.closed

    def hours(self, calendar: Calendar, first: int, last: int) -> list[tuple[int, int]]:
        """Working intervals [from, to) in ns that begin on the days first..last, merged and in order."""
        found = sorted(
            (start, end)
            for hours in calendar.hours
            for start, end, midnight in self.intervals(hours.start, hours.end, hours.days, first, last)
            if self.is_open(calendar, midnight // DAY)
        )
        merged: list[tuple[int, int]] = []
        for start, end in found:
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged
