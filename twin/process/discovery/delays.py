"""Extraneous delays: the waiting that contention and calendars do not explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin.process.discovery import queueing
from twin.process.discovery.columns import MINUTE, Bool, Float, Int, LogColumns, enabling
from twin.process.discovery.routes import trie_of
from twin.process.discovery.staff import work_done
from twin.process.discovery.steering import steered_of
from twin.randomness import Streams

if TYPE_CHECKING:
    from twin.process.discovery.model import DiscoveredProcess, Workforce

_MS = 1_000_000
_ROUNDS = 3
_BEYOND = 1.25
_LEAST = 12
_TOO_LONG = 1.15
"""Services that last so much longer than observed, on the mean, show that people do not begin what they must leave."""


def fit_delays(
    process: DiscoveredProcess, log: LogColumns, ready: Int, by: Int, side: Bool, seed: int
) -> tuple[Workforce, Float, Float]:
    """Delays that make simulated waits as long as observed ones, for groups that wait longer than people explain.

    The cases of the log arrive when they did and take the routes they took; only their timing is simulated. A group's
    delay is the difference of the quantiles of observed and simulated waits, refined in rounds.

    Returns:
        The workforce with delays, and the mean observed and simulated wait (ns, without delays) of each instance.
    """
    staff = process.workforce
    assert staff is not None
    points = staff.points
    group = wait_groups(process, log, by)
    observed = (log.start - ready).astype(np.float64)
    groups = len(staff.delay) // points
    level = np.linspace(0.0, 1.0, points)
    goal = _quantiles(observed, group, groups, level)
    count = np.bincount(group[group >= 0], minlength=groups)
    fitted = staff.model_copy()
    delay = np.zeros((groups, points))
    plain, chosen = np.zeros(0), np.zeros(groups, bool)
    for round_ in range(_ROUNDS):
        trial = process.model_copy(update={"workforce": fitted})
        waits, sim_group = _simulated_waits(trial, log, ready, side, seed)
        got = _quantiles(waits, sim_group, groups, level)
        if round_ == 0:
            plain = waits
            chosen = (count >= _LEAST) & (goal.mean(axis=1) > _BEYOND * got.mean(axis=1) + 2 * MINUTE)
            if not chosen.any():
                break
        delay = np.where(chosen[:, None], np.maximum(0.0, delay + goal - got), 0.0)
        delay = np.maximum.accumulate(delay, axis=1)
        fitted = staff.model_copy(update={"delay": np.round(delay / _MS).astype(np.int64).ravel()})
    return fitted, observed, plain


def wait_groups(process: DiscoveredProcess, log: LogColumns, by: Int) -> Int:
    """The wait group of each instance, -1 for those that nothing enabled."""
    k = len(log.activities)
    before = np.where(by >= 0, log.activity[np.maximum(by, 0)], k)
    return np.where(by >= 0, process.timing.wait_group[before * k + log.activity], -1)


def pauses_hold(process: DiscoveredProcess, log: LogColumns, ready: Int, side: Bool, seed: int) -> bool:
    """Whether work that rests outside the calendar lasts, from start to end, about as long as in the log."""
    simulated = _again(process, log, ready, side, seed)
    if not len(simulated.case):
        return False
    lasted, observed = (float((part.end - part.start).mean()) for part in (simulated, log))
    return lasted <= _TOO_LONG * observed


def _simulated_waits(
    process: DiscoveredProcess, log: LogColumns, ready: Int, side: Bool, seed: int
) -> tuple[Float, Int]:
    simulated = _again(process, log, ready, side, seed)
    enabled, by = enabling(simulated, side)
    return (simulated.start - enabled).astype(np.float64), wait_groups(process, simulated, by)


def _again(process: DiscoveredProcess, log: LogColumns, ready: Int, side: Bool, seed: int) -> LogColumns:
    """The cases of the log, arriving when they did, on the routes they took, as much work as they were."""
    k = len(log.activities)
    arrival = ready[log.offset[:-1]]
    order = np.argsort(arrival, kind="stable")
    sizes = np.diff(log.offset)[order]
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.repeat(log.offset[:-1][order] - offset[:-1], sizes) + np.arange(offset[-1])
    tables = trie_of(process.routes, k)
    none = steered_of(process, [])
    ran = queueing.run(
        process, tables, none, side.astype(np.int64), arrival[order], np.arange(log.cases), int(arrival.min()),
        Streams(seed), routes=(offset, log.activity[rows]),
        rows=order if process.attributes else None,
        work=work_done(log, process.workforce)[rows] // _MS if process.workforce else None,
    )  # fmt: skip
    case = np.repeat(np.arange(log.cases), sizes)
    kept = np.flatnonzero(ran.ended)
    kept = kept[np.lexsort((ran.end[kept], ran.start[kept], case[kept]))]
    sizes = np.bincount(case[kept], minlength=log.cases)
    return LogColumns(
        log.activities,
        log.resources,
        case[kept],
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        ran.activity[kept],
        ran.who[kept],
        ran.start[kept],
        ran.end[kept],
        np.full(len(kept), -1, np.int64),
        [""] * log.cases,
    )


def _quantiles(values: Float, group: Int, groups: int, level: Float) -> Float:
    table = np.zeros((groups, len(level)))
    kept = np.flatnonzero(group >= 0)
    kept = kept[np.argsort(group[kept], kind="stable")]
    edges = np.searchsorted(group[kept], np.arange(groups + 1))
    for g in range(groups):
        rows = kept[edges[g] : edges[g + 1]]
        if len(rows):
            table[g] = np.quantile(values[rows], level)
    return table
