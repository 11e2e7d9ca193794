"""Working days and what they mean in ns: when a shift is staffed, when a window is open."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY, calendar_bounds, is_trading_day
from twin.process.notes import note

if TYPE_CHECKING:
    from twin.process.staff import Calendar

Ints = NDArray[np.int64]
Days = Literal["trading", "every"] | frozenset[int]
"""Trading days, every day, or a set of weekdays (Monday is 0)."""


class WorkCalendar:
    """Days counted from day 0, whose midnight is time 0.

    The exchange announces its holidays a year at a time: days after the last one announced are assumed to be trading
    days from Monday to Friday, but for 1 January.

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
            date = self.day + dt.timedelta(days=offset)
            known = date <= calendar_bounds()[1]
            self._known[offset] = (
                is_trading_day(date) if known else date.weekday() < 5 and (date.month, date.day) != (1, 1)
            )
        return self._known[offset]

    def assumption(self, last: int) -> str:
        """What is assumed if the day `last` lies after the exchange's calendar, as a note; else nothing."""
        known = calendar_bounds()[1]
        beyond = self.day is not None and self.day + dt.timedelta(days=last) > known
        return note("days_assumed", known=known) if beyond else ""

    def intervals(self, start: int, end: int, days: Days, first: int, last: int) -> list[tuple[int, int, int]]:
        """Intervals [start, end) of time of day on the days first..last, as (from, to, midnight of its day) in ns."""
        length = end - start if end > start else end - start + DAY
        return [
            (d * DAY + start, d * DAY + start + length, d * DAY) for d in range(first, last + 1) if self.works(d, days)
        ]

    def days_between(self, first: int, last: int, days: Days) -> Ints:
        """Of the days first..last those that count."""
        offsets = np.arange(first, last + 1)
        if days == "every" or (days == "trading" and self.day is None):
            return offsets
        if isinstance(days, frozenset):
            wanted = np.array([weekday in days for weekday in range(7)])
            return offsets[wanted[(offsets + self.weekday(0)) % 7]]
        return offsets[[self.works(d, days) for d in offsets.tolist()]]

    def hours(self, calendar: Calendar, first: int, last: int) -> list[tuple[int, int]]:
        """Working intervals [from, to) in ns that begin on the days first..last, merged and in order."""
        starts, ends = self.hours_table(calendar, first, last)
        return list(zip(starts.tolist(), ends.tolist(), strict=True))

    def hours_table(self, calendar: Calendar, first: int, last: int) -> tuple[Ints, Ints]:
        """As `hours`, starts and ends apart."""
        closed = self._closed(calendar, first, last)
        starts, ends = [], []
        for hours in calendar.hours:
            days = self.days_between(first, last, hours.days)
            midnights = (np.setdiff1d(days, closed) if len(closed) else days) * DAY
            starts.append(midnights + hours.start)
            ends.append(midnights + hours.end + (0 if hours.end > hours.start else DAY))
        start, end = np.concatenate(starts), np.concatenate(ends)
        order = np.lexsort((end, start))
        start, end = start[order], np.maximum.accumulate(end[order])
        # An interval that begins within those before it, or as they end, belongs to them.
        new = np.append(True, start[1:] > end[:-1])[: len(start)]
        last_of = np.append(new[1:], True)[: len(start)]
        return start[new], end[last_of]

    def _closed(self, calendar: Calendar, first: int, last: int) -> Ints:
        """Holidays of a calendar among the days first..last."""
        closed = np.zeros(0, np.int64)
        if self.day is not None:
            closed = np.array([(date - self.day).days for date in calendar.closed], np.int64)
        if calendar.holidays == "trading":
            closed = np.append(
                closed, np.setdiff1d(np.arange(first, last + 1), self.days_between(first, last, "trading"))
            )
        return closed
