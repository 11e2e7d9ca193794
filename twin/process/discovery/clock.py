"""Changes of the clock: daylight saving in a log whose times are in UTC moves everybody's day by an hour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin.process.discovery.columns import DAY, HOUR, Float, Int, LogColumns

_BIN = HOUR // 2
_BINS = 48
_LEAST_EVENTS = 200
_LEAST_GAIN = 0.06
_BETTER = 0.5
_MOST_CHANGES = 4
_EDGE_DAYS = 4


def align_clock(log: LogColumns) -> tuple[LogColumns, list[tuple[int, int]]]:
    """Move the times before each change of the clock so that the whole log runs on its last clock.

    A change is a day before and after which the times of day differ, but hardly do if either part moves by an hour.

    Returns:
        The log, and each change as (instant in ns, hours by which what lies before it was moved).
    """
    changes: list[tuple[int, int]] = []
    start, end, enabled = log.start.copy(), log.end.copy(), log.enabled.copy()
    until = None
    for _ in range(_MOST_CHANGES):
        found = _latest_change(start, end, until)
        if found is None:
            break
        at, hours = found
        for column in (start, end):
            column[column < at] += hours * HOUR
        early = (enabled >= 0) & (enabled < at)
        enabled[early] += hours * HOUR
        changes.append((at, hours))
        until = at
    if not changes:
        return log, []
    return replace(log, start=start, end=np.maximum(start, end), enabled=np.minimum(enabled, start)), changes


def _latest_change(start: Int, end: Int, until: int | None) -> tuple[int, int] | None:
    """The day and shift that explain most, if any does; `until` limits the search to earlier days."""
    times = np.concatenate([start, end])
    day = times // DAY
    first, last = int(day.min()), int(day.max())
    days = last - first + 1
    table = np.zeros((days, _BINS))
    np.add.at(table, (day - first, times % DAY // _BIN), 1.0)
    below = np.cumsum(table, axis=0)
    total = below[-1]
    best, answer = 0.0, None
    stop = days - _EDGE_DAYS if until is None else until // DAY - first - _EDGE_DAYS
    for cut in range(_EDGE_DAYS, stop):
        before = below[cut - 1]
        after = total - before
        if min(before.sum(), after.sum()) < _LEAST_EVENTS:
            continue
        apart = _apart(before, after)
        for hours in (-1, 1):
            moved = _apart(np.roll(before, hours * HOUR // _BIN), after)
            gain = apart - moved
            if gain < _LEAST_GAIN or moved > _BETTER * apart:
                continue
            weight = gain * before.sum() * after.sum() / total.sum() ** 2
            if weight > best:
                best, answer = weight, ((first + cut) * DAY, hours)
    return answer


def _apart(one: Float, other: Float) -> float:
    """Half the sum of absolute differences of two shares: 0 to 1."""
    return float(0.5 * np.abs(one / one.sum() - other / other.sum()).sum())
