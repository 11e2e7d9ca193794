"""How many cases will begin in the time after a training part: the discovered arrivals beside the last four weeks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from twin.process.discovery import DiscoveredProcess, columns_of
from twin.process.discovery.arrivals import draw_arrivals
from twin.process.discovery.columns import DAY, WEEK, Int, LogColumns
from twin.process.eventlog.log import EventLog
from twin.randomness import Streams

WEEKS = 4
FEWEST = 8
"""Arrivals; the logarithm of fewer says more of chance than of a level."""
ENDED = 0.9
"""So many cases end within the margin that is kept from the end of a recording: after that, many are not shown yet."""
_DRAWS = 200
"""The mean of so many differs from the expectation by less than a tenth of what chance does to the actual number."""
_LEAST = 0.5
"""What a forecast of no arrivals at all counts as, so that it has a logarithm."""


@dataclass(frozen=True)
class Level:
    """Arrivals in the time after a training part.

    Attributes:
        days: length of that time.
        actual: cases that began in it.
        twin: what the discovered process expects.
        naive: the last four weeks of the training part, repeated.
        complete: the last four weeks of which nearly all cases had ended, repeated.
    """

    days: float
    actual: int
    twin: float
    naive: float
    complete: float

    def error(self, of: str) -> float:
        """How far a forecast (`twin`, `naive`, `complete`) is off: absolute logarithm of its ratio to the actual."""
        return abs(math.log(max(getattr(self, of), _LEAST) / self.actual))


def level_after(process: DiscoveredProcess, train: EventLog, test: EventLog, seed: int) -> Level | str:
    """Actual and forecast arrivals in the time after the training part, or why there is nothing to compare.

    The time begins with the last end of the training part, and ends with the last arrival of the test part, or where
    only a part of the cases that had begun have also ended when the recording of the test part stops.

    Args:
        process: discovered on the training part.
        train: training part.
        test: test part.
        seed: of what is drawn from the process.
    """
    past, future = columns_of(train), columns_of(test)
    begin = int(past.last.max())
    margin = _margin(past, future)
    stop = min(int(future.first.max()), int(future.last.max()) - margin)
    known = begin - _margin(past)
    if known - WEEKS * WEEK < int(past.first.min()):
        return f"the training part shows no {WEEKS} weeks of which nearly all cases had ended"
    actual = int(((future.first >= begin) & (future.first < stop)).sum())
    if actual < FEWEST:
        return f"fewer than {FEWEST} arrivals in the time of which nearly all cases had ended"
    drawn = [len(draw_arrivals(process.arrivals, begin, Streams(seed, r), end=stop)) for r in range(_DRAWS)]
    return Level(
        days=(stop - begin) / DAY,
        actual=actual,
        twin=float(np.mean(drawn)),
        naive=repeated(past.first, begin, begin, stop),
        complete=repeated(past.first, known, begin, stop),
    )


def repeated(first: Int, until: int, begin: int, stop: int) -> float:
    """Arrivals in a stretch of time if the mean of four weeks went on.

    Each of the four is moved on by whole weeks, so that a stretch of some days has its own days of the week.

    Args:
        first: instants of arrivals, ns.
        until: end of the four weeks, ns.
        begin: of the stretch, ns.
        stop: of the stretch, ns, exclusive.
    """
    used = first[(first >= until - WEEKS * WEEK) & (first < until)]
    moves = -((used - stop) // WEEK) + (used - begin) // WEEK
    return float(moves.sum()) / WEEKS


def _margin(*parts: LogColumns) -> int:
    """Time within which nearly all cases end, ns."""
    return int(np.quantile(np.concatenate([part.last - part.first for part in parts]), ENDED))
