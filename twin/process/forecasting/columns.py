"""An event log as NumPy columns, cut at an instant so that nothing later is known."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.log import ACTIVITY, CASE, CASE_PREFIX, COLUMNS, END, RESOURCE, START, EventLog
from twin.process.notes import note

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
NONE = int(np.iinfo(np.int64).min)
"""An instant that is not known."""
NEVER = int(np.iinfo(np.int64).max)
"""An instant that has not come."""
_US = 1_000


@dataclass(frozen=True)
class Columns:
    """Activity instances in order of case, then start; times in ns since 1970 UTC.

    Attributes:
        case: number of the case of each row; cases are numbered in order of their first row.
        activity: index into `activities`.
        resource: index into `resources`, -1 where nobody is named.
        start: when the work began.
        end: NEVER where the work goes on.
        enabled: when the work could begin: the last end before it in its case; NONE for the first of a case.
        cases: names of the cases.
        activities: names.
        resources: names.
    """

    case: Ints
    activity: Ints
    resource: Ints
    start: Ints
    end: Ints
    enabled: Ints
    cases: list[str]
    activities: list[str]
    resources: list[str]

    def __len__(self) -> int:
        return len(self.case)

    def only(self, rows: Bools) -> Columns:
        """Some rows; the numbers of cases, activities and resources stay."""
        return Columns(
            self.case[rows],
            self.activity[rows],
            self.resource[rows],
            self.start[rows],
            self.end[rows],
            self.enabled[rows],
            self.cases,
            self.activities,
            self.resources,
        )


def columns_of(log: EventLog) -> Columns:
    """The columns of a log; a row without a start counts as an instant at its end.

    Raises:
        DataError: a row has no time at all.
    """
    table = log.table
    case_names, case = _codes(table[CASE])
    activities, activity = _codes(table[ACTIVITY])
    resources, resource = _codes(table[RESOURCE])
    start, end = _instants(table[START]), _instants(table[END])
    start = np.where(start == NONE, end, start)
    if np.any(start == NONE):
        raise DataError(f"{int((start == NONE).sum())} rows of the log have no time at all")
    end = np.where(end == NONE, NEVER, np.maximum(end, start))
    order = np.lexsort((end, start, case))
    case, activity, resource, start, end = (part[order] for part in (case, activity, resource, start, end))
    return Columns(
        case, activity, resource, start, end, enabled_by_case(case, start, end), case_names, activities, resources
    )


def enabled_by_case(case: Ints, start: Ints, end: Ints) -> Ints:
    """When each piece of work could begin: the latest end before its start in its case.

    Work that runs beside all earlier work of its case counts as enabled with the first of it.

    Args:
        case: in order, as `start` is within a case.
        start: ns.
        end: ns.

    Returns:
        ns; NONE for the first of a case, and for work beside it from the outset.
    """
    out = np.full(len(case), NONE, np.int64)
    if not len(case):
        return out
    bounds = np.flatnonzero(np.concatenate([[True], case[1:] != case[:-1]]))
    same = np.concatenate([[False], case[1:] == case[:-1]])
    before = np.concatenate([[NONE], running_max(case, end)[:-1]])
    # All earlier work has ended: the rule. The few others are looked up in their case.
    plain = same & (before <= start)
    out[plain] = before[plain]
    odd = np.flatnonzero(same & ~plain)
    firsts = bounds[np.searchsorted(bounds, odd, side="right") - 1]
    for row, first in zip(odd.tolist(), firsts.tolist(), strict=True):
        ends = end[first:row]
        done = ends[ends <= start[row]]
        if len(done):
            out[row] = done.max()
    return out


def running_max(case: Ints, value: Ints) -> Ints:
    """The largest value so far within each case (rows in order of case)."""
    if not len(case):
        return value
    rank = np.unique(value, return_inverse=True)
    shifted = rank[1] + case * (len(rank[0]) + 1)
    return np.asarray(rank[0][np.maximum.accumulate(shifted) - case * (len(rank[0]) + 1)], np.int64)


def _codes(column: pa.ChunkedArray) -> tuple[list[str], Ints]:
    """Names in order of appearance, and their index on each row (-1 for null)."""
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = flat.dictionary_encode()
    return coded.dictionary.to_pylist(), np.asarray(
        coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64
    )


def _instants(column: pa.ChunkedArray) -> Ints:
    """Times in ns; NONE for null."""
    micros = np.asarray(column.cast(pa.int64()).fill_null(NONE).to_numpy(), np.int64)
    return np.where(micros == NONE, NONE, micros * _US)


def known_at(log: EventLog, instant: int) -> EventLog:
    """What was known of a log just before an instant (ns): later rows are gone, work under way has no end.

    A row is known from its start. Its end, and whatever the row carries beside the attributes of its case, are known
    once it has ended.
    """
    table = log.table
    cut = pa.scalar(-(-instant // _US), pa.int64())
    start, end = (table[name].cast(pa.int64()) for name in (START, END))
    begun = pc.fill_null(pc.less(pc.coalesce(start, end), cut), False)
    ended = pc.fill_null(pc.less(end, cut), False)
    out = {}
    for name in table.column_names:
        column = table[name]
        if name == END or not (name in COLUMNS or name.startswith(CASE_PREFIX)):
            column = pc.if_else(ended, column, pa.scalar(None, column.type))
        out[name] = column
    return EventLog(pa.table(out).filter(begun), log.notes)


def without_hindsight(log: EventLog) -> EventLog:
    """The log without attributes that tell how a case will go on, such as the name of its variant.

    An attribute is taken for one if every case has one value of it, cases share values, and all cases with the same
    value went the same way as far as they have gone, although the cases as a whole go different ways. Left out with a
    note: at the time of the case nobody could have known it.
    """
    if not log.attributes or not len(log):
        return log
    paths = _paths(columns_of(log))
    drop = [name for name in log.attributes if _tells_path(log, name, paths)]
    if not drop:
        return log
    left_out = note("tells_path", names=", ".join(drop))
    return EventLog(log.table.drop_columns(drop), (*log.notes, left_out))


def _paths(cols: Columns) -> dict[str, tuple[int, ...]]:
    """The sequence of activities of each case."""
    activity = cols.activity.tolist()
    found: dict[str, tuple[int, ...]] = {}
    if not activity:
        return found
    bounds = np.flatnonzero(np.concatenate([[True], cols.case[1:] != cols.case[:-1], [True]])).tolist()
    for first, stop in itertools.pairwise(bounds):
        found[cols.cases[int(cols.case[first])]] = tuple(activity[first:stop])
    return found


def _tells_path(log: EventLog, name: str, paths: dict[str, tuple[int, ...]]) -> bool:
    column = log.table[name]
    if pa.types.is_floating(column.type) or pa.types.is_timestamp(column.type):
        return False
    pairs = pa.table({"case": log.table[CASE], "value": column.cast(pa.string())}).filter(pc.is_valid(column))
    unique = pairs.group_by(["case", "value"]).aggregate([])
    groups: dict[str, list[tuple[int, ...]]] = {}
    for case, value in zip(unique["case"].to_pylist(), unique["value"].to_pylist(), strict=True):
        groups.setdefault(value, []).append(paths[case])
    shared = {value: group for value, group in groups.items() if len(group) > 1}
    long = {value: max(group, key=len) for value, group in shared.items()}
    if len(unique) > pc.count_distinct(unique["case"]).as_py() or len(shared) < 2 or len(set(long.values())) < 2:
        return False
    if sum(len(group) for group in shared.values()) < 10 * len(shared) ** 0.5:
        return False
    return all(path == long[value][: len(path)] for value, group in shared.items() for path in group)
