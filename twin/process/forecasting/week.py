"""Time as a process feels it: an hour counts as much as usually happens in that hour of the week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twin.process.forecasting.columns import Floats, Ints

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
WEEK = 7 * DAY
HOURS = 168
_MONDAY = 4 * DAY
"""Monday 5 January 1970, 00:00 UTC."""


def hour_of_week(instants: ArrayLike) -> Ints:
    """0 for Monday 00:00-01:00 UTC, up to 167."""
    return np.asarray((np.asarray(instants, np.int64) - _MONDAY) // HOUR % HOURS, np.int64)


@dataclass(frozen=True)
class WeekClock:
    """Operational time, with a rate per hour of the week.

    Attributes:
        rate: 168 rates (operational hours per hour), from Monday 00:00 UTC.
    """

    rate: Floats

    @classmethod
    def of(cls, instants: Ints, weight: float = 1.0) -> WeekClock:
        """The clock of events: rates in proportion to how often they fall in each hour of the week, of mean 1.

        Args:
            instants: of the events (ns).
            weight: events added in all, spread evenly, so that no hour stands still.
        """
        counts = np.bincount(hour_of_week(instants), minlength=HOURS) + weight / HOURS
        return cls(counts / counts.mean())

    def hours(self, instants: ArrayLike) -> Floats:
        """Operational hours from a fixed Monday to instants (ns)."""
        t = np.asarray(instants, np.int64) - _MONDAY
        before = np.concatenate([[0.0], np.cumsum(self.rate)])
        weeks, rest = t // WEEK, t % WEEK
        hour = rest // HOUR
        return np.asarray(weeks * before[-1] + before[hour] + self.rate[hour] * (rest % HOUR) / HOUR)

    def between(self, start: ArrayLike, end: ArrayLike) -> Floats:
        """Operational hours from `start` to `end` (ns)."""
        return self.hours(end) - self.hours(start)
