"""Calendars of people of whom too little was seen: gaps that chance explains are as their colleagues' hours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import pdtr

from twin.process.discovery.columns import Bool, Float, Int

_CHANCE = 0.05
"""A gap is no absence if a colleague of the same hours would leave one as empty with a greater chance, of all gaps."""
_DAY = 48
_HOLE = 4
"""Half hours about midnight, empty between others at work, that are no break."""


def gaps_closed(own: Bool, seen: Int, pieces: int, others: Int, at_work: Bool) -> Bool:
    """One person's half hours of the week at work, shape (336,), with the gaps that are no absence closed.

    Somebody with 60 stamps who works around the clock leaves most half hours of the week empty. A gap stays one if too
    few stamps lie in it, or at its time of the day on all days, for somebody of the colleagues' hours.

    Args:
        own: half hours in which the person was seen, short holes filled.
        seen: number of weeks in which each half hour of the person saw work.
        pieces: of work, the person's: half hours of one piece are one piece of evidence.
        others: as `seen`, of colleagues, summed.
        at_work: half hours of the colleagues' calendar.
    """
    total, at_work = float(others.sum()), _over_midnight(at_work)
    if own.all() or not own.any() or total <= 0:
        return own
    mine = float(seen.sum())
    scale = np.float64(min(1.0, pieces / mine))
    found, expected = seen * scale, others * (scale * mine / total)
    gaps = [gap for gap in _gaps(own) if at_work[gap].any()]
    closed = own.copy()
    for gap in gaps:
        times = np.unique(gap % _DAY)
        at_times = (times[None, :] + _DAY * np.arange(len(own) // _DAY)[:, None]).ravel()
        chance = min(_tail(found, expected, gap), _tail(found, expected, at_times))
        if chance * len(gaps) >= _CHANCE:
            closed[gap] = at_work[gap]
    return closed


def _over_midnight(slots: Bool) -> Bool:
    closed = slots.copy()
    for gap in _gaps(slots) if slots.any() else ():
        if len(gap) <= _HOLE and np.isin(gap % _DAY, (0, _DAY - 1)).any():
            closed[gap] = True
    return closed


def _tail(found: Float, expected: Float, slots: Int) -> float:
    """The chance of so few or fewer stamps."""
    return float(pdtr(float(found[slots].sum()), max(float(expected[slots].sum()), 1e-12)))


def _gaps(own: Bool) -> Iterator[Int]:
    """Runs of half hours without work, that from Sunday into Monday as one."""
    first = int(np.flatnonzero(own)[0])
    turned = np.roll(own, -first)
    edges = np.flatnonzero(np.diff(np.append(turned, True).astype(np.int8)))
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield (np.arange(a + 1, b + 1) + first) % len(own)
