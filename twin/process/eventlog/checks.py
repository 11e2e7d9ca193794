"""What may be wrong with an event log: counted, with the first rows, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from twin.process.eventlog.log import ACTIVITY, CASE, END, RESOURCE, START, EventLog


class Fault(NamedTuple):
    """A kind of fault: what it is and what would be right, in English and Chinese, and whether it makes a log wrong."""

    what: tuple[str, str]
    right: tuple[str, str]
    serious: bool = False


FAULTS: dict[str, Fault] = {
    "missing_end": Fault(
        ("activities that started and never ended", "有开始而无结束的活动"),
        ("an end for each, or the row left out if the work was dropped", "补上结束时间；若工作已取消则删去该行"),
    ),
    "missing_start": Fault(
        ("activities with an end and no start", "有结束而无开始的活动"),
        (
            "a start for each; without it service cannot be told from waiting",
            "补上开始时间，否则分不清处理与等待",
        ),
    ),
    "negative_duration": Fault(
        ("activities that end before they start", "结束早于开始的活动"),
        (
            "an end not before the start; look for swapped columns or zones",
            "结束不早于开始；请检查列或时区",
        ),
        True,
    ),
    "mixed_zones": Fault(
        ("times that name no zone though others do", "未注明时区的时间（其他时间已注明）"),
        ("a zone for all, or for none and --zone", "全部注明时区，或都不注明而用 --zone"),
        True,
    ),
    "repeated": Fault(
        ("rows that repeat another in every usual column", "与他行完全相同的行"),
        ("each activity once", "每个活动只记一次"),
        True,
    ),
    "out_of_range": Fault(
        ("times before 1980 or after 2100", "早于 1980 年或晚于 2100 年的时间"),
        ("real dates; 1970-01-01 is often a missing one", "真实日期；1970-01-01 常表示缺失"),
        True,
    ),
    "out_of_order": Fault(
        ("rows that start before the row above of their case", "早于同一案例上一行的行"),
        ("rows of a case in order of time; they were sorted here", "同一案例按时间排列；此处已排序"),
    ),
    "overlap_in_case": Fault(
        ("activities that overlap with another of their case", "同一案例内相互重叠的活动"),
        ("right if a case may be worked on in parallel", "若案例可并行处理则正常"),
    ),
    "overlap_of_resource": Fault(
        ("activities that start while their resource does another", "执行人同时进行的活动"),
        ("right if a resource is a team or does several things at once", "若执行人是团队或可同时处理多项则正常"),
    ),
    "no_resource": Fault(
        ("activities without a resource", "没有执行人的活动"),
        (
            "a name for each; those without are taken as done by nobody",
            "补上执行人；缺失者不占用人员",
        ),
    ),
    "instant": Fault(
        ("activities that take no time", "耗时为零的活动"),
        ("right for automatic steps; else only the end was recorded", "自动步骤属正常；否则只记录了结束时间"),
    ),
    "lone_case": Fault(
        ("cases of a single activity", "只有一个活动的案例"),
        ("right if such cases exist; else the extract cuts cases off", "若确有此类案例则正常；否则数据截断了案例"),
    ),
}
"""Key -> the fault, the serious ones first."""
_EARLIEST, _LATEST = (315_532_800_000_000, 4_102_444_800_000_000)
_NONE = np.iinfo(np.int64).min
_EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """One kind of fault: how often, and where it is first seen.

    Attributes:
        key: of `FAULTS`.
        count: rows (or times) with the fault.
        of: rows in all.
        rows: numbers of the first records, from 1, as they stand in what was read; empty = not known.
        examples: the first rows in words.
    """

    key: str
    count: int
    of: int
    rows: tuple[int, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def serious(self) -> bool:
        """Whether the log is wrong, and not only unusual."""
        return FAULTS[self.key].serious

    def words(self, language: str = "en") -> str:
        """What it is, in English or Chinese."""
        return FAULTS[self.key].what[language == "zh"]

    def right(self, language: str = "en") -> str:
        """What would be right, in English or Chinese."""
        return FAULTS[self.key].right[language == "zh"]


def check(log: EventLog) -> list[Finding]:
    """All kinds of fault that occur in a log, the serious ones first; an empty list means that nothing was found."""
    n = len(log)
    if n == 0:
        return []
    found = _faulty_rows(log)
    place = None if log.source is None else np.asarray(log.source.to_numpy())
    findings = []
    for key in FAULTS:
        if key == "mixed_zones":
            if log.unzoned:
                findings.append(Finding(key, log.unzoned, n))
            continue
        rows = np.flatnonzero(found[key])
        if not len(rows):
            continue
        rows = rows if place is None else rows[np.argsort(place[rows], kind="stable")]
        first = rows[:_EXAMPLES].tolist()
        numbers = () if place is None else tuple(int(place[row]) for row in first)
        findings.append(Finding(key, len(rows), n, numbers, tuple(_describe(log.table, row) for row in first)))
    return findings


def _faulty_rows(log: EventLog) -> dict[str, NDArray[np.bool_]]:
    """For each fault the rows that have it."""
    table = log.table
    start, end = _micros(table[START]), _micros(table[END])
    has_start, has_end = start != _NONE, end != _NONE
    whole = has_start & has_end
    case, activity, resource = (_codes(table[name]) for name in (CASE, ACTIVITY, RESOURCE))
    return {
        "missing_end": has_start & ~has_end,
        "missing_start": has_end & ~has_start,
        "negative_duration": whole & (end < start),
        "instant": whole & (end == start),
        "no_resource": resource < 0,
        "overlap_in_case": _overlaps(case, start, end, whole),
        "overlap_of_resource": _overlaps(resource, start, end, whole & (resource >= 0)),
        "out_of_order": _out_of_order(log, case, np.where(has_start, start, end)),
        "repeated": _repeated([case, activity, resource, start, end]),
        "out_of_range": (has_start & ((start < _EARLIEST) | (start > _LATEST)))
        | (has_end & ((end < _EARLIEST) | (end > _LATEST))),
        "lone_case": np.bincount(case)[case] == 1,
    }


def _out_of_order(log: EventLog, case: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = np.zeros(len(log), np.bool_)
    if log.source is not None:
        order = np.lexsort((log.source.to_numpy(), case))
        earlier = (case[order][1:] == case[order][:-1]) & (first[order][1:] < first[order][:-1])
        found[order[1:][earlier]] = True
    return found


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

    def when(name: str) -> str:
        return "?" if at(name) is None else str(at(name).isoformat(" ", "seconds")).removesuffix("+00:00")

    times = f"{when(START)} to {when(END)}"
    return f"case {at(CASE)}, {at(ACTIVITY)}, {times}"
