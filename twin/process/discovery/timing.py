"""Waits and services as observed, by the time of the week at which they begin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin.process.discovery.attributes import Feature
from twin.process.discovery.columns import DAY, HOUR, MINUTE, SECOND, Float, Int, LogColumns, week_time
from twin.process.discovery.effects import fit_effects, pace_of
from twin.process.discovery.model import Samples, Timing
from twin.randomness import Stream, Streams

_LEAST = 12
"""A pair of activities, or a resource at an activity, with fewer samples is pooled."""
_OWN = 20
_MILLI = 1000
_SLOT = 30
_SLOTS = 336
_SELDOM = 0.05
"""A half hour with fewer starts and ends than this share of the mean counts as closed."""
_SHUFFLES = 20
_BEYOND = 2.33
"""Standard deviations that chance exceeds once in a hundred."""
_ENOUGH = 30
_MANY = 20_000
_WEEKEND = 5 * DAY


def fit_timing(log: LogColumns, ready: Int, by: Int, weight: Float, features: Sequence[Feature] = ()) -> Timing:
    """Tables of waits by pair of activities and of services by activity.

    Args:
        log: the log.
        ready: when each instance could begin.
        by: the instance that made it possible, -1 = none.
        weight: of each case.
        features: case attributes that may steer services.
    """
    k, r = len(log.activities), len(log.resources)
    mass = weight[log.case]
    before = np.where(by >= 0, log.activity[np.maximum(by, 0)], k)
    rows = np.flatnonzero(by >= 0)
    pair = before[rows] * k + log.activity[rows]
    seen = np.bincount(pair, minlength=k * k)
    # Rare pairs share the group of their second activity.
    group_of = np.full((k + 1) * k, -1, np.int64)
    own = np.flatnonzero(seen >= _LEAST)
    group_of[own] = np.arange(len(own))
    pooled = len(own) + np.arange(k)
    left = np.flatnonzero(group_of[: k * k] < 0)
    group_of[left] = pooled[left % k]
    both_rows = np.concatenate([rows, rows])
    keys = np.concatenate([np.where(seen[pair] >= _LEAST, group_of[pair], -1), pooled[log.activity[rows]]])
    kept = keys >= 0
    waits = _samples(
        keys[kept], len(own) + k, ready[both_rows[kept]], log.start[both_rows[kept]], None, mass[both_rows[kept]]
    )
    same = _same(log, by, rows, group_of[pair], len(own) + k)
    effects = fit_effects(log, log.end - log.start, list(features)) if features else []
    pace = pace_of(effects, log.activities, list(features), log.activity, log.case) if effects else None
    services = _samples(log.activity, k, log.start, log.end, log.resource, mass, pace)
    lags, lag_group = _lags(log, ready, by, mass)
    known = np.flatnonzero(log.resource >= 0)
    cell = log.activity[known] * max(r, 1) + log.resource[known]
    count = np.bincount(cell, minlength=k * max(r, 1))
    own_cells = np.flatnonzero(count >= _OWN)
    own_group = np.full(k * max(r, 1), -1, np.int64)
    own_group[own_cells] = np.arange(len(own_cells))
    use = known[own_group[cell] >= 0]
    key = own_group[log.activity[use] * max(r, 1) + log.resource[use]]
    own_samples = _samples(
        key, len(own_cells), log.start[use], log.end[use], None, mass[use], None if pace is None else pace[use]
    )
    return Timing(
        waits=waits,
        wait_group=group_of,
        lags=lags,
        lag_group=lag_group,
        services=services,
        same=same,
        own_group=own_group,
        own=own_samples,
        effects=effects,
        clock=_by_clock(log, ready, group_of[pair], rows),
    )


def _lags(log: LogColumns, ready: Int, by: Int, mass: Float) -> tuple[Samples, Int]:
    """Times from when an instance could begin and the one before it had begun, whichever was later, to its start.

    Routes are drawn in order of start. Were whole waits drawn beside concurrent work, those that end too early would
    have to be drawn again, and waits would become longer than observed; lags add up to the observed ones. They are
    grouped by the enabling activity (K = none), the activity, and whether it could begin before the one before it did.

    Args:
        log: the log.
        ready: when each instance could begin.
        by: the instance that made it possible, -1 = none.
        mass: weight of each instance.
    """
    k = len(log.activities)
    rows = np.setdiff1d(np.arange(len(log.case)), log.offset[:-1])
    none, earlier, activity = by[rows] < 0, log.start[rows - 1], log.activity[rows]
    beside = none | (earlier > ready[rows])
    begin = np.where(none, earlier, np.maximum(ready[rows], earlier))
    fine = (np.where(none, k, log.activity[by[rows]]) * k + activity) * 2 + beside
    # Rare ones share the group of their activity, beside others or not; where there is none, that of the activity.
    keys = np.stack([fine, 2 * k * (k + 1) + activity * 2 + beside, 2 * k * (k + 2) + activity])
    seen = np.bincount(keys.ravel(), minlength=2 * k * (k + 2) + k)
    every = np.arange(2 * k * (k + 1))
    coarse = 2 * k * (k + 1) + every % (2 * k)
    group_of = np.where(seen[coarse] > 0, coarse, 2 * k * (k + 2) + every % (2 * k) // 2)
    group_of = np.where(seen[every] >= _LEAST, every, group_of)
    used, number = np.unique(group_of, return_inverse=True)
    level, row = np.nonzero(np.isin(keys, used))
    group = np.searchsorted(used, keys[level, row])
    return _samples(group, len(used), begin[row], log.start[rows[row]], None, mass[rows[row]]), number


def _by_clock(log: LogColumns, ready: Int, pair: Int, rows: Int) -> bool:
    """Whether waits and services end when it is time (office hours, nights), whenever they began; few say nothing.

    If they do, ends crowd in the same hours more than they would had any other of its kind (pair of activities, or
    activity) lasted as long: lengths change places within kinds, and how often two ends share their hour of the day,
    at weekends or not, is compared.

    Args:
        log: the log.
        ready: when each instance could begin.
        pair: kind of the wait of each of `rows`.
        rows: the instances that waited.
    """
    kind = np.concatenate([pair, pair.max(initial=0) + 1 + log.activity])
    begin = np.concatenate([ready[rows], log.start])
    length = np.concatenate([log.start[rows] - ready[rows], log.end - log.start])
    kept = np.flatnonzero(length >= HOUR)
    kept = kept[:: 1 + len(kept) // _MANY]
    if len(kept) < _ENOUGH:
        return True
    kept = kept[np.argsort(kind[kept], kind="stable")]
    kind, begin, length = kind[kept], begin[kept], length[kept]

    def crowding(ends: Int) -> float:
        at = week_time(ends)
        cell = at % DAY // HOUR + 24 * (at >= _WEEKEND)
        return float((np.bincount(cell).astype(np.float64) ** 2).sum())

    luck = [Streams(1, number).uniform(Stream.BOOTSTRAP, np.arange(len(kept))) for number in range(_SHUFFLES)]
    chance = np.array([crowding(begin + length[np.lexsort((u, kind))]) for u in luck])
    return crowding(begin + length) > float(chance.mean() + _BEYOND * chance.std())


def _same(log: LogColumns, by: Int, rows: Int, group: Int, groups: int) -> Int:
    """How often, in thousandths, the resource of the enabling instance also does the next."""
    equal = (log.resource[rows] == log.resource[by[rows]]) & (log.resource[rows] >= 0)
    total = np.bincount(group, minlength=groups)
    hits = np.bincount(group, weights=equal, minlength=groups)
    return np.round(hits / np.maximum(total, 1) * _MILLI).astype(np.int64)


def _samples(
    group: Int, groups: int, begin: Int, stop: Int, resource: Int | None, mass: Float, pace: Float | None = None
) -> Samples:
    """Samples sorted by group and time of the week."""
    minute = week_time(begin) // MINUTE
    order = np.lexsort((minute, group))
    sizes = np.bincount(group, minlength=groups)
    top = float(mass.max()) if len(mass) else 1.0
    return Samples(
        group=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        week_minute=minute[order],
        milliseconds=((stop - begin) // (SECOND // 1000))[order],
        resource=np.full(len(order), -1, np.int64) if resource is None else resource[order],
        keep=np.maximum(1, np.round(mass[order] / top * _MILLI)).astype(np.int64),
        pace=np.zeros(0, np.int64) if pace is None else np.round(pace[order] * _MILLI).astype(np.int64),
    )


def open_hours(services: Samples) -> Int:
    """Which half hours of the week, from Monday 00:00 UTC, are open: 1 where work begins or ends as a rule, else 0."""
    begin = services.week_minute
    stop = (begin + services.milliseconds // (60 * _MILLI)) % (_SLOT * _SLOTS)
    seen = np.bincount(np.concatenate([begin, stop]) // _SLOT, minlength=_SLOTS)
    usual = int(seen.sum()) / max(1, int(np.count_nonzero(seen)))
    return (seen >= max(1.0, _SELDOM * usual)).astype(np.int64)
