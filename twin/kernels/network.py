"""Exact discrete-event execution of a queueing network of tasks, choices, delays and calendar windows.

One case has one row of `case` and at most one timer in an indexed heap: the end of its service, of its delay, or of its
patience while it waits. A timer that has lost its point is removed at once, so patience costs nothing when nobody
leaves. Rows of finished cases are used again: memory follows the number of cases in the system.

Events of one instant are handled in the order: shift borders, timers (by sequence), arrivals (in the order given).
Every draw is a function of (case, node, visit): the four words of one Philox block are service, route, patience, and
one spare.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.kernels.durations import bin_of, sample
from twin.kernels.heap import push, remove
from twin.kernels.philox import block, unit32

# Return codes of `advance`.
DONE, CASES_FULL, OUTCOMES_FULL, RUNAWAY = 0, 1, 2, 3
# Kinds of node.
TASK, CHOICE, DELAY, WINDOW, END = 0, 1, 2, 3, 4
# What a case is doing.
WAITING, SERVING, RESTING = 0, 1, 2
# Outcome of a case (as in `twin.contracts.OutcomeKind`).
SERVED, ABANDONED, REFUSED = 0, 1, 2
# Columns of `node` (int64).
N_KIND, N_POOL, N_OUTCOME, N_ABANDON, N_DRAWS, N_ACTIVE, N_TARGET = range(7)
N_REWORK, N_LIMIT, N_OTHERWISE, N_MILESTONE = range(7, 11)
NODE_COLUMNS = 11
# Columns of `pool` (int64).
P_CAPACITY, P_BUSY, P_QUEUE, P_TOUCHED = 0, 1, 2, 3
POOL_COLUMNS = 4
# Columns of `pool_area` (float64): time integrals in ns of the queue length, of busy and of paid staff.
A_QUEUE, A_BUSY, A_STAFFED = 0, 1, 2
AREA_COLUMNS = 3
UNLIMITED = 1 << 60
"""Capacity of a pool that nobody has to wait for."""
# Columns of `case` (int64).
C_REQUEST, C_CLIENT, C_ATTRIBUTE, C_ENTITY, C_NODE, C_STATE, C_BORN, C_ENTERED = range(8)
C_SERVICE, C_ROUTE, C_WAIT, C_FELT, C_LIMIT, C_ACTIVE, C_NEXT, C_PREVIOUS = range(8, 16)
CASE_COLUMNS = 16
# Entries of `state` (int64).
S_NOW, S_SEQUENCE, S_HEAP, S_FREE, S_ARRIVAL, S_BORDER, S_OUT, S_INSIDE, S_BASE = range(9)
STATE_SIZE = 9
# Columns of `count` (int64), one row per node.
K_ARRIVALS, K_STARTS, K_COMPLETIONS, K_ABANDONED, K_LEFT, K_REWORK, K_NO_WAIT, K_WITHIN = range(8)
COUNT_COLUMNS = 8
# Columns of `total` (float64, ns), one row per node, then whole cases and cases at the milestone.
T_WAIT_SERVED, T_WAIT_ABANDONED, T_SERVICE, T_WAIT_SQUARED = 0, 1, 2, 3
T_SOJOURN, T_ACTIVE, T_WAIT = 0, 1, 2
TOTAL_COLUMNS = 4
OUTCOME_COLUMNS = 6
FOREVER = np.int64(1 << 62)
_MAX_VISITS = 1 << 16


# All arrays come from the caller, so the kernel needs no reference counts; with them it runs at a third of the speed.
# Helpers are inlined: they take many arrays, and passing those costs more than the work.
_inlined = njit(cache=True, inline="always")


@_inlined
def _touch(pool, pool_area, p, now):
    """Bring the time integrals of a pool up to `now`."""
    dt = np.float64(now - pool[p, P_TOUCHED])
    pool[p, P_TOUCHED] = now
    busy = pool[p, P_BUSY]
    capacity = pool[p, P_CAPACITY]
    pool_area[p, A_QUEUE] += dt * pool[p, P_QUEUE]
    pool_area[p, A_BUSY] += dt * busy
    # Whoever finishes his case after the shift is paid for it.
    pool_area[p, A_STAFFED] += dt * (busy if capacity == UNLIMITED else max(busy, capacity))


@_inlined
def _unlink(case, queues, pool, lane, p, slot):
    """Take a waiting case out of its queue (`lane` is the row of heads and tails)."""
    heads, tails = queues
    before = case[slot, C_PREVIOUS]
    after = case[slot, C_NEXT]
    if before >= 0:
        case[before, C_NEXT] = after
    else:
        heads[lane] = after
    if after >= 0:
        case[after, C_PREVIOUS] = before
    else:
        tails[lane] = before
    pool[p, P_QUEUE] -= 1


@_inlined
def _timer(state, timers, slot, at):
    """Set the timer of a case."""
    state[S_HEAP] = push(*timers, state[S_HEAP], at, state[S_SEQUENCE], slot)
    state[S_SEQUENCE] += 1


@_inlined
def _start(node, case, pool, statistics, state, timers, slot, p, now):
    """Begin the service of a case that has a server."""
    count, total, histogram = statistics
    n = case[slot, C_NODE]
    wait = now - case[slot, C_ENTERED]
    count[n, K_STARTS] += 1
    if wait == 0:
        count[n, K_NO_WAIT] += 1
    if wait <= node[n, N_TARGET]:
        count[n, K_WITHIN] += 1
    histogram[n, bin_of(wait)] += 1
    total[n, T_WAIT_SERVED] += wait
    total[n, T_WAIT_SQUARED] += np.float64(wait) * np.float64(wait)
    total[n, T_SERVICE] += case[slot, C_SERVICE]
    case[slot, C_WAIT] += wait
    if node[n, N_ACTIVE]:
        case[slot, C_ACTIVE] += wait + case[slot, C_SERVICE]
        case[slot, C_FELT] += wait
    case[slot, C_STATE] = SERVING
    pool[p, P_BUSY] += 1
    _timer(state, timers, slot, now + case[slot, C_SERVICE])


@_inlined
def _record_case(case, statistics, slot, row, now):
    """Count the times of a case that is done (row = number of nodes) or has reached the milestone (the row after)."""
    _, total, histogram = statistics
    sojourn = now - case[slot, C_BORN]
    total[row, T_SOJOURN] += sojourn
    total[row, T_ACTIVE] += case[slot, C_ACTIVE]
    total[row, T_WAIT] += case[slot, C_WAIT]
    histogram[row, bin_of(sojourn)] += 1
    histogram[row + 2, bin_of(case[slot, C_ACTIVE])] += 1


@_inlined
def _dispatch(node, case, pool, queues, lanes, statistics, state, timers, p, now):
    """Give the free servers of a pool to those who wait, urgent lanes first, in order of arrival within a lane."""
    heads = queues[0]
    place = timers[3]
    while pool[p, P_QUEUE] > 0 and pool[p, P_BUSY] < pool[p, P_CAPACITY]:
        lane = p * lanes
        while heads[lane] < 0:
            lane += 1
        slot = heads[lane]
        _unlink(case, queues, pool, lane, p, slot)
        if place[slot] >= 0:
            state[S_HEAP] = remove(*timers, state[S_HEAP], slot)
        _start(node, case, pool, statistics, state, timers, slot, p, now)


@njit(cache=True, nogil=True, _nrt=False)
def advance(
    until,
    key,
    replication,
    service_stream,
    patience_stream,
    graph,
    laws,
    windows,
    borders,
    arrival,
    state,
    case,
    visits,
    timers,
    pool,
    pool_area,
    queues,
    lanes,
    statistics,
    outcome,
    record,
):
    """Handle every event strictly before `until`, or stop early with a code when an array is full.

    Args:
        until: ns. key: uint64 seed; replication, service_stream, patience_stream: int64.
        graph: tuple of node int64[n, NODE_COLUMNS]; weight float64[n], felt time per time in service; service,
            patience and priority int64[n, attributes], rows of distributions (-1: none, endless) and queue;
            case_patience int64[attributes], the distribution of a whole case's patience; edge_first int64[n + 1],
            edge_target int64[e] and edge_up_to float64[e, attributes], cumulative probability.
        laws: tuple of dist_kind, dist_parameter, dist_table (see `twin.kernels.durations.sample`).
        windows: tuple of first int64[n + 1], limit and opens int64: the first row with limit > now opens at `opens`.
        borders: tuple of time (sorted), pool, capacity, int64.
        arrival: int64[4, a]: time (sorted), request, client, attribute.
        state, case, visits (int32), pool, pool_area: as described above. record: bool, whether to fill `outcome`.
        timers: tuple of times, sequences, items, place (see `twin.kernels.heap`).
        queues: tuple of heads, tails int64[pools * lanes]; lanes: int64, queues per pool.
        statistics: tuple of count, total, histogram. outcome: int64[o, OUTCOME_COLUMNS].

    Returns:
        DONE, CASES_FULL, OUTCOMES_FULL (grow or empty the arrays and call again) or RUNAWAY (a case loops for ever).
    """
    node, weight, service, patience, priority, case_patience, edge_first, edge_target, edge_up_to = graph
    dist_kind, dist_parameter, dist_table = laws
    window_first, window_limit, window_open = windows
    border_time, border_pool, border_capacity = borders
    count, total, _ = statistics
    heads, tails = queues
    times, items = timers[0], timers[2]
    n_arrivals, n_borders, cases_row = arrival.shape[1], border_time.shape[0], node.shape[0]
    while True:
        a, b = state[S_ARRIVAL], state[S_BORDER]
        t_arrival = arrival[0, a] if a < n_arrivals else FOREVER
        t_border = border_time[b] if b < n_borders else FOREVER
        t_timer = times[0] if state[S_HEAP] > 0 else FOREVER
        now = min(t_arrival, t_border, t_timer)
        if now >= until:
            return DONE
        if record and state[S_OUT] == outcome.shape[0]:
            return OUTCOMES_FULL
        if t_border == now:
            p = border_pool[b]
            _touch(pool, pool_area, p, now)
            pool[p, P_CAPACITY] = border_capacity[b]
            state[S_BORDER] += 1
            state[S_NOW] = now
            _dispatch(node, case, pool, queues, lanes, statistics, state, timers, p, now)
            continue
        # `n` is the node to enter next, or -1 - outcome when the case ends here.
        if t_timer == now:
            slot = items[0]
            state[S_NOW] = now
            state[S_HEAP] = remove(*timers, state[S_HEAP], slot)
            here = case[slot, C_NODE]
            leaves = False
            if case[slot, C_STATE] == WAITING:
                p = node[here, N_POOL]
                _touch(pool, pool_area, p, now)
                _unlink(case, queues, pool, p * lanes + priority[here, case[slot, C_ATTRIBUTE]], p, slot)
                wait = now - case[slot, C_ENTERED]
                case[slot, C_WAIT] += wait
                if node[here, N_ACTIVE]:
                    case[slot, C_ACTIVE] += wait
                count[here, K_ABANDONED] += 1
                total[here, T_WAIT_ABANDONED] += wait
                leaves = True
            else:
                count[here, K_COMPLETIONS] += 1
                if case[slot, C_STATE] == SERVING:
                    p = node[here, N_POOL]
                    _touch(pool, pool_area, p, now)
                    pool[p, P_BUSY] -= 1
                    # Those who wait come before a case that returns to this pool.
                    _dispatch(node, case, pool, queues, lanes, statistics, state, timers, p, now)
                if case[slot, C_LIMIT] >= 0 and node[here, N_ACTIVE]:
                    case[slot, C_FELT] += np.int64(case[slot, C_SERVICE] * weight[here])
                    if case[slot, C_FELT] >= case[slot, C_LIMIT]:
                        count[here, K_LEFT] += 1
                        leaves = True
            if leaves:
                n = node[here, N_ABANDON]
                case[slot, C_FELT] = 0
                if n < 0:
                    n = -1 - ABANDONED
            else:
                n = -1
                word = case[slot, C_ROUTE]
        else:
            slot = state[S_FREE]
            if slot < 0:
                return CASES_FULL
            state[S_NOW] = now
            state[S_FREE] = case[slot, C_NEXT]
            state[S_ARRIVAL] += 1
            state[S_INSIDE] += 1
            attribute = arrival[3, a]
            case[slot, C_REQUEST] = arrival[1, a]
            case[slot, C_CLIENT] = arrival[2, a]
            case[slot, C_ATTRIBUTE] = attribute
            case[slot, C_ENTITY] = arrival[1, a] + state[S_BASE]
            case[slot, C_NODE] = -1
            case[slot, C_BORN] = now
            case[slot, C_WAIT] = case[slot, C_FELT] = case[slot, C_ACTIVE] = 0
            case[slot, C_LIMIT] = -1
            d = case_patience[attribute]
            if d >= 0:
                words = block(key, replication, patience_stream, case[slot, C_ENTITY], 0)
                case[slot, C_LIMIT] = sample(d, dist_kind, dist_parameter, dist_table, np.int64(words[0]))
            for i in range(visits.shape[1]):
                visits[slot, i] = 0
            here = -1
            leaves = False
            n = 0
        attribute = case[slot, C_ATTRIBUTE]
        # Walk through the graph until the case waits, is served, rests or ends.
        routing = here >= 0 and not leaves
        while True:
            if routing:
                e = edge_first[here]
                last = edge_first[here + 1] - 1
                if e < last:
                    u = unit32(word)
                    while e < last and u >= edge_up_to[e, attribute]:
                        e += 1
                n = edge_target[e]
                if node[here, N_REWORK] and e == edge_first[here]:
                    limit = node[here, N_LIMIT]
                    if limit > 0 and visits[slot, here] >= limit:
                        n = node[here, N_OTHERWISE]
                    else:
                        count[here, K_REWORK] += 1
                routing = False
            if n < 0 or node[n, N_KIND] == END:
                kind = -1 - n
                if n >= 0:
                    count[n, K_ARRIVALS] += 1
                    kind = node[n, N_OUTCOME]
                if kind == SERVED:
                    _record_case(case, statistics, slot, cases_row, now)
                count[cases_row, kind] += 1
                if record:
                    o = state[S_OUT]
                    outcome[o, 0], outcome[o, 1], outcome[o, 2] = now, case[slot, C_REQUEST], case[slot, C_CLIENT]
                    outcome[o, 3], outcome[o, 4], outcome[o, 5] = kind, case[slot, C_WAIT], case[slot, C_NODE]
                    state[S_OUT] = o + 1
                case[slot, C_NEXT] = state[S_FREE]
                state[S_FREE] = slot
                state[S_INSIDE] -= 1
                break
            visit = visits[slot, n]
            if visit == _MAX_VISITS - 1:
                return RUNAWAY
            visits[slot, n] = visit + 1
            count[n, K_ARRIVALS] += 1
            if node[n, N_MILESTONE] and visit == 0:
                count[cases_row + 1, SERVED] += 1
                _record_case(case, statistics, slot, cases_row + 1, now)
            word_service = word_patience = np.int64(0)
            if node[n, N_DRAWS]:
                words = block(
                    key, replication, service_stream, case[slot, C_ENTITY], np.uint64(n * _MAX_VISITS + visit)
                )
                word_service = np.int64(words[0])
                word = np.int64(words[1])
                word_patience = np.int64(words[2])
            kind = node[n, N_KIND]
            if kind == CHOICE:
                here = n
                routing = True
                continue
            case[slot, C_NODE] = n
            case[slot, C_ENTERED] = now
            case[slot, C_ROUTE] = word if node[n, N_DRAWS] else 0
            if kind == WINDOW:
                low = window_first[n]
                high = window_first[n + 1]
                while low < high:
                    middle = (low + high) >> 1
                    if window_limit[middle] > now:
                        high = middle
                    else:
                        low = middle + 1
                opens = max(now, window_open[low])
                case[slot, C_SERVICE] = 0
                case[slot, C_STATE] = RESTING
                case[slot, C_WAIT] += opens - now
                if node[n, N_ACTIVE]:
                    case[slot, C_ACTIVE] += opens - now
                total[n, T_WAIT_SERVED] += opens - now
                _timer(state, timers, slot, opens)
                break
            d = service[n, attribute]
            duration = sample(d, dist_kind, dist_parameter, dist_table, word_service)
            case[slot, C_SERVICE] = duration
            if kind == DELAY:
                case[slot, C_STATE] = RESTING
                if node[n, N_ACTIVE]:
                    case[slot, C_ACTIVE] += duration
                total[n, T_SERVICE] += duration
                _timer(state, timers, slot, now + duration)
                break
            p = node[n, N_POOL]
            _touch(pool, pool_area, p, now)
            if pool[p, P_BUSY] < pool[p, P_CAPACITY]:
                _start(node, case, pool, statistics, state, timers, slot, p, now)
                break
            case[slot, C_STATE] = WAITING
            lane = p * lanes + priority[n, attribute]
            case[slot, C_NEXT] = -1
            case[slot, C_PREVIOUS] = tails[lane]
            if tails[lane] >= 0:
                case[tails[lane], C_NEXT] = slot
            else:
                heads[lane] = slot
            tails[lane] = slot
            pool[p, P_QUEUE] += 1
            remaining = FOREVER
            d = patience[n, attribute]
            if d >= 0:
                remaining = sample(d, dist_kind, dist_parameter, dist_table, word_patience)
            if case[slot, C_LIMIT] >= 0 and node[n, N_ACTIVE]:
                remaining = min(remaining, case[slot, C_LIMIT] - case[slot, C_FELT])
            if remaining < FOREVER:
                _timer(state, timers, slot, now + remaining)
            break
