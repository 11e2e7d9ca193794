"""Forecasts that any twin must beat: persistence, the same hour last week, and the usual for the hour.

Each is an ensemble, so that bands and CRPS compare like with like: persistence and seasonal-naive are dressed with
their own errors in the past, climatology is a Poisson law of the mean count, or the past values themselves.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import poisson

from twin.process.forecasting.columns import Floats, Ints
from twin.process.forecasting.measures import COUNTS, MEASURES
from twin.process.forecasting.week import DAY, WEEK, hour_of_week

NAIVE = ("persistence", "seasonal", "climatology")
"""Names of the naive forecasts."""
MEMBERS = 100
_WEEKS = 8


def history_edges(instant: int, step: int, first: int) -> Ints:
    """Edges of the past intervals, the last ending at `instant`, over at most eight weeks from `first` on."""
    n = int(min((instant - first) // step, _WEEKS * WEEK // step))
    return instant - step * np.arange(max(n, 0), -1, -1, dtype=np.int64)


def naive_forecasts(past: Floats, step: int, intervals: int, instant: int) -> dict[str, Floats]:
    """Ensembles (member, interval, measure) of each naive forecast.

    Args:
        past: (interval, measure) up to `instant`, oldest first.
        step: length of an interval (ns).
        intervals: to forecast.
        instant: now (ns).
    """
    lag = max(WEEK // step, 1)
    shape = (MEMBERS, intervals, len(MEASURES))
    out = {name: np.full(shape, np.nan) for name in NAIVE}
    if not len(past):
        return out
    period = max(DAY // step, 1)
    slots = _slots(instant, step, len(past), intervals)
    for m, name in enumerate(MEASURES):
        y = past[:, m]
        if np.isnan(y).all():
            continue
        now = y[~np.isnan(y)][-1]
        # Errors change slowly with the lead: one sample serves leads of about one size; weeks have negative keys.
        dressings: dict[int, Floats] = {}
        for k in range(1, intervals + 1):
            size = _rounded(k)
            if size not in dressings:
                dressings[size] = _changes(y, size, period)
            out["persistence"][:, k - 1, m] = np.maximum(now + dressings[size], 0.0)
            back = -(-k // lag) * lag
            last = y[len(y) + k - 1 - back] if back - k + 1 <= len(y) else np.nan
            if -back not in dressings:
                dressings[-back] = _changes(y, back, 1)
            out["seasonal"][:, k - 1, m] = np.maximum(last + dressings[-back], 0.0)
            out["climatology"][:, k - 1, m] = _usual(y, slots, k, name)
    return out


def _rounded(lead: int) -> int:
    """A lead, to two binary digits."""
    bits = max(lead.bit_length() - 2, 0)
    return (lead >> bits) << bits


def _spread(values: Floats) -> Floats:
    """So many members from a sample: its quantiles at equal steps."""
    return np.quantile(values, (np.arange(MEMBERS) + 0.5) / MEMBERS)


def _changes(y: Floats, lead: int, period: int) -> Floats:
    """Past changes over a lead, about their median; from the time of day of now where that leaves enough."""
    change = y[lead:] - y[:-lead] if lead < len(y) else np.zeros(0)
    origin = np.arange(len(change)) + 1
    same = change[(len(y) - origin) % period == 0]
    same, change = same[~np.isnan(same)], change[~np.isnan(change)]
    chosen = same if len(same) >= 14 else change
    if len(chosen) < 4:
        return np.zeros(MEMBERS)
    return _spread(chosen - np.median(chosen))


def _slots(instant: int, step: int, past: int, intervals: int) -> Ints:
    """Slot of the week of each interval from the oldest past one to the last to come (hours, or weekdays)."""
    starts = instant + step * np.arange(-past, intervals, dtype=np.int64)
    if step >= DAY:
        return np.asarray((starts // DAY + 3) % 7, np.int64)
    return np.asarray(hour_of_week(starts), np.int64)


def _usual(y: Floats, slots: Ints, lead: int, name: str) -> Floats:
    """The values of the same slot of the week; of the same hour on working days or weekends where those are few."""
    here = slots[len(y) + lead - 1]
    past = slots[: len(y)]
    known = ~np.isnan(y)
    chosen = y[known & (past == here)]
    if len(chosen) < 4 and slots.max() >= 7:
        chosen = y[known & (past % 24 == here % 24) & ((past >= 120) == (here >= 120))]
    if len(chosen) < 4:
        chosen = y[known]
    if name in COUNTS:
        return np.asarray(poisson.ppf((np.arange(MEMBERS) + 0.5) / MEMBERS, max(float(chosen.mean()), 1e-9)))
    return _spread(chosen)
