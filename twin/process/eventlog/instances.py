"""Activity instances from life-cycle transitions: which start belongs to which end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.process.eventlog.log import EventLog

_STARTS, _ENDS = ("start",), ("complete", "ate_abort", "pi_abort", "manualskip", "autoskip")


def pair_transitions(
    case: Any,
    activity: Any,
    resource: Any,
    time: pa.Array,
    transition: Any,
    rest: dict[str, Any],
    notes: list[str],
    instance: Any = None,
) -> EventLog:
    """Join starts and ends of the same activity in the same case, first in first out, in order of time.

    Where events name their instance, only those of one instance are joined. A start whose resource equals the end's is
    preferred when several are open. Starts without an end, and the other way round, stay, with a null; other
    transitions are left out and noted. Attributes are those of the end, or of the start where there is none.
    """
    words = pc.utf8_lower(pc.coalesce(transition.cast(pa.string()), pa.scalar("complete")))
    is_start = pc.is_in(words, pa.array(_STARTS)).to_numpy(zero_copy_only=False)
    is_end = pc.is_in(words, pa.array(_ENDS)).to_numpy(zero_copy_only=False)
    others = sorted(set(words.filter(pa.array(~(is_start | is_end))).to_pylist()))
    if others:
        notes.append(f"Transitions {', '.join(others)} are left out ({int((~(is_start | is_end)).sum())} events).")
    rows = np.flatnonzero(is_start | is_end)
    stamps = time.cast(pa.int64()).to_numpy(zero_copy_only=False)
    codes = [_codes(column, len(words)) for column in (case, activity, resource, instance)]
    start_row, end_row = _match(rows[np.argsort(stamps[rows], kind="stable")], is_start, *codes)
    if not is_start.any():
        notes.append("The log has no start events: every activity counts as an instant.")
        start_row = end_row
    base = pa.array(np.where(end_row >= 0, end_row, start_row))

    def at(rows: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
        return time.take(pa.array(np.where(rows < 0, 0, rows), mask=rows < 0))

    taken = {name: column.take(base) for name, column in rest.items()}
    who = None if resource is None else resource.take(base)
    return EventLog.from_columns(case.take(base), activity.take(base), who, at(start_row), at(end_row), taken, notes)


def _codes(column: Any, n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    if column is None:
        return np.zeros(n, np.int64)
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(flat.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _match(
    rows: np.ndarray[Any, np.dtype[np.int64]],
    is_start: np.ndarray[Any, np.dtype[np.bool_]],
    case: np.ndarray[Any, np.dtype[np.int64]],
    activity: np.ndarray[Any, np.dtype[np.int64]],
    resource: np.ndarray[Any, np.dtype[np.int64]],
    instance: np.ndarray[Any, np.dtype[np.int64]],
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Row of the start and of the end of each instance, -1 where there is none; `rows` are in order of time."""
    waiting: dict[tuple[int, int, int], list[int]] = {}
    starts: list[int] = []
    ends: list[int] = []
    who = resource.tolist()
    key = zip(case[rows].tolist(), activity[rows].tolist(), instance[rows].tolist(), strict=True)
    for row, begins, place in zip(rows.tolist(), is_start[rows].tolist(), key, strict=True):
        if begins:
            waiting.setdefault(place, []).append(row)
            continue
        candidates = waiting.get(place)
        if not candidates:
            starts.append(-1)
        else:
            same = next((i for i, start in enumerate(candidates) if who[start] == who[row]), 0)
            starts.append(candidates.pop(same))
        ends.append(row)
    left = sorted(row for candidates in waiting.values() for row in candidates)
    first, last = np.array(starts + left, np.int64), np.array(ends + [-1] * len(left), np.int64)
    order = np.argsort(np.where(first < 0, last, first), kind="stable")  # as the log has them, where times are equal
    return first[order], last[order]
