"""Days on which a whole office was closed: holidays, company outings, strikes, gaps in the recording."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from twin.process.discovery.columns import DAY, MONDAY_SHIFT, Bool, Float, Int, LogColumns
from twin.process.notes import note

_CHANCE = 0.01
"""Of taking any day of the log for closed on which everybody was away by chance, each for himself."""
_OFTEN = 0.25
"""A weekday that is empty more often is no day of work: that says the calendar."""
_MOST = 20_000_000
"""People times days: a log with a day in another century is not looked at."""
_NAMED = 12
_EPOCH = date(1970, 1, 1)


def closed_days(log: LogColumns) -> Int:
    """Days (since 1970, by the log's clock) without a start or end of work, though some of the staff is expected.

    Each person is expected from his first day in the log to the last as often as he was seen on that weekday when
    anybody was; the days after the last arrival say nothing.
    """
    rows = np.flatnonzero(log.resource >= 0)
    if not len(rows):
        return np.zeros(0, np.int64)
    begin = int(log.start[rows].min()) // DAY
    days = int(log.end[rows].max()) // DAY - begin + 1
    if len(log.resources) * days > _MOST:
        return np.zeros(0, np.int64)
    seen = np.zeros((len(log.resources), days), bool)
    for instant in (log.start[rows], log.end[rows]):
        seen[log.resource[rows], instant // DAY - begin] = True
    here = np.logical_or.accumulate(seen, axis=1) & np.logical_or.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    weekday = (np.arange(days) + begin + MONDAY_SHIFT // DAY) % 7
    of = np.eye(7)[weekday]
    empty = np.asarray(~seen.any(axis=0))
    share = (seen @ of + 0.5) / ((here & ~empty) @ of + 1.0)
    share = np.where(here, share[:, weekday], 0.0)
    rare = (empty @ of) <= _OFTEN * of.sum(axis=0)
    surprise = -np.log1p(-share).sum(axis=0) / _dispersion(seen.sum(axis=0), share, empty)
    arriving = np.arange(days) + begin <= int(log.first.max()) // DAY
    return np.flatnonzero(empty & arriving & rare[weekday] & (surprise > np.log(days / _CHANCE))) + begin


def closed_note(log: LogColumns) -> list[str]:
    """A sentence that names the closed days; none if there are none."""
    days = closed_days(log)
    if not len(days):
        return []
    spans = np.split(days, np.flatnonzero(np.diff(days) > 1) + 1)
    names = [" - ".join(str(_EPOCH + timedelta(int(day))) for day in np.unique(span[[0, -1]])) for span in spans]
    return [note("closed_days", n=len(days), days=", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else ""))]


def _dispersion(present: Int, share: Float, empty: Bool) -> float:
    """How much more the number of people at work varies than if each stayed away for himself; at least 1."""
    variance = (share * (1.0 - share)).sum(axis=0)
    use = ~empty & (variance > 0)
    excess = (present - share.sum(axis=0))[use] ** 2 / variance[use]
    return max(1.0, float(excess.mean())) if use.any() else 1.0
