"""Working days and what they mean in ns: when a shift is staffed, when a window is open."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from twin.clock import DAY, is_trading_day

Days = Literal["trading", "every"]


class WorkCalendar:
    """Days counted from day 0, whose midnight is time 0.

    Args:
        day: the calendar day 0; without it every day is a trading day (for models outside any calendar).
    """

    def __init__(self, day: dt.date | None = None) -> None:
        self.day = day
        self._known: dict[int, bool] = {}

    def works(self, offset: int, days: Days) -> bool:
        """Whether the day `offset` days after day 0 counts."""
        if days == "every" or self.day is None:
            return True
        if offset not in self._known:
            self._known[offset] = is_trading_day(self.day + dt.timedelta(days=offset))
        return self._known[offset]

    def intervals(self, start: int, end: int, days: Days, first: int, last: int) -> list[tuple[int, int, int]]:
        """Intervals [start, end) of time of day on the days first..last, as (from, to, midnight of its day) in ns."""
        length = end - start if end > start else end - start + DAY
        return [
            (d * DAY + start, d * DAY + start + length, d * DAY) for d in range(first, last + 1) if self.works(d, days)
        ]
