"""What happens in an event log, counted: activities, which follows which directly, and how long cases rest between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.log import ACTIVITY, CASE, END, RESOURCE, START, EventLog

BEGIN, FINISH = -1, -2
"""Where cases come from and go to."""
_PER_ACTIVITY = 2.5
_SHARE = 0.8
_NONE = np.iinfo(np.int64).min
Int = NDArray[np.int64]


@dataclass(frozen=True)
class Activity:
    """An activity of a log.

    Attributes:
        count: how often; cases: in how many cases.
        mean_s, median_s: from start to end, in s; NaN where the log has only one time.
        people: how many do it; busiest: share of the one who does most.
        place: mean number of activities before its first time in a case.
    """

    name: str
    count: int
    cases: int
    mean_s: float
    median_s: float
    people: int
    busiest: float
    place: float


@dataclass(frozen=True)
class Way:
    """One activity directly after another in a case; BEGIN and FINISH stand for its bounds.

    Attributes:
        source, target: indices of activities.
        count: how often.
        mean_s, median_s: from the end of one to the start of the next, 0 where they overlap; NaN at the bounds.
    """

    source: int
    target: int
    count: int
    mean_s: float
    median_s: float


@dataclass(frozen=True)
class FlowMap:
    """Activities and ways between them.

    Attributes:
        activities: those shown, commonest first; all_activities: how many there are.
        ways: those shown, commonest first; all_ways: how many there are.
        steps: share of all steps that the ways shown make up.
        work: share of all activities done that are shown.
    """

    cases: int
    activities: tuple[Activity, ...]
    ways: tuple[Way, ...]
    all_activities: int
    all_ways: int
    steps: float
    work: float


def flow_map(log: EventLog, *, paths: float | None = None, most: int = 40) -> FlowMap:
    """Count a log; activities in a case follow each other by start (by end where there is none).

    Args:
        log: the log.
        paths: the commonest ways that make up this share of all steps are kept, and the commonest into and out of each
            activity; None = 0.8, but no more than 2.5 ways for each activity.
        most: the commonest activities so many; a case passes from one to the next of them.

    Raises:
        DataError: nothing is in the log, or an argument is out of its range.
    """
    if paths is not None and not 0 <= paths <= 1:
        raise DataError(f"{paths:g} is not a share of all steps", where="paths", hint="Give 0 to 1.")
    if not len(log):
        raise DataError("a log without activities has no map")
    rows = _Rows(log)
    kept = rows.commonest(most)
    activities = tuple(rows.activity(i) for i in kept)
    ways, all_ways = rows.ways(kept)
    shown = _shown(ways, len(kept), paths)
    steps = sum(w.count for w in shown) / max(sum(w.count for w in ways), 1)
    work = sum(a.count for a in activities) / len(log)
    return FlowMap(log.cases, activities, shown, len(rows.names), all_ways, steps, work)


def as_values(found: FlowMap) -> dict[str, Any]:
    """A map for machines: ways by names, with null for the bounds of cases."""
    names = dict(enumerate(a.name for a in found.activities))
    activities = [{k: v for k, v in vars(a).items() if k != "place"} for a in found.activities]
    ways = [{**vars(w), "source": names.get(w.source), "target": names.get(w.target)} for w in found.ways]
    counts = {"all_activities": found.all_activities, "all_ways": found.all_ways}
    shares = {"share_of_steps": found.steps, "share_of_work": found.work}
    return {"cases": found.cases, **counts, **shares, "activities": activities, "ways": ways}


class _Rows:
    """A log as numbers: rows by case, times in microseconds (_NONE = unknown)."""

    def __init__(self, log: EventLog) -> None:
        coded = _coded(log.table[ACTIVITY])
        self.names: list[str] = coded.dictionary.to_pylist()
        self.kind, self.case = _codes(coded), _codes(_coded(log.table[CASE]))
        self.who = _codes(_coded(log.table[RESOURCE]))
        self.start, self.end = (_micros(log.table[k]) for k in (START, END))
        begins = np.flatnonzero(np.r_[True, self.case[1:] != self.case[:-1]])
        self.place = np.arange(len(self.case)) - np.repeat(begins, np.diff(np.r_[begins, len(self.case)]))

    def commonest(self, most: int) -> list[int]:
        """Indices of the activities that are done most often."""
        count = np.bincount(self.kind, minlength=len(self.names)).tolist()
        return sorted(range(len(self.names)), key=lambda i: (-count[i], self.names[i]))[:most]

    def activity(self, kind: int) -> Activity:
        """What the log says of an activity."""
        at = self.kind == kind
        start, end = self.start[at], self.end[at]
        known = (start != _NONE) & (end != _NONE)
        spans = (end[known] - start[known]) / 1e6
        people = np.bincount(self.who[at & (self.who >= 0)])
        _, first = np.unique(self.case[at], return_index=True)
        busiest = float(people.max() / people.sum()) if people.size else 0.0
        mean, median = (
            (float(spans.mean()), float(np.median(spans))) if len(spans) and spans.any() else (np.nan, np.nan)
        )
        place = float(self.place[at][first].mean())
        return Activity(
            self.names[kind], int(at.sum()), len(first), mean, median, int((people > 0).sum()), busiest, place
        )

    def ways(self, kept: Sequence[int]) -> tuple[list[Way], int]:
        """All ways between the activities that are kept, commonest first, and how many there are between all."""
        number = np.full(len(self.names), -1, np.int64)
        number[kept] = np.arange(len(kept))
        here = np.flatnonzero(number[self.kind] >= 0)
        kind, case = number[self.kind[here]], self.case[here]
        last = np.r_[case[1:] != case[:-1], True]
        first = np.r_[True, last[:-1]]
        follows = np.flatnonzero(~last)
        source = np.r_[kind[follows], np.full(int(first.sum()), BEGIN), kind[last]]
        target = np.r_[kind[follows + 1], kind[first], np.full(int(last.sum()), FINISH)]
        left = np.where(self.end == _NONE, self.start, self.end)[here][follows]
        came = np.where(self.start == _NONE, self.end, self.start)[here][follows + 1]
        rest = np.maximum(came - left, 0) / 1e6
        rest[(left == _NONE) | (came == _NONE)] = np.nan
        wait = np.r_[rest, np.full(len(source) - len(rest), np.nan)]
        return _counted(source, target, wait), self._pairs()

    def _pairs(self) -> int:
        same = self.case[1:] == self.case[:-1]
        return len(np.unique(self.kind[:-1][same] * len(self.names) + self.kind[1:][same]))


def _counted(source: Int, target: Int, wait: NDArray[np.float64]) -> list[Way]:
    key = (source + 2) * (int(target.max(initial=0)) + 3) + target + 2
    order = np.argsort(key, kind="stable")
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    found = []
    for part in np.split(order, cuts):
        spans = wait[part][~np.isnan(wait[part])]
        mean, median = (float(spans.mean()), float(np.median(spans))) if len(spans) else (np.nan, np.nan)
        found.append(Way(int(source[part[0]]), int(target[part[0]]), len(part), mean, median))
    return sorted(found, key=lambda w: (-w.count, w.source, w.target))


def _shown(ways: Sequence[Way], activities: int, paths: float | None) -> tuple[Way, ...]:
    """The commonest ways, and one into and one out of each activity that another activity or a bound has."""
    share, limit = (_SHARE, int(_PER_ACTIVITY * activities) + 2) if paths is None else (paths, len(ways))
    total, so_far = sum(w.count for w in ways), 0
    chosen = set[int]()
    entered, left = set[int](), set[int]()
    for i, way in enumerate(ways):
        if way.source != way.target:
            if way.target not in entered or way.source not in left:
                chosen.add(i)
            entered.add(way.target)
            left.add(way.source)
        if so_far < share * total - 1e-6 and i < limit:
            chosen.add(i)
        so_far += way.count
    return tuple(ways[i] for i in sorted(chosen))


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return column.combine_chunks().dictionary_encode()


def _codes(coded: pa.DictionaryArray) -> Int:
    return np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), np.int64)


def _micros(column: pa.ChunkedArray) -> Int:
    return np.asarray(pc.fill_null(column.cast(pa.int64()), _NONE).to_numpy(), np.int64)
