"""What may be wrong with an event log, counted and with an example each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.process.eventlog.log import ACTIVITY, CASE, END, RESOURCE, START, EventLog

FAULTS: dict[str, tuple[str, str]] = {
    "missing_end": ("activities that started and never ended", "有开始而无结束的活动"),
    "missing_start": ("activities with an end and no start", "有结束而无开始的活动"),
    "negative_duration": ("activities that end before they start", "结束早于开始的活动"),
    "instant": ("activities that take no time", "耗时为零的活动"),
    "no_resource": ("activities without a resource", "没有执行人的活动"),
    "overlap_in_case": ("activities that overlap with another of their case", "同一案例内相互重叠的活动"),
    "overlap_of_resource": ("activities that start while their resource does another", "执行人同时进行的活动"),
    "repeated": ("rows that repeat another in every usual column", "与他行完全相同的行"),
    "lone_case": ("cases of a single activity", "只有一个活动的案例"),
    "out_of_range": ("times before 1980 or after 2100", "早于 1980 年或晚于 2100 年的时间"),
}
"""Key -> what it counts, in English and Chinese."""
_EARLIEST, _LATEST = (315_532_800_000_000, 4_102_444_800_000_000)
_NONE = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Finding:
    """One kind of fault: how often, and where it is first seen."""

    key: str
    count: int
    of: int
    example: str

    def words(self, language: str = "en") -> str:
        """What it is, in English or Chinese."""
        return FAULTS[self.key][1 if language == "zh" else 0]


def check(log: EventLog) -> list[Finding]:
    """All kinds of fault that occur in a log; an empty list means that nothing was found."""
    table = log.table
    n = len(log)
    if n == 0:
        return []
    start, end = _micros(table[START]), _micros(table[END])
    has_start, has_end = start != _NONE, end != _NONE
    whole = has_start & has_end
    case, activity, resource = (_codes(table[name]) for name in (CASE, ACTIVITY, RESOURCE))
    rows: dict[str, NDArray[np.bool_]] = {
        "missing_end": has_start & ~has_end,
        "missing_start": has_end & ~has_start,
        "negative_duration": whole & (end < start),
        "instant": whole & (end == start),
        "no_resource": resource < 0,
        "overlap_in_case": _overlaps(case, start, end, whole),
        "overlap_of_resource": _overlaps(resource, start, end, whole & (resource >= 0)),
        "repeated": _repeated([case, activity, resource, start, end]),
        "out_of_range": (has_start & ((start < _EARLIEST) | (start > _LATEST)))
        | (has_end & ((end < _EARLIEST) | (end > _LATEST))),
    }
    sizes = np.bincount(case)
    rows["lone_case"] = sizes[case] == 1
    findings = []
    for key in FAULTS:
        found = rows[key]
        if found.any():
            findings.append(Finding(key, int(found.sum()), n, _describe(table, int(np.argmax(found)))))
    return findings


def _micros(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.cast(pa.int64()).fill_null(_NONE).to_numpy(), np.int64)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    codes = column.combine_chunks().dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)


def _overlaps(
    group: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], usable: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Rows that start before an earlier started row of the same group has ended."""
    found = np.zeros(len(group), np.bool_)
    rows = np.flatnonzero(usable & (end > start))
    if len(rows) < 2:
        return found
    rows = rows[np.lexsort((end[rows], start[rows], group[rows]))]
    same = np.concatenate([[False], group[rows][1:] == group[rows][:-1]])
    # Latest end so far within the group: on ranks, each group lifted above all earlier ones, one running maximum does.
    ends = np.unique(end[rows])
    lift = np.cumsum(~same) * (len(ends) + 1)
    running = np.maximum.accumulate(np.searchsorted(ends, end[rows]) + lift)[:-1]
    latest = ends[np.where(same[1:], running - lift[1:], 0)]
    found[rows[1:]] = same[1:] & (start[rows][1:] < latest)
    return found


def _repeated(columns: list[NDArray[np.int64]]) -> NDArray[np.bool_]:
    order = np.lexsort(columns)
    equal = np.ones(len(order) - 1, np.bool_) if len(order) else np.zeros(0, np.bool_)
    for column in columns:
        equal &= column[order][1:] == column[order][:-1]
    found = np.zeros(len(order), np.bool_)
    found[order[1:]] = equal
    return found


def _describe(table: pa.Table, row: int) -> str:
    def at(name: str) -> Any:
        return table[name][row].as_py()

    times = " to ".join("?" if at(name) is None else at(name).isoformat() for name in (START, END))
    return f"case {at(CASE)}, {at(ACTIVITY)}, {times}"


def summary(log: EventLog) -> dict[str, Any]:
    """Sizes of a log: cases, activities, resources, first and last instant (ISO texts, UTC)."""
    table = log.table
    times = pa.chunked_array([*table[START].chunks, *table[END].chunks])
    bounds = pc.min_max(times).as_py()
    return {
        "rows": len(log),
        "cases": log.cases,
        "activities": len(log.activities),
        "resources": int(pc.count_distinct(table[RESOURCE]).as_py()),
        "first": None if bounds["min"] is None else bounds["min"].isoformat(),
        "last": None if bounds["max"] is None else bounds["max"].isoformat(),
    }
