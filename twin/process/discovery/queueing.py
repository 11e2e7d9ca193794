"""Run a discovered process with individuals whose time is limited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin.errors import CapacityError
from twin.kernels.workforce_queue import (
    DELAYED,
    DONE,
    RUNNING,
    WAITING,
    quantile,
    run_workforce,
    work_end,
)
from twin.kernels.workforce_routes import continue_routes, draw_routes, residual_work
from twin.process.discovery.attributes import features_of
from twin.process.discovery.batching import batch_tables
from twin.process.discovery.columns import DAY, HOUR, MONDAY_SHIFT, WEEK, Bool, Int
from twin.process.discovery.effects import hour_table, pace_of
from twin.process.discovery.staff import Tables, covered, tables_of
from twin.randomness import Stream, Streams

if TYPE_CHECKING:
    from twin.process.discovery.model import DiscoveredProcess
    from twin.process.discovery.routes import Trie
    from twin.process.discovery.state import WorkState
    from twin.process.discovery.steering import Steered

_MS = 1_000_000
_PATIENT = 5 * 365 * DAY
WARM_UP_CASES = 1 << 40
"""Number of the first case that is drawn for the warm-up."""
_MOST_ROWS = 1 << 27


@dataclass(frozen=True)
class Ran:
    """Instances of all cases, those of the state first, then the arrivals in order.

    Attributes:
        offset: first instance of each case.
        activity: of each instance.
        who: -1 = nobody in particular.
        ready: ns, when it could begin (its extraneous delay over).
        start: ns.
        end: ns.
        ended: whether it ended before the simulation did.
    """

    offset: Int
    activity: Int
    who: Int
    ready: Int
    start: Int
    end: Int
    ended: Bool


def draw_all(
    process: DiscoveredProcess, trie: Trie, steered: Steered, numbers: Int, rows: Int, streams: Streams
) -> tuple[Int, Int]:
    """Routes of new cases: offsets and activities.

    Args:
        process: for the depth of its routes.
        trie: its routes.
        steered: what attributes do to them.
        numbers: of the cases, consecutive.
        rows: of their attributes, -1 = none.
        streams: of the replication.
    """
    depth, longest = process.routes.depth, process.routes.longest
    mean = process.source.events / max(process.source.cases, 1)
    profile = steered.profile[rows]
    cases = len(numbers)
    offset = np.zeros(cases + 1, np.int64)
    activity = np.empty(int(cases * mean * 1.3) + 2 * longest + 16, np.int64)
    history = np.zeros(longest + 1, np.int64)
    first = int(numbers[0]) if cases else 0
    while True:
        fitted = draw_routes(
            streams.key, streams.replication, int(Stream.WORK_ROUTE), first, cases, trie.child, trie.chance, depth,
            longest, profile, steered.factor, history, offset, activity,
        )  # fmt: skip
        if fitted >= cases:
            return offset, activity[: offset[-1]]
        if len(activity) > _MOST_ROWS:
            raise CapacityError("the simulated log is too long", hint="Simulate fewer cases or a shorter time.")
        activity = np.empty(2 * len(activity), np.int64)


def run(
    process: DiscoveredProcess,
    trie: Trie,
    steered: Steered,
    concurrent: Int,
    arrival: Int,
    numbers: Int,
    begin: int,
    streams: Streams,
    state: WorkState | None = None,
    routes: tuple[Int, Int] | None = None,
    rows: Int | None = None,
    ahead: tuple[Int, Int, Int] | None = None,
    work: Int | None = None,
) -> Ran:
    """Run cases that arrive at given instants (sorted) through the workforce.

    Args:
        process: with a `workforce`.
        trie: its routes.
        steered: what attributes do to them.
        concurrent: activities x activities.
        arrival: ns.
        numbers: consecutive numbers of the cases, for their draws.
        begin: ns.
        streams: of the replication.
        state: cases under way at `begin`; they come first.
        routes: offsets and activities of the arriving cases; None = drawn.
        rows: of the attributes of the arriving cases, -1 = none; None = none has any.
        ahead: what the cases under way did and will do, as `routes_ahead` has it; None = drawn.
        work: without a state, ms of work of each instance of the routes, -1 = drawn; None = all are.
    """
    staff = process.workforce
    assert staff is not None
    k, people = len(process.activities), len(process.resources)
    tables = tables_of(staff, k, people)
    rows = np.full(len(numbers), -1, np.int64) if rows is None else rows
    offset, activity = routes or draw_all(process, trie, steered, numbers, rows, streams)
    taken = np.full(len(activity), -1, np.int64)
    if state is not None and state.cases:
        p_offset, p_activity, p_taken = ahead or routes_ahead(process, trie, steered, state, streams)
        offset = np.concatenate([p_offset, p_offset[-1] + offset[1:]])
        activity = np.concatenate([p_activity, activity])
        taken = np.concatenate([p_taken, taken])
        numbers = np.concatenate([np.arange(state.cases), numbers])
        rows = np.concatenate([state.attributes, rows])
    total = len(activity)
    case_of = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
    hourly = hour_table(staff.effects, process.activities)
    pace = pace_of(staff.effects, process.activities, features_of(process.attributes), activity, rows[case_of])
    if work is not None:
        # Half a millisecond keeps nothing apart from drawn.
        pace = np.where(work >= 0, -(work + 0.5), pace)
    status, ready, start, end = (np.zeros(total, np.int64) for _ in range(4))
    who = np.full(total, -1, np.int64)
    if state is not None and state.cases:
        _restore(process, tables, concurrent, state, streams, offset, activity, taken, (status, ready, start, end, who))
    columns = [np.empty(total + people + k + 1, np.int64) for _ in range(3)]
    place = np.full(total + people + k + 1, -1, np.int64)
    batches = batch_tables(staff.batching, process.activities)
    queues = [*np.full((3, k), -1, np.int64), np.full(total + 1, -1, np.int64)]
    urgency = ready.copy()
    opened = 0 if state is None else state.cases
    if staff.oldest_case and opened:
        held = int(offset[opened])
        urgency[:held] = start[offset[case_of[:held]]]
    last = int(arrival[-1]) if len(arrival) else begin
    run_workforce(
        streams.key, streams.replication, begin, last + _PATIENT, arrival, numbers, offset, opened, case_of,
        activity, status, ready, start, end, who, tables.calendar, tables.opens, tables.skilled, tables.unlimited,
        *(np.zeros(max(people, 1), np.int64) for _ in range(2)), staff.pauses, staff.service_group,
        tables.service, pace, hourly, process.timing.wait_group, tables.delay, process.timing.same, concurrent,
        int(not concurrent.any()), staff.priority, int(staff.oldest_case), staff.loose, int(staff.first_waits), urgency,
        batches.rule, batches.size, batches.wait, batches.offset, batches.minute, batches.together,
        np.full((3, k), -1, np.int64), np.full(total + 1, -1, np.int64), np.zeros(total + 1, np.int64),
        *queues, *columns, place,
    )  # fmt: skip
    return Ran(offset, activity, who, ready, start, end, status == DONE)


def routes_ahead(
    process: DiscoveredProcess, trie: Trie, steered: Steered, state: WorkState, streams: Streams
) -> tuple[Int, Int, Int]:
    """Offsets, activities and rows of the state (-1 = to come) of the cases under way."""
    longest = max(process.routes.longest, int(np.diff(state.offset).max()) + 8)
    offset = np.zeros(state.cases + 1, np.int64)
    room = len(state.activity) * 2 + state.cases * 8 + 2 * longest
    history = np.zeros(longest + 1, np.int64)
    activity, taken = np.empty(room, np.int64), np.full(room, -1, np.int64)
    waits, done = process.timing.waits, 0
    total = np.concatenate([[0], np.cumsum(waits.keep)]).astype(np.int64)
    profile = steered.profile[state.attributes]
    while True:
        done = continue_routes(
            streams.key, streams.replication, int(Stream.WORK_ROUTE), state.now, done, state.offset, state.activity,
            state.end, trie.child, trie.chance, process.routes.depth, longest, profile, steered.factor,
            process.timing.wait_group, waits.group, waits.milliseconds, total, history, offset, activity, taken,
        )  # fmt: skip
        if done >= state.cases:
            return offset, activity[: offset[-1]], taken[: offset[-1]]
        activity, taken = np.resize(activity, 2 * len(activity)), np.resize(taken, 2 * len(taken))


def _restore(
    process: DiscoveredProcess,
    tables: Tables,
    concurrent: Int,
    state: WorkState,
    streams: Streams,
    offset: Int,
    activity: Int,
    taken: Int,
    columns: tuple[Int, Int, Int, Int, Int],
) -> None:
    """Set what is over, under way and waiting at the state's instant."""
    staff = process.workforce
    assert staff is not None
    status, ready, start, end, who = columns
    people = max(1, len(process.resources))
    k = len(process.activities)
    past = np.flatnonzero(taken >= 0)
    rows = taken[past]
    start[past], who[past] = state.start[rows], state.resource[rows]
    end[past] = state.end[rows]
    status[past] = np.where(state.end[rows] < 0, RUNNING, DONE)
    calendar = tables.calendar.astype(bool)
    hours = hour_table(staff.effects, process.activities)
    for t in past[status[past] == RUNNING].tolist():
        person = int(who[t])
        begun = int(start[t])
        age = state.now - begun
        if staff.pauses and person >= 0:
            one = np.array([begun]), np.array([state.now]), np.array([person])
            age = int(covered(*one, calendar)[0])
        u = float(streams.uniform(Stream.WORK_TIME, np.array([int(t)]), counter=1 << 30)[0])
        row = int(staff.service_group[int(activity[t]) * people + max(person, 0)])
        hour = (begun + MONDAY_SHIFT) // HOUR % hours.shape[1]
        scale = float(hours[int(activity[t]), hour])
        left = int(residual_work(tables.service, row, int(age / scale) // _MS, u) * scale) * _MS - age
        end[t] = _work_end(calendar, person, state.now, max(left, 1), staff.pauses)
    for c in range(state.cases):
        for t in range(int(offset[c]), int(offset[c + 1])):
            if taken[t] >= 0:
                continue
            before = [j for j in range(int(offset[c]), t) if not concurrent[activity[t], activity[j]]]
            if any(status[j] != DONE for j in before):
                continue
            latest = max(before, key=lambda j: int(end[j]), default=-1)
            since = int(end[latest]) if latest >= 0 else state.now
            group = int(process.timing.wait_group[(int(activity[latest]) if latest >= 0 else k) * k + int(activity[t])])
            wait = 0
            if group >= 0:
                u = float(streams.uniform(Stream.WORK_TIME, np.array([int(t)]), counter=(1 << 30) + 1)[0])
                wait = int(quantile(tables.delay, group, u)) * _MS
            status[t] = DELAYED if since + wait > state.now else WAITING
            ready[t] = since + wait


def _work_end(calendar: Bool, person: int, at: int, left: int, pauses: bool) -> int:
    if person < 0 or not pauses or not calendar[person].any():
        return at + left
    return int(work_end(calendar.astype(np.int64), person, at, left, True))


def warm_up(process: DiscoveredProcess) -> int:
    """How long (ns) before its start a simulation from nothing begins."""
    assert process.workforce is not None
    return int(process.workforce.warm_up_weeks * WEEK)
