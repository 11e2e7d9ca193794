"""Activity instances from life-cycle transitions: which start belongs to which end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.log import EventLog, plain_name
from twin.process.eventlog.times import Times, parse_times
from twin.process.notes import note

_Int = NDArray[np.int64]

_BEGUN = ("starttimestamp", "starttime", "start:timestamp", "time:start")
_STARTS, _ENDS = ("start",), ("complete", "ate_abort", "pi_abort", "manualskip", "autoskip")


def pair_transitions(
    case: Any,
    activity: Any,
    resource: Any,
    times: Times,
    transition: Any,
    rest: dict[str, Any],
    notes: list[str],
    instance: Any = None,
    numbers: _Int | None = None,
) -> EventLog:
    """Join starts and ends of the same activity in the same case, first in first out, in order of time.

    Where events name their instance, only those of one instance are joined. A start whose resource equals the end's is
    preferred when several are open. Starts without an end, and the other way round, stay, with a null; other
    transitions are left out and noted, unless a log has no others: then its transitions are statuses of its own, and
    every event counts. Attributes are those of the end, or of the start where there is none. A log without starts that
    has them as an attribute of the end (`start_timestamp`, as interval logs are written) gets them from there.

    Args:
        case: of each event, as are all that follow.
        activity: its name.
        resource: None = unknown throughout.
        times: instants; none missing.
        transition: start, complete, ...; a missing one is complete.
        rest: attributes.
        notes: what is assumed is added to these.
        instance: names of instances; None = none named.
        numbers: of the events' records in what was read; None = from 1 on.
    """
    words = pc.utf8_lower(pc.coalesce(transition.cast(pa.string()), pa.scalar("complete")))
    is_start = pc.is_in(words, pa.array(_STARTS)).to_numpy(zero_copy_only=False)
    is_end = pc.is_in(words, pa.array(_ENDS)).to_numpy(zero_copy_only=False)
    others = sorted(pc.unique(words.filter(pa.array(~(is_start | is_end)))).to_pylist())
    if others and not (is_start | is_end).any():
        notes.append(note("own_transitions", names=", ".join(others)))
        is_end = ~is_end
    elif others:
        notes.append(note("transitions", names=", ".join(others), n=int((~(is_start | is_end)).sum())))
    rows = np.flatnonzero(is_start | is_end)
    time = times.instants
    stamps = time.cast(pa.int64()).to_numpy(zero_copy_only=False)
    codes = tuple(_codes(column, len(words)) for column in (instance, activity, case))
    by_time = rows[np.argsort(stamps[rows], kind="stable")]
    start_row, end_row = _match(by_time, is_start, codes, _codes(resource, len(words)))
    beside = None if is_start.any() else _starts_beside(rest, times)
    if beside is not None:
        notes.append(note("starts_beside", name=beside))
    elif not is_start.any():
        notes.append(note("no_start_events"))
        start_row = end_row
    base = pa.array(np.where(end_row >= 0, end_row, start_row))

    def at(rows: _Int) -> pa.Array:
        return time.take(pa.array(np.where(rows < 0, 0, rows), mask=rows < 0))

    taken = {name: column.take(base) for name, column in rest.items() if name != beside}
    begun = at(start_row) if beside is None else _instants(rest[beside], times).take(base)
    who = None if resource is None else resource.take(base)
    unzoned = times.naive if times.mixed else 0
    first = np.where(start_row >= 0, start_row, end_row)
    source = pa.array(first + 1 if numbers is None else numbers[first])
    return EventLog.from_columns(
        case.take(base), activity.take(base), who, begun, at(end_row), taken, notes, source, unzoned
    )


def _starts_beside(rest: dict[str, Any], times: Times) -> str | None:
    """The attribute that says when each event's work began: times, some before the event, none after; None = none."""
    for name in rest:
        if plain_name(name) not in _BEGUN:
            continue
        try:
            begun = _instants(rest[name], times)
        except DataError:
            continue
        later, earlier = (pc.any(of(begun, times.instants)).as_py() for of in (pc.greater, pc.less))
        if earlier and not later:
            return name
    return None


def _instants(column: Any, times: Times) -> pa.Array:
    """An attribute as instants, in the zone of the events' times."""
    begun = parse_times(column, "", times.zone).instants
    return begun.combine_chunks() if isinstance(begun, pa.ChunkedArray) else begun


def _codes(column: Any, n: int) -> _Int:
    if column is None:
        return np.zeros(n, np.int64)
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(flat.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _match(rows: _Int, is_start: NDArray[np.bool_], codes: tuple[_Int, ...], resource: _Int) -> tuple[_Int, _Int]:
    """Row of the start and of the end of each instance, -1 where there is none; `rows` are in order of time.

    Args:
        rows: rows of starts and ends.
        is_start: of every row.
        codes: case, activity and named instance of every row; only what is equal in all belongs together.
        resource: of every row.
    """
    rows = rows[np.lexsort([code[rows] for code in codes])]  # stable: in order of time within a group
    begins = is_start[rows]
    new = np.ones(len(rows), np.bool_)
    new[1:] = np.any([code[rows][1:] != code[rows][:-1] for code in codes], axis=0)
    group = np.cumsum(new) - 1
    place = np.arange(len(rows)) - np.flatnonzero(new)[group]
    # Groups in which starts and ends take turns are pairs as they stand; the others are looked at one by one.
    tangled = np.zeros(int(group[-1]) + 1 if len(group) else 0, np.bool_)
    tangled[group[begins != (place % 2 == 0)]] = True
    plain = ~tangled[group]
    start = rows[plain & begins]
    follows = np.append(plain[1:] & ~new[1:], False)[plain & begins]
    end = np.where(follows, np.append(rows[1:], -1)[plain & begins], -1)
    some_starts, some_ends = _untangle(rows[~plain], begins[~plain], group[~plain], resource)
    first, last = np.concatenate([start, some_starts]), np.concatenate([end, some_ends])
    order = np.argsort(np.where(first < 0, last, first), kind="stable")  # as the log has them, where times are equal
    return first[order], last[order]


def _untangle(rows: _Int, begins: NDArray[np.bool_], group: _Int, resource: _Int) -> tuple[_Int, _Int]:
    """First in, first out; a start of the same resource is preferred."""
    waiting: dict[int, list[int]] = {}
    starts: list[int] = []
    ends: list[int] = []
    who = resource.tolist()
    for row, is_start, place in zip(rows.tolist(), begins.tolist(), group.tolist(), strict=True):
        if is_start:
            waiting.setdefault(place, []).append(row)
            continue
        candidates = waiting.get(place)
        if not candidates:
            starts.append(-1)
        else:
            same = next((i for i, start in enumerate(candidates) if who[start] == who[row]), 0)
            starts.append(candidates.pop(same))
        ends.append(row)
    left = [row for candidates in waiting.values() for row in candidates]
    return np.array(starts + left, np.int64), np.array(ends + [-1] * len(left), np.int64)
