"""Run a discovered process: from nothing, or from a state."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from twin.errors import CapacityError, ScenarioError
from twin.kernels.workforce import walk_cases
from twin.process.discovery import queueing
from twin.process.discovery.arrivals import draw_arrivals
from twin.process.discovery.attributes import as_columns, draw_rows, features_of
from twin.process.discovery.columns import Bool, Float, Int
from twin.process.discovery.effects import pace_of
from twin.process.discovery.history import Early, before, joined
from twin.process.discovery.model import DiscoveredProcess, Samples
from twin.process.discovery.resampling import resample
from twin.process.discovery.routes import Trie, trie_of
from twin.process.discovery.simulated import Simulated
from twin.process.discovery.staff import slots_reached, unseen_as_seen
from twin.process.discovery.state import WorkState
from twin.process.discovery.steering import Steered, steered_of
from twin.process.discovery.timing import open_hours
from twin.process.eventlog.log import EventLog
from twin.randomness import Stream, Streams

_GROWTH = 2
_MOST_ROWS = 1 << 28
FOLLOW_UP = 0.2
"""Assumed share of a recording that follows its last arrival."""
_MOST_LIKE = 64
"""A log of ended cases is cut from at most so many times as many arrivals."""


@dataclass(frozen=True)
class Compiled:
    """The tables of a process as the kernels want them."""

    trie: Trie
    steered: Steered
    concurrent: Int
    hours: Int


_cache: dict[int, tuple[weakref.ReferenceType[DiscoveredProcess], Compiled]] = {}


def compiled(process: DiscoveredProcess) -> Compiled:
    """The tables of a process, made once."""
    found = _cache.get(id(process))
    if found and found[0]() is process:
        return found[1]
    k = len(process.activities)
    tables = Compiled(
        trie_of(process.routes, k),
        steered_of(process, features_of(process.attributes)),
        process.concurrent.reshape(k, k),
        _open_hours(process),
    )
    key = id(process)
    _cache[key] = (weakref.ref(process, lambda _: _cache.pop(key, None)), tables)
    return tables


def _open_hours(process: DiscoveredProcess) -> Int:
    """Open half hours, those that the log does not reach as `unseen_as_seen` says; none at all if no clock matters."""
    if not process.timing.clock:
        return np.zeros(0, np.int64)
    reached = slots_reached(process.source.first, process.source.last)
    return unseen_as_seen(open_hours(process.timing.services) == 1, reached).astype(np.int64)


def simulate_columns(
    process: DiscoveredProcess,
    *,
    start: int,
    streams: Streams,
    end: int | None = None,
    cases: int | None = None,
    arrivals: Sequence[int] | Int | None = None,
    state: WorkState | None = None,
    at_start: bool = False,
    uncertain_level: bool = False,
    ahead: tuple[Int, Int, Int] | None = None,
) -> Simulated:
    """One replication as columns: the fast way for ensembles.

    Args:
        process: what was discovered.
        start: ns from which cases arrive; with a state, its instant.
        streams: seed and replication.
        end: ns until which cases arrive (they are followed to their ends).
        cases: or how many arrive.
        arrivals: or when they arrive, ns.
        state: cases under way.
        at_start: the first case arrives at `start`.
        uncertain_level: draw the level of arrivals with the error its forecasts had.
        ahead: in the structure with individuals, what the cases of the state will do, as `routes_of` has it.

    Raises:
        ScenarioError: not exactly one of end, cases and arrivals is given, the state is of another instant, or an
            arrival lies before it.
    """
    if sum(x is not None for x in (end, cases, arrivals)) != 1:
        raise ScenarioError(
            "a simulation has one end", hint="Give either the end, the number of cases or the arrivals."
        )
    if state is not None and state.now != start:
        raise ScenarioError("the state is of another instant than the start", hint="Start at state.now.")
    level = 1.0
    if uncertain_level:
        z = float(streams.normal(Stream.WORK_ARRIVAL, np.array([0]), counter=2)[0])
        level = float(np.exp(process.arrivals.level_spread * z))
    if arrivals is None:
        when = draw_arrivals(process.arrivals, start, streams, cases=cases, end=end, at_start=at_start, level=level)
    else:
        when = np.sort(np.asarray(arrivals, np.int64))
        if state is not None and len(when) and when[0] < start:
            raise ScenarioError("an arrival lies before the instant of the state", hint="Such a case belongs to it.")
    if process.structure == "resampled" and state is None:
        return resample(process, when, streams)
    if process.structure == "workforce":
        return _queue(process, when, state, start, streams, ahead)
    return _walk(process, when, state, start, streams)


def routes_of(process: DiscoveredProcess, state: WorkState, streams: Streams) -> tuple[Int, Int, Int]:
    """What the cases of a state did and will do: offsets, activities, and rows of the state (-1 = to come)."""
    tables = compiled(process)
    return queueing.routes_ahead(process, tables.trie, tables.steered, state, streams)


def _queue(
    process: DiscoveredProcess,
    when: Int,
    state: WorkState | None,
    start: int,
    streams: Streams,
    ahead: tuple[Int, Int, Int] | None = None,
) -> Simulated:
    """The structure with individuals; from nothing it begins earlier, so that queues are filled at the start."""
    tables = compiled(process)
    numbers = np.arange(len(when)) + (state.cases if state else 0)
    if state is not None:
        attributes = draw_rows(process, numbers, streams)
        ran = queueing.run(
            process, tables.trie, tables.steered, tables.concurrent, when, numbers, start, streams, state,
            rows=attributes, ahead=ahead,
        )  # fmt: skip
        case = np.repeat(np.arange(len(ran.offset) - 1), np.diff(ran.offset))
        rows = ran.ended & (ran.end > start)
        return Simulated(
            case[rows], ran.activity[rows], ran.who[rows], ran.start[rows], ran.end[rows], when, state.cases,
            _rows(process, state.cases, attributes),
        )  # fmt: skip
    begin, early = _early(process, start, streams)
    fresh = early.numbers[early.drawn]
    drawn = [early.rows.copy(), draw_rows(process, numbers, streams)]
    drawn[0][early.drawn] = draw_rows(process, fresh, streams)
    # The arrivals of the warm-up are cases of their own; those of them that begin later than the start count.
    made = queueing.draw_all(process, tables.trie, tables.steered, fresh, drawn[0][early.drawn], streams)
    known = np.append(early.offset[:-1][~early.drawn], early.offset[-1])
    first = joined(made, (known, early.activity), early.drawn)
    unknown = (made[0], np.full(len(made[1]), -1, np.int64))
    work = joined(unknown, (known, early.work), early.drawn)[1]
    later = queueing.draw_all(process, tables.trie, tables.steered, numbers, drawn[1], streams)
    work = np.concatenate([work, np.full(len(later[1]), -1, np.int64)])
    routes = (np.concatenate([first[0], first[0][-1] + later[0][1:]]), np.concatenate([first[1], later[1]]))
    attributes = np.concatenate(drawn)
    ran = queueing.run(
        process, tables.trie, tables.steered, tables.concurrent, np.concatenate([early.arrival, when]),
        np.concatenate([early.numbers, numbers]), begin, streams, routes=routes, rows=attributes, work=work,
    )  # fmt: skip
    counts = np.concatenate([early.drawn, np.ones(len(when), bool)])
    return _from(ran, start, len(when), counts, attributes if process.attributes else None)


def _early(process: DiscoveredProcess, start: int, streams: Streams) -> tuple[int, Early]:
    """When the warm-up begins, and its cases. It does not begin before the log that fills it."""
    begin = start - queueing.warm_up(process)
    if process.history is not None and begin < process.history.begin <= start:
        begin = process.history.begin
    return begin, before(process, begin, start, queueing.WARM_UP_CASES, streams)


def _rows(process: DiscoveredProcess, opened: int, drawn: Int) -> Int | None:
    """Attributes of all cases; those of cases open at the start are not known."""
    return np.concatenate([np.full(opened, -1, np.int64), drawn]) if process.attributes else None


def _from(ran: queueing.Ran, start: int, count: int, counts: Bool, attributes: Int | None) -> Simulated:
    """The first cases that count, by their first start, of those that begin at `start` or later, in that order."""
    sizes = np.diff(ran.offset)
    case = np.repeat(np.arange(len(sizes)), sizes)
    far = np.iinfo(np.int64).max
    begins = np.full(len(sizes), far)
    np.minimum.at(begins, case[ran.ended], ran.start[ran.ended])
    order = np.argsort(begins, kind="stable")
    order = order[(begins[order] >= start) & (begins[order] < far) & counts[order]][:count]
    number = np.full(len(sizes), -1, np.int64)
    number[order] = np.arange(len(order))
    rows = np.flatnonzero(ran.ended & (number[case] >= 0))
    rows = rows[np.lexsort((ran.start[rows], number[case[rows]]))]
    return Simulated(
        number[case[rows]], ran.activity[rows], ran.who[rows], ran.start[rows], ran.end[rows], begins[order],
        row=None if attributes is None else attributes[order],
    )  # fmt: skip


def _walk(process: DiscoveredProcess, when: Int, state: WorkState | None, start: int, streams: Streams) -> Simulated:
    """The structure without contention."""
    tables, timing, routes = compiled(process), process.timing, process.routes
    opened = 0 if state is None else state.cases
    arrival = np.concatenate([np.zeros(opened, np.int64), when])
    empty = np.zeros(0, np.int64)
    prefix = (
        (np.zeros(1, np.int64), empty, empty, empty, empty)
        if state is None
        else (state.offset, state.activity, state.resource, state.start, state.end)
    )
    now = start if state is not None else np.iinfo(np.int64).min // 2
    longest = routes.longest
    if state is not None and state.cases:
        longest = max(longest, int(np.diff(state.offset).max()) + 8)
    held = np.zeros(0, np.int64) if state is None else state.attributes
    attributes = np.concatenate([held, draw_rows(process, opened + np.arange(len(when)), streams)])
    steered = tables.steered
    scratch = [np.zeros(longest + 1, np.int64) for _ in range(4)]
    per_case = max(4.0, process.source.events / max(process.source.cases, 1)) * 1.4
    rows = int(per_case * len(arrival)) + 4 * longest + 64
    out = [np.empty(rows, np.int64) for _ in range(5)]
    case, written = 0, 0
    while True:
        case, written = walk_cases(
            streams.key, streams.replication, case, len(arrival), arrival, now, *prefix,
            tables.trie.child, tables.trie.chance, routes.depth, longest, steered.profile[attributes], steered.factor,
            tables.concurrent, tables.hours, _case_pace(process, attributes),
            timing.lag_group, *_sampled(timing.lags), timing.wait_group, timing.same,
            timing.services.group, timing.services.week_minute, timing.services.milliseconds,
            timing.services.resource, timing.services.keep, _pace(timing.services),
            timing.own_group, *_sampled(timing.own), _pace(timing.own),
            *scratch, *out, written,
        )  # fmt: skip
        if case >= len(arrival):
            break
        if len(out[0]) > _MOST_ROWS:
            raise CapacityError("the simulated log is too long", hint="Simulate fewer cases or a shorter time.")
        out = [np.concatenate([column, np.empty(len(column) * (_GROWTH - 1), np.int64)]) for column in out]
    case_column, activity, resource, begins, ends = (column[:written] for column in out)
    row = attributes if process.attributes else None
    return Simulated(case_column, activity, resource, begins, ends, arrival=when, open_cases=opened, row=row)


def _case_pace(process: DiscoveredProcess, attributes: Int) -> Float:
    """Factor of services for each case and activity; a single row if attributes have no effect."""
    k = len(process.activities)
    if not process.timing.effects:
        return np.ones((1, k))
    case, activity = np.divmod(np.arange(len(attributes) * k), k)
    features = features_of(process.attributes)
    pace = pace_of(process.timing.effects, process.activities, features, activity, attributes[case])
    return pace.reshape(-1, k)


def _pace(samples: Samples) -> Int:
    """Pace of each sample in thousandths; a single one if all are alike."""
    return samples.pace if len(samples.pace) else np.full(1, 1000, np.int64)


def _sampled(samples: Samples) -> tuple[Int, Int, Int, Int]:
    return samples.group, samples.week_minute, samples.milliseconds, samples.keep


def simulate(
    process: DiscoveredProcess,
    *,
    start: int,
    end: int | None = None,
    cases: int | None = None,
    arrivals: Sequence[int] | Int | None = None,
    state: WorkState | None = None,
    streams: Streams,
    at_start: bool = False,
) -> EventLog:
    """One replication as an event log; arguments as of `simulate_columns`."""
    done = simulate_columns(
        process, start=start, end=end, cases=cases, arrivals=arrivals, state=state, streams=streams, at_start=at_start
    )
    return as_log(process, done, state)


def as_log(process: DiscoveredProcess, done: Simulated, state: WorkState | None = None) -> EventLog:
    """Simulated columns as an event log; new cases are named by their number."""
    total = done.open_cases + len(done.arrival)
    width = len(str(max(len(done.arrival) - 1, 0)))
    names = [*(state.names if state else ()), *(f"{i:0{width}d}" for i in range(len(done.arrival)))]
    case = pa.array(names[:total], pa.string()).take(pa.array(done.case))
    activity = pa.array(process.activities, pa.string()).take(pa.array(done.activity))
    resources = pa.array(process.resources or [""], pa.string())
    who = resources.take(pa.array(done.resource, mask=done.resource < 0))
    kind = pa.timestamp("us", tz="UTC")
    start, end = (pa.array(column // 1000).cast(kind) for column in (done.start, done.end))
    more = None
    if process.attributes and done.row is not None:
        more = as_columns(process, done.row[done.case])
    return EventLog.from_columns(case, activity, who, start, end, more)


def simulate_like(
    process: DiscoveredProcess,
    *,
    start: int,
    cases: int,
    streams: Streams,
    window: bool | None = None,
    cut_off: bool | None = None,
    follow_up: float = FOLLOW_UP,
) -> Simulated:
    """A log that begins at an instant and holds so many cases, recorded as the log was to which the process was fitted.

    If that log held only cases which had ended when its recording stopped (`process.window`), so does this one; if it
    was cut by time (`process.cut_off`), recording stops between two arrivals, and cases are cut off there. Else how
    long recording goes on after the last arrival cannot be known from that log; assumed is a fifth of the recording.

    Args:
        process: what was discovered.
        start: ns, first start of the first case.
        cases: number of cases.
        streams: seed and replication.
        window: recorded so or not, whatever the process says.
        cut_off: likewise.
        follow_up: share of the recording that follows the last arrival.
    """
    if process.cut_off if cut_off is None else cut_off:
        return _cut_off(
            simulate_columns(process, start=start, cases=2 * cases + 16, streams=streams, at_start=True), cases
        )
    if not (process.window if window is None else window):
        return simulate_columns(process, start=start, cases=cases, streams=streams, at_start=True)
    count = cases + cases // 2 + 16
    while True:
        done = simulate_columns(process, start=start, cases=count, streams=streams, at_start=True)
        held = len(done.arrival)
        last = np.zeros(held, np.int64)
        np.maximum.at(last, done.case, done.end)
        # The earliest stop of arrivals such that enough of them end by the end of the recording.
        needed = np.maximum(done.arrival, start + (last - start) * (1.0 - follow_up))
        needed = np.where(last > 0, needed, np.inf)
        stop = float(np.partition(needed, min(cases, held) - 1)[min(cases, held) - 1]) if held else 0.0
        if held < count or stop <= float(done.arrival[-1]) or count >= _MOST_LIKE * cases:
            break
        count *= _GROWTH
    # Where many end at the stop (stamps may be days), the first arrivals are kept.
    kept = np.zeros(held, bool)
    kept[np.argsort(needed, kind="stable")[:cases]] = True
    kept &= needed <= stop
    return done.part(kept, kept[done.case])


def _cut_off(done: Simulated, cases: int) -> Simulated:
    """What has ended when so many cases have ended an activity; recording stops halfway to the next case."""
    seen = np.full(len(done.arrival), np.iinfo(np.int64).max)
    np.minimum.at(seen, done.case, done.end)
    order = np.sort(seen)
    last, following = int(order[max(0, cases - 1)]), int(order[cases])
    stop = last + (following - last) // 2
    kept = seen <= stop
    return done.part(kept, kept[done.case] & (done.end <= stop))
