"""An event log as the integer columns that the fits work on, and which activities run side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.log import ACTIVITY, CASE, ENABLED, END, RESOURCE, START, EventLog
from twin.process.notes import note

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
MONDAY_SHIFT = 3 * DAY
"""1970-01-01 was a Thursday: three days after a Monday."""

_MIN_OVERLAPS = 3
_OVERLAP_SHARE = 0.05


@dataclass(frozen=True)
class LogColumns:
    """Activity instances by case (in order of first start), then start, then end.

    Attributes:
        activities: names, sorted; `activity` indexes them.
        resources: names, sorted; `resource` indexes them, -1 = unknown.
        case: index of the case of each instance, 0 .. cases - 1, not falling.
        offset: first instance of each case, one more than cases.
        start: ns since 1970 UTC.
        end: ns since 1970 UTC, never before `start`.
        enabled: ns from which the work could have begun, as far as the log says; -1 where it does not.
        names: names of the cases.
        notes: what had to be assumed.
    """

    activities: list[str]
    resources: list[str]
    case: Int
    offset: Int
    activity: Int
    resource: Int
    start: Int
    end: Int
    enabled: Int
    names: list[str]
    notes: tuple[str, ...] = ()

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.offset) - 1

    @property
    def first(self) -> Int:
        """First start of each case, ns."""
        return self.start[self.offset[:-1]]

    @property
    def last(self) -> Int:
        """Last end of each case, ns."""
        return np.asarray(np.maximum.reduceat(self.end, self.offset[:-1]), np.int64)

    def take(self, cases: Bool) -> LogColumns:
        """The part with the cases of a mask; codes of activities and resources stay."""
        rows = cases[self.case]
        sizes = np.diff(self.offset)[cases]
        offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        case = np.repeat(np.arange(len(sizes)), sizes)
        kept = {name: getattr(self, name)[rows] for name in ("activity", "resource", "start", "end", "enabled")}
        names = [name for name, keep in zip(self.names, cases.tolist(), strict=True) if keep]
        return replace(self, case=case, offset=offset, names=names, **kept)


def week_time(time: Int) -> Int:
    """Nanoseconds since Monday 00:00 UTC."""
    return (time + MONDAY_SHIFT) % WEEK


def columns_of(log: EventLog) -> LogColumns:
    """The columns of a log.

    Raises:
        DataError: the log is empty, or an activity has neither start nor end.
    """
    if not len(log):
        raise DataError("the log has no activities", hint="A process is discovered from at least one case.")
    table = log.table
    notes: list[str] = []
    start, end = _ns(table[START]), _ns(table[END])
    if bool((np.isnan(_null(table[START])) & np.isnan(_null(table[END]))).any()):
        raise DataError("an activity has neither start nor end", hint="Leave out rows without any time.")
    start = np.where(start < 0, end, start)
    end = np.where(end < 0, start, end)
    wrong = int((end < start).sum())
    if wrong:
        notes.append(note("ends_before_start", n=wrong))
        end = np.maximum(start, end)
    if table[ACTIVITY].null_count:
        notes.append(note("no_activity_name", n=table[ACTIVITY].null_count))
    activity, activities = _codes(pc.fill_null(table[ACTIVITY], "unknown"))
    resource, resources = _codes(table[RESOURCE])
    if not resources:
        notes.append(note("no_resources"))
    case, names = _cases(table[CASE], start)
    enabled = _ns(table[ENABLED]) if ENABLED in table.column_names else np.full(len(start), -1, np.int64)
    order = np.lexsort((end, start, case))
    sizes = np.bincount(case, minlength=len(names))
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    columns = [column[order] for column in (case, activity, resource, start, end, enabled)]
    case, activity, resource, start, end, enabled = columns
    return LogColumns(activities, resources, case, offset, activity, resource, start, end, enabled, names, tuple(notes))


def _null(column: pa.ChunkedArray) -> Float:
    return np.where(pc.is_null(column).to_numpy(zero_copy_only=False), np.nan, 0.0)


def _ns(column: pa.ChunkedArray) -> Int:
    """Nanoseconds since 1970, -1 where null."""
    if not pa.types.is_timestamp(column.type):
        return np.full(len(column), -1, np.int64)
    micro = pc.fill_null(column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()), -1)
    values = np.asarray(micro.to_numpy(), np.int64)
    return np.where(values < 0, -1, values * 1000)


def _codes(column: pa.ChunkedArray) -> tuple[Int, list[str]]:
    names = sorted(value for value in pc.unique(column).to_pylist() if value is not None)
    found = pc.index_in(column, pa.array(names, pa.string()))
    return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64), names


def _cases(column: pa.ChunkedArray, start: Int) -> tuple[Int, list[str]]:
    raw, names = _codes(pc.fill_null(column.cast(pa.string()), "unknown"))
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, raw, start)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[raw], [names[i] for i in order.tolist()]


def concurrency(log: LogColumns) -> Bool:
    """Which activities run side by side in one case: a symmetric matrix.

    Two activities count as concurrent if at least 3 pairs of their instances, and 5% of all pairs in the same case
    that lie next to each other, overlap in time.
    """
    k = len(log.activities)
    overlap, pairs = np.zeros((k, k)), np.zeros((k, k))
    for lag in range(1, min(8, int(np.diff(log.offset).max()))):
        a = np.arange(len(log.case) - lag)
        b = a + lag
        same = log.case[a] == log.case[b]
        a, b = a[same], b[same]
        key = (log.activity[a], log.activity[b])
        np.add.at(pairs, key, 1.0)
        np.add.at(overlap, key, (log.start[b] < log.end[a]) & (log.end[b] > log.start[b]))
    overlap, pairs = overlap + overlap.T, pairs + pairs.T
    np.fill_diagonal(overlap, overlap.diagonal() / 2)
    np.fill_diagonal(pairs, pairs.diagonal() / 2)
    return np.asarray((overlap >= _MIN_OVERLAPS) & (overlap >= _OVERLAP_SHARE * pairs))


def enabling(log: LogColumns, concurrent: Bool) -> tuple[Int, Int]:
    """When each instance could begin, and which instance made it possible.

    An instance may begin when all earlier ones of its case that are not concurrent with it have ended.

    Returns:
        Instant (ns) and index of the enabling instance; for those that wait for none: their own start, or the log's
        enabled time, and -1. Never after the start.
    """
    n = len(log.case)
    ready, by = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    activity, start, end = log.activity.tolist(), log.start.tolist(), log.end.tolist()
    offset = log.offset.tolist()
    free: list[list[bool]] = concurrent.tolist()
    chain = not concurrent.any()
    for first, stop in pairwise(offset):
        for i in range(first + 1, stop):
            if chain and end[i - 1] <= start[i]:
                ready[i], by[i] = end[i - 1], i - 1
                continue
            best, row = -1, -1
            side = free[activity[i]]
            for j in range(first, i):
                if end[j] > best and end[j] <= start[i] and not side[activity[j]]:
                    best, row = end[j], j
            ready[i], by[i] = best, row
    ready = np.where(by < 0, np.where(log.enabled >= 0, log.enabled, log.start), ready)
    return np.minimum(ready, log.start), by


def describe(log: LogColumns) -> dict[str, Any]:
    """Size and span of a log, for the report."""
    return {"cases": log.cases, "activities": len(log.case), "first": int(log.start.min()), "last": int(log.end.max())}
