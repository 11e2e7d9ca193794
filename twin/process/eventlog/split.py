"""Parts of an event log by time: training and test part, and the naive forecast that a simulator should beat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.log import CASE, END, START, EventLog

_WEEK_US = 7 * 24 * 3_600_000_000


def split(log: EventLog, share: float = 0.8) -> tuple[EventLog, EventLog]:
    """Training and test part, cut where that share of all activities has ended.

    Cases that have ended by then are for training, those of which no activity has ended by then are for testing, and
    those across the cut are left out: neither part knows of the other. This is the split of the published comparisons
    (M. Camargo, M. Dumas, O. González-Rojas, Decision Support Systems 134 (2020), and those after them).

    Args:
        log: activities without an end count as ending when they start.
        share: of the activities, above 0 and below 1.

    Raises:
        DataError: the share is out of range, or a part would have no case.
    """
    if not 0 < share < 1:
        raise DataError(f"a share of {share} is not a split", hint="Choose one above 0 and below 1, such as 0.8.")
    case, early, size = _ended_by(log, share)
    train, test = (EventLog(log.table.filter(pa.array(held[case])), log.notes) for held in (early == size, early == 0))
    if not len(train) or not len(test):
        what = "training" if not len(train) else "test"
        raise DataError(f"a cut at {share:g} leaves no whole case for the {what} part", hint="Choose another share.")
    return train, test


def ended(log: EventLog, share: float) -> EventLog:
    """What a recording would hold that stopped when that share of all activities had ended: the cases that had ended.

    Args:
        log: activities without an end count as ending when they start.
        share: of the activities, from 0 to 1; there may be no case.
    """
    case, early, size = _ended_by(log, share)
    return EventLog(log.table.filter(pa.array((early == size)[case])), log.notes)


def split_by_case(log: EventLog, share: float = 0.8) -> tuple[EventLog, EventLog]:
    """The cases that began first, and the others: for a log that a cut by time would lay in ruins.

    Args:
        log: of at least two cases.
        share: of the cases, above 0 and below 1.

    Raises:
        DataError: there are fewer than two cases.
    """
    case = _case_numbers(log)
    cases = int(case.max(initial=-1)) + 1
    if cases < 2:
        raise DataError("a log of one case cannot be divided", hint="It takes at least two cases.")
    early = case < min(max(1, round(share * cases)), cases - 1)
    first, others = (EventLog(log.table.filter(pa.array(held)), log.notes) for held in (early, ~early))
    return first, others


def replay(train: EventLog, test: EventLog) -> EventLog:
    """The naive forecast: the last training cases as they were, moved on by whole weeks to where the test part begins.

    As many cases as the test part has (or all, if there are fewer). A simulator that is no better has learnt nothing.
    """
    count = test.cases
    table = train.table
    code = _case_numbers(train)
    kept = table.filter(pa.array(code >= code.max() + 1 - count))
    first, begin = (_micros(pc.coalesce(t[START], t[END])).min() for t in (kept, test.table))
    weeks = round((int(begin) - int(first)) / _WEEK_US)
    moved = {name: _later(kept[name], weeks * _WEEK_US) for name in kept.column_names}
    return EventLog(pa.table(moved), ("Cases of the training part, moved on by whole weeks.",))


def _ended_by(log: EventLog, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of each row its case; of each case, activities among that share of all which ended first, and activities."""
    ends = _micros(pc.coalesce(log.table[END], log.table[START]))
    case = _case_numbers(log)
    rank = np.empty(len(ends), np.int64)
    rank[np.argsort(ends, kind="stable")] = np.arange(len(ends))
    cases = int(case.max(initial=-1)) + 1
    early = np.bincount(case[rank < round(len(ends) * share)], minlength=cases)
    return case, early, np.bincount(case, minlength=cases)


def _case_numbers(log: EventLog) -> NDArray[np.int64]:
    """Of each row: a log is in order of the cases' first instants, so that codes, given as cases appear, are ranks."""
    codes = log.table[CASE].combine_chunks().dictionary_encode().indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)


def _later(column: pa.ChunkedArray, by_us: int) -> Any:
    if not pa.types.is_timestamp(column.type):
        return column
    return pc.add(column, pa.scalar(by_us, pa.duration("us")))


def _micros(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
