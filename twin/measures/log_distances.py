"""How far a simulated event log is from a real one: five distances that the literature on process simulation agrees on.

Definitions follow D. Chapela-Campa, I. Benchekroun, O. Baron, M. Dumas, D. Krass and A. Senderovich, "A framework for
measuring the quality of business process simulation models", Information Systems 127 (2025): the n-gram distance, and
1-Wasserstein distances, in hours, between histograms with bins of one hour over the starts and ends of all activities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.log import ACTIVITY, CASE, END, START, EventLog

_Int = NDArray[np.int64]
_Histogram = tuple[_Int, _Int]
HOUR_NS = 3_600_000_000_000
_HOURS_A_DAY, _DAYS_A_WEEK = 24, 7
_MONDAY_SHIFT = 3
"""Day 0 of the Unix count, 1970-01-01, was a Thursday: three days after a Monday."""
_ABSENT_DAY = 23.0
"""Distance of a weekday on which only one of the two logs has events: the greatest between hours 0 and 23."""


@dataclass(frozen=True)
class Distances:
    """The five distances of a simulated log from a real one; 0 = equal in that respect.

    Attributes:
        ngd: n-gram distance of the control flow, 0 to 1.
        aedd: absolute event distribution, hours: when events happen on the time line.
        cedd: circadian event distribution, hours: at which hours of each weekday (UTC) events happen.
        redd: relative event distribution, hours: how long after the start of their case events happen.
        ctdd: cycle time distribution, hours.
    """

    ngd: float
    aedd: float
    cedd: float
    redd: float
    ctdd: float

    def as_dict(self) -> dict[str, float]:
        """The five by their upper-case names, in the usual order."""
        return {name.upper(): value for name, value in asdict(self).items()}


NAMES = ("NGD", "AEDD", "CEDD", "REDD", "CTDD")
"""The five, in the usual order."""


class LogProfile:
    """What the distances need of a log, each part computed when first asked for and kept.

    A log that is compared with many should be profiled once.

    Args:
        case: case of each activity instance, any integers.
        activity: index into `names` of each activity instance.
        names: names of the activities.
        start: ns since 1970 UTC.
        end: ns since 1970 UTC.

    Raises:
        DataError: there are no instances.
    """

    def __init__(
        self, case: NDArray[np.integer], activity: NDArray[np.integer], names: Sequence[str], start: _Int, end: _Int
    ) -> None:
        if not len(case):
            raise DataError("an empty log has no distance to another")
        case = np.asarray(case, np.int64)
        self.names = list(names)
        self._start, self._end = np.asarray(start, np.int64), np.asarray(end, np.int64)
        if np.all(case[1:] >= case[:-1]):
            self._order = None
        else:
            self._order = np.argsort(case, kind="stable")
            case, self._start, self._end = case[self._order], self._start[self._order], self._end[self._order]
        activity = np.asarray(activity, np.int64)
        self._activity = activity if self._order is None else activity[self._order]
        self._first = np.concatenate([[0], np.flatnonzero(case[1:] != case[:-1]) + 1])
        self._case = np.repeat(np.arange(len(self._first)), np.diff(np.append(self._first, len(case))))
        self._grams: dict[int, dict[tuple[str | None, ...], int]] = {}

    @classmethod
    def of(cls, log: EventLog) -> LogProfile:
        """The profile of a log; an activity without start or end counts as an instant, one without both is left out."""
        table = log.table
        start, end = table[START], table[END]
        if start.null_count or end.null_count:
            table = table.filter(pc.or_(pc.is_valid(start), pc.is_valid(end)))
            start, end = pc.coalesce(table[START], table[END]), pc.coalesce(table[END], table[START])
        activities = table[ACTIVITY].combine_chunks().dictionary_encode()
        names = [str(name) for name in activities.dictionary.to_pylist()] + ["None"]
        codes = activities.indices.fill_null(len(names) - 1)
        cases = table[CASE].combine_chunks().dictionary_encode().indices.fill_null(-1)
        return cls(_numpy(cases), _numpy(codes), names, _nanoseconds(start), _nanoseconds(end))

    def grams(self, n: int = 3) -> dict[tuple[str | None, ...], int]:
        """How often each sequence of n activities occurs; cases begin and end with n - 1 times nothing (None).

        Activities of a case are in order of start, then end, then as they stand in the log.
        """
        if n not in self._grams:
            order = np.lexsort((self._end, self._start, self._case))
            pad = n - 1
            row = np.zeros(len(order) + (len(self._first) + 1) * pad, np.int64)
            row[np.arange(len(order)) + (self._case + 1) * pad] = self._activity[order] + 1
            windows, code = [row[i : len(row) - pad + i] for i in range(n)], row[: len(row) - pad]
            for window in windows[1:]:  # renumbering keeps the code small, whatever n and the number of names
                code = np.unique(code, return_inverse=True)[1] * (len(self.names) + 1) + window
            _, at, count = np.unique(code, return_index=True, return_counts=True)
            words = [None, *self.names]
            columns = [[words[i] for i in window[at]] for window in windows]
            self._grams[n] = dict(zip(zip(*columns, strict=True), count.tolist(), strict=True))
        return self._grams[n]

    @cached_property
    def hours(self) -> _Histogram:
        """Hours since 1970 of all starts and ends, and how many each has."""
        return _histogram(self._both // HOUR_NS)

    @cached_property
    def circadian(self) -> _Int:
        """Starts and ends by weekday (Monday = 0) and hour of day in UTC, shape (7, 24)."""
        hours, counts = self.hours
        table = np.zeros((_DAYS_A_WEEK, _HOURS_A_DAY), np.int64)
        weekday = (hours // _HOURS_A_DAY + _MONDAY_SHIFT) % _DAYS_A_WEEK
        np.add.at(table, (weekday, hours % _HOURS_A_DAY), counts)
        return table

    @cached_property
    def relative(self) -> _Histogram:
        """Whole hours of all starts and ends since the first start of their case, and how many each has."""
        return _histogram((self._both - np.tile(self._begins[self._case], 2)) // HOUR_NS)

    @cached_property
    def cycle_times(self) -> _Int:
        """From the first start to the last end of each case, ns."""
        return np.maximum.reduceat(self._end, self._first) - self._begins

    @cached_property
    def _begins(self) -> _Int:
        return np.minimum.reduceat(self._start, self._first)

    @cached_property
    def _both(self) -> _Int:
        return np.concatenate([self._start, self._end])


Comparable = EventLog | LogProfile


def distances(test: Comparable, simulated: Comparable) -> Distances:
    """All five distances of a simulated log from a real one.

    Args:
        test: the real log, or its profile.
        simulated: the simulated log, or its profile.

    Raises:
        DataError: a log is empty.
    """
    a, b = _profile(test), _profile(simulated)
    return Distances(
        ngd=n_gram_distance(a, b),
        aedd=absolute_event_distance(a, b),
        cedd=circadian_event_distance(a, b),
        redd=relative_event_distance(a, b),
        ctdd=cycle_time_distance(a, b),
    )


def n_gram_distance(test: Comparable, simulated: Comparable, n: int = 3) -> float:
    """Differences between the counts of all n-grams, over the number of n-grams of both logs: 0 to 1.

    Counts, not shares: logs of different numbers of cases differ even if their cases are alike.
    """
    a, b = _profile(test).grams(n), _profile(simulated).grams(n)
    apart = sum(abs(count - b.get(gram, 0)) for gram, count in a.items())
    apart += sum(count for gram, count in b.items() if gram not in a)
    return apart / (sum(a.values()) + sum(b.values()))


def absolute_event_distance(test: Comparable, simulated: Comparable) -> float:
    """Wasserstein distance, hours, between the starts and ends on the time line."""
    return _wasserstein(_profile(test).hours, _profile(simulated).hours)


def circadian_event_distance(test: Comparable, simulated: Comparable) -> float:
    """Wasserstein distance, hours, between the hours of day of starts and ends: the mean over the seven weekdays."""
    a, b = _profile(test).circadian, _profile(simulated).circadian
    total = 0.0
    for x, y in zip(a, b, strict=True):
        if x.any() and y.any():
            total += float(np.abs(np.cumsum(x) / x.sum() - np.cumsum(y) / y.sum()).sum())
        elif x.any() or y.any():
            total += _ABSENT_DAY
    return total / _DAYS_A_WEEK


def relative_event_distance(test: Comparable, simulated: Comparable) -> float:
    """Wasserstein distance, hours, between starts and ends counted from the start of their case."""
    return _wasserstein(_profile(test).relative, _profile(simulated).relative)


def cycle_time_distance(test: Comparable, simulated: Comparable, bin_ns: int = HOUR_NS) -> float:
    """Wasserstein distance, in bins, between the cycle times; bins are counted from the shortest case of both logs."""
    a, b = _profile(test).cycle_times, _profile(simulated).cycle_times
    shortest = min(a.min(), b.min())
    return _wasserstein(_histogram((a - shortest) // bin_ns), _histogram((b - shortest) // bin_ns))


def _profile(log: Comparable) -> LogProfile:
    return log if isinstance(log, LogProfile) else LogProfile.of(log)


def _histogram(values: _Int) -> _Histogram:
    """Values in ascending order and their counts: small whatever the span, so that one wild date costs nothing."""
    lowest = int(values.min())
    if int(values.max()) - lowest < 4 * len(values) + 1000:
        counts = np.bincount(values - lowest)
        held = np.flatnonzero(counts)
        return held + lowest, counts[held].astype(np.int64)
    distinct, counts = np.unique(values, return_counts=True)
    return distinct, counts.astype(np.int64)


def _wasserstein(a: _Histogram, b: _Histogram) -> float:
    """The area between two distribution functions (the 1-Wasserstein distance on a line)."""
    places = np.union1d(a[0], b[0])
    if len(places) < 2:
        return 0.0
    shares = []
    for values, counts in (a, b):
        upto = np.concatenate([[0], np.cumsum(counts)])
        shares.append(upto[np.searchsorted(values, places[:-1], side="right")] / upto[-1])
    return float(np.sum(np.abs(shares[0] - shares[1]) * np.diff(places)))


def _numpy(array: pa.Array) -> _Int:
    return np.asarray(array.to_numpy(zero_copy_only=False), np.int64)


def _nanoseconds(column: pa.ChunkedArray) -> _Int:
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64) * 1000
