"""Arrivals by timetable: the same number in the same hour of every week, far more evenly than chance would have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from twin.process.forecasting.columns import Ints
from twin.process.forecasting.week import HOUR, HOURS, WEEK, hour_of_week
from twin.randomness import Stream, Streams

_WEEKS = 8
_FEWEST = 3
_EVEN = 0.35
"""Two weeks agree if their hours differ by less than this, as a share of what independent arrivals would."""
_CHANCE = 1e-6
"""And if chance would make them as alike with a probability below this."""


@dataclass(frozen=True)
class Timetable:
    """Past weeks that hardly differ, to be repeated.

    Attributes:
        offset: first arrival of each hour of each week (week by week), one more than hours.
        within: of each arrival, ns into its hour.
    """

    offset: Ints
    within: Ints

    @property
    def weeks(self) -> int:
        """How many it rests on."""
        return (len(self.offset) - 1) // HOURS

    def draw(self, start: int, end: int, streams: Streams) -> Ints:
        """Arrivals from `start` to `end` (ns), rising: each hour is that of one of the weeks, drawn anew."""
        hours = np.arange(start // HOUR, -(-end // HOUR), dtype=np.int64)
        u = streams.uniform(Stream.FORECAST_ARRIVAL, hours % (1 << 40))
        place = np.minimum((u * self.weeks).astype(np.int64), self.weeks - 1) * HOURS + hour_of_week(hours * HOUR)
        size = self.offset[place + 1] - self.offset[place]
        first = np.repeat(self.offset[place] - np.concatenate([[0], np.cumsum(size)[:-1]]), size)
        times = np.repeat(hours * HOUR, size) + self.within[first + np.arange(size.sum())]
        return times[(times >= start) & (times < end)]


def timetable_of(born: Ints, instant: int) -> Timetable | None:
    """The timetable by which cases came in the weeks before an instant; None if they came by chance.

    Args:
        born: arrivals (ns), rising.
        instant: ns.
    """
    weeks = int(min((instant - born[0]) // WEEK, _WEEKS)) if len(born) else 0
    if weeks < _FEWEST:
        return None
    age = (instant - 1 - born) // WEEK  # 0 = the latest week
    counts = np.zeros((weeks, HOURS))
    rows = age < weeks
    np.add.at(counts, (age[rows], hour_of_week(born[rows])), 1.0)
    both = counts[1:] + counts[:-1]
    square = np.where(both > 0, (counts[1:] - counts[:-1]) ** 2 / np.maximum(both, 1.0), 0.0).sum(axis=1)
    freedom = np.maximum((both > 0).sum(axis=1), 1)
    alike = (square < _EVEN * freedom) & (chi2.cdf(square, freedom) < _CHANCE)
    held = int(np.argmin(np.append(alike, False))) + 1  # weeks from the latest back that agree with the next
    if held < _FEWEST:
        return None
    late = born[age < held]
    key = (instant - 1 - late) // WEEK * HOURS + hour_of_week(late)
    order = np.argsort(key, kind="stable")
    offset = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=held * HOURS))]).astype(np.int64)
    return Timetable(offset, late[order] % HOUR)
