"""How much a team named as one resource does at once, where that follows the clock: shifts of a desk, a call centre."""

from __future__ import annotations

import numpy as np

from twin.kernels.workforce import SLOT, SLOTS
from twin.process.discovery.columns import MINUTE, MONDAY_SHIFT, Bool, Float, Int, LogColumns

_TEAM = 3
"""Who does at most two pieces of work at once is no team."""
_FEWEST = 200
"""Pieces of work that waited, for a capacity that follows the clock to be looked for."""
_LEAST_SEEN = 5 * MINUTE
_LEVEL = 0.75
_CLOSE, _FAR, _SURER = 0.1, 0.05, 0.5
"""While work waits, a team is busy to its capacity: within a tenth, twice as close as one capacity, which is off by
more than a twentieth."""
_CHUNKS = 6


def fit_capacity(log: LogColumns, ready: Int, limit: Int) -> Int:
    """Pieces of work at once by half hour of the week, shape (resources, 336); no rows if one number does for all.

    While work waits for a team, all of it is busy: what is under way then is its capacity. It is taken to follow the
    clock only if that foretells what was under way in moments that were not used far better than one number does.

    Args:
        log: the log.
        ready: when each instance could begin, ns.
        limit: of each resource, at any hour.
    """
    found = np.repeat(limit[:, None], SLOTS, axis=1)
    varies = False
    for p in np.flatnonzero(limit >= _TEAM).tolist():
        rows = np.flatnonzero(log.resource == p)
        waited = rows[log.start[rows] > ready[rows]]
        if len(waited) < _FEWEST:
            continue
        at, length, busy = _while_waiting(log.start[rows], log.end[rows], ready[waited], log.start[waited])
        slot = (at + MONDAY_SHIFT) // SLOT % SLOTS
        odd = (at + MONDAY_SHIFT) // (SLOT // _CHUNKS) % 2 == 1
        if not (odd.any() and (~odd).any()):
            continue
        usual = _quantile(busy[odd], length[odd])
        hourly = _by_slot(slot[odd], busy[odd], length[odd], usual)
        miss, plain = (
            float(np.average(np.abs(busy[~odd] - x), weights=length[~odd])) for x in (hourly[slot[~odd]], usual)
        )
        if miss <= min(_SURER * plain, _CLOSE * usual) and plain > _FAR * usual:
            most = np.maximum(_by_slot(slot, busy, length, usual), 1.0)
            found[p], varies = np.maximum(most, _beside(log, rows, seen=np.bincount(slot, minlength=SLOTS) > 0)), True
    return found.astype(np.int64) if varies else np.zeros((0, SLOTS), np.int64)


def _while_waiting(start: Int, end: Int, ready: Int, begun: Int) -> tuple[Int, Float, Float]:
    """Stretches in which work waits, none across a sixth of a half hour: instants, lengths (ns), work under way."""
    step = SLOT // _CHUNKS
    edges = np.arange(int(start.min()) // step, int(end.max()) // step + 1) * step
    instants = np.unique(np.concatenate([start, end, ready, begun, edges]))
    busy = np.searchsorted(np.sort(start), instants, side="right") - np.searchsorted(
        np.sort(end), instants, side="right"
    )
    queue = np.searchsorted(np.sort(ready), instants, side="right") - np.searchsorted(
        np.sort(begun), instants, side="right"
    )
    length = np.diff(instants)
    some = np.flatnonzero(queue[:-1] > 0)
    return instants[some], length[some].astype(np.float64), busy[some].astype(np.float64)


def _by_slot(slot: Int, busy: Float, length: Float, usual: float) -> Float:
    """Capacity of each half hour; where too little was seen, that of the nearest one before or after."""
    capacity = np.full(SLOTS, np.nan)
    order = np.argsort(slot, kind="stable")
    edges = np.searchsorted(slot[order], np.arange(SLOTS + 1))
    for s in range(SLOTS):
        rows = order[edges[s] : edges[s + 1]]
        if length[rows].sum() >= _LEAST_SEEN:
            capacity[s] = _quantile(busy[rows], length[rows])
    known = np.flatnonzero(np.isfinite(capacity))
    if not len(known):
        return np.full(SLOTS, usual)
    apart = np.abs(np.arange(SLOTS)[:, None] - known[None, :])
    nearest = known[np.minimum(apart, SLOTS - apart).argmin(axis=1)]
    return np.asarray(capacity[nearest])


def _beside(log: LogColumns, rows: Int, seen: Bool) -> Float:
    """The most that was under way in half hours in which nothing waited: the team can do that much at least."""
    start, end = np.sort(log.start[rows]), np.sort(log.end[rows])
    under_way = np.arange(1, len(start) + 1) - np.searchsorted(end, start, side="right")
    most = np.zeros(SLOTS)
    np.maximum.at(most, (start + MONDAY_SHIFT) // SLOT % SLOTS, under_way)
    return np.where(seen, 0.0, most)


def _quantile(values: Float, weight: Float) -> float:
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(cumulative, _LEVEL * cumulative[-1])])
