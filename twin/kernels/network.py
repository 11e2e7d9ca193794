"""Exact discrete-event execution of a queueing network of tasks, choices, delays and calendar windows.

One case has one row of `case` and at most one timer in a winner tree: the end of its service, of its delay, or of its
patience while it waits. A timer that has lost its point is removed at once. Patience that ends beyond a near horizon
is only noted with the waiting case, and enters the tree if the case still waits when the horizon moves up to it: most
who wait are served before, so patience costs next to nothing when nobody leaves. Rows of finished cases are used again:
memory follows the number of cases in the system.

Events of one instant are handled in the order: shift borders, timers (by sequence), arrivals (in the order given).
Every draw is a function of (case, node, visit): the four words of one Philox block are service, route, patience, and
one spare.

All arrays but `arrival`, `outcome` and those of the distributions are flat: rows of a fixed, known width cost no
multiplication, and an index known not to be negative no test.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined, kernel, njit
from twin.kernels.durations import HISTOGRAM_BINS, bin_of, sample
from twin.kernels.philox import block, unit32
from twin.kernels.timers import INDEX, LAST_SEQUENCE, NEVER, SLOT_BITS, SLOT_MASK, double, set_leaf

# Return codes of `advance`.
DONE, CASES_FULL, OUTCOMES_FULL, RUNAWAY, EXHAUSTED = 0, 1, 2, 3, 4
# Kinds of node.
TASK, CHOICE, DELAY, WINDOW, END = 0, 1, 2, 3, 4
# What a case is doing.
WAITING, SERVING, RESTING = 0, 1, 2
# Outcome of a case (as in `twin.contracts.OutcomeKind`).
SERVED, ABANDONED, REFUSED = 0, 1, 2
# Columns of `node` (int64).
N_KIND, N_POOL, N_OUTCOME, N_ABANDON, N_DRAWS, N_ACTIVE, N_TARGET = range(7)
N_REWORK, N_LIMIT, N_OTHERWISE, N_MILESTONE = range(7, 11)
NODE_COLUMNS = 16
# Columns of `pool` (int64).
P_CAPACITY, P_BUSY, P_QUEUE, P_TOUCHED = 0, 1, 2, 3
POOL_COLUMNS = 4
# Columns of `pool_area` (float64): time integrals in ns of the queue length, of busy and of paid staff.
A_QUEUE, A_BUSY, A_STAFFED = 0, 1, 2
AREA_COLUMNS = 4
UNLIMITED = 1 << 60
"""Capacity of a pool that nobody has to wait for."""
# Columns of `case` (int64); the first cache line is what most events need.
C_NODE, C_STATE, C_ENTERED, C_SERVICE, C_ROUTE, C_LEAF, C_NEXT, C_PREVIOUS = range(8)
C_REQUEST, C_ATTRIBUTE, C_WAIT, C_ACTIVE, C_BORN, C_FELT, C_LIMIT, C_CLIENT = range(8, 16)
CASE_COLUMNS = 16
MOST_CASES = SLOT_MASK + 1
# Entries of `state` (int64).
S_NOW, S_SEQUENCE, S_TIMERS, S_FREE, S_ARRIVAL, S_BORDER, S_OUT, S_INSIDE, S_BASE = range(9)
# Of the timers: leaves of the tree, how many were ever used, how many of these are free.
S_LEAVES, S_USED, S_STACK = range(9, 12)
# Of patience beyond the horizon: how many, the horizon, how far it moves next, and the sequence when it last moved.
S_FAR, S_HORIZON, S_STEP, S_MOVED = range(12, 16)
STATE_SIZE = 16
FIRST_STEP = 1 << 30
"""First move of the horizon, in ns."""
# Columns of `count` (int64), one row per node.
K_ARRIVALS, K_STARTS, K_COMPLETIONS, K_ABANDONED, K_LEFT, K_REWORK, K_NO_WAIT, K_WITHIN = range(8)
COUNT_COLUMNS = 8
# Columns of `total` (float64, ns), one row per node, then whole cases and cases at the milestone.
T_WAIT_SERVED, T_WAIT_ABANDONED, T_SERVICE, T_WAIT_SQUARED = 0, 1, 2, 3
T_SOJOURN, T_ACTIVE, T_WAIT = 0, 1, 2
TOTAL_COLUMNS = 4
OUTCOME_COLUMNS = 6
FOREVER = NEVER
_MAX_VISITS = 1 << 16
_LONGEST_STEP = 1 << 60
NO_TIMER = -1
# C_LEAF of patience beyond the horizon is this less its sequence.
FAR = -2
# Shifts that stand for the widths of rows.
NODE_SHIFT, POOL_SHIFT, ROW_SHIFT, COUNT_SHIFT, TOTAL_SHIFT, HISTOGRAM_SHIFT = 4, 2, 4, 3, 2, 11
assert (1 << HISTOGRAM_SHIFT) == HISTOGRAM_BINS


@inlined
def _touch(pool, pool_area, p, now):
    """Bring the time integrals of a pool up to `now`."""
    r = p << POOL_SHIFT
    dt = np.float64(now - pool[r + P_TOUCHED])
    pool[r + P_TOUCHED] = now
    busy = pool[r + P_BUSY]
    capacity = pool[r + P_CAPACITY]
    pool_area[r + A_QUEUE] += dt * pool[r + P_QUEUE]
    pool_area[r + A_BUSY] += dt * busy
    # Whoever finishes his case after the shift is paid for it.
    pool_area[r + A_STAFFED] += dt * (busy if capacity == UNLIMITED else max(busy, capacity))


@inlined
def _unlink(case, queues, pool, lane, p, c):
    """Take a waiting case out of its queue (`lane` is the entry of heads and tails, `c` where its row starts)."""
    heads, tails = queues
    before = case[c + C_PREVIOUS]
    after = case[c + C_NEXT]
    if before >= 0:
        case[((before & SLOT_MASK) << ROW_SHIFT) + C_NEXT] = after
    else:
        heads[lane] = after
    if after >= 0:
        case[((after & SLOT_MASK) << ROW_SHIFT) + C_PREVIOUS] = before
    else:
        tails[lane] = before
    pool[(p << POOL_SHIFT) + P_QUEUE] -= 1


@inlined
def new_leaf(tree, stack, state):
    """A free leaf; the tree grows if there is none."""
    state[S_TIMERS] += 1
    if state[S_STACK] > 0:
        state[S_STACK] -= 1
        leaf = stack[state[S_STACK] & INDEX]
    else:
        leaf = state[S_USED]
        state[S_USED] += 1
        if leaf == state[S_LEAVES]:
            state[S_LEAVES] = double(tree, leaf)
    return leaf


@inlined
def _arm(case, state, timers, spare, slot, at):
    """Set or move the timer of a case; returns the leaf that the event has to spare, -1 once it is taken."""
    tree, stack, _ = timers
    c = slot << ROW_SHIFT
    leaf = case[c + C_LEAF]
    if leaf < 0:
        state[S_FAR] -= leaf <= FAR
        leaf = spare
        spare = np.int64(-1)
        if leaf < 0:
            leaf = new_leaf(tree, stack, state)
        case[c + C_LEAF] = leaf
    sequence = state[S_SEQUENCE]
    state[S_SEQUENCE] = sequence + 1
    set_leaf(tree, state[S_LEAVES], leaf, at, (sequence << SLOT_BITS) | slot)
    return spare


@inlined
def drop(state, timers, leaf):
    """Remove a timer."""
    tree, stack, _ = timers
    set_leaf(tree, state[S_LEAVES], leaf, NEVER, np.int64(0))
    stack[state[S_STACK] & INDEX] = leaf
    state[S_STACK] += 1
    state[S_TIMERS] -= 1


@njit(cache=True, _nrt=False)
def _move_horizon(case, state, timers, heads, start):
    """Move the horizon to a step after `start`, set the timers of waiting cases that it passes, and return it.

    The step adapts, so that a move looks at about as many waiting cases as timers were set since the last one.
    """
    tree, stack, far = timers
    horizon = start + state[S_STEP]
    seen = heads.shape[0]
    for lane in range(heads.shape[0]):
        slot = heads[lane]
        while slot >= 0:
            c = slot << ROW_SHIFT
            leaf = case[c + C_LEAF]
            if leaf <= FAR and far[slot] < horizon:
                state[S_FAR] -= 1
                new = new_leaf(tree, stack, state)
                case[c + C_LEAF] = new
                set_leaf(tree, state[S_LEAVES], new, far[slot], ((FAR - leaf) << SLOT_BITS) | slot)
            slot = case[c + C_NEXT]
            seen += 1
    done = state[S_SEQUENCE] - state[S_MOVED]
    if done < seen:
        state[S_STEP] = min(2 * state[S_STEP], _LONGEST_STEP)
    elif done > 4 * seen:
        state[S_STEP] = max(state[S_STEP] >> 1, 1)
    state[S_MOVED] = state[S_SEQUENCE]
    state[S_HORIZON] = horizon
    return horizon


@inlined
def _record_case(case, statistics, c, row, now):
    """Count the times of a case that is done (row = number of nodes) or has reached the milestone (the row after)."""
    _, total, histogram = statistics
    sojourn = now - case[c + C_BORN]
    t = row << TOTAL_SHIFT
    total[t + T_SOJOURN] += sojourn
    total[t + T_ACTIVE] += case[c + C_ACTIVE]
    total[t + T_WAIT] += case[c + C_WAIT]
    histogram[(row << HISTOGRAM_SHIFT) + bin_of(sojourn)] += 1
    histogram[((row + 2) << HISTOGRAM_SHIFT) + bin_of(case[c + C_ACTIVE])] += 1


@kernel
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
        graph: tuple, all flat, of node int64[n, NODE_COLUMNS]; weight float64[n], felt time per time in service;
            service, patience and priority int64[n, attributes], rows of distributions (-1: none, endless) and queue;
            case_patience int64[attributes], the distribution of a whole case's patience; edge_first int64[n + 1],
            edge_target int64[e] and edge_up_to float64[e, attributes], cumulative probability.
        laws: tuple of dist_kind, dist_parameter, dist_table (see `twin.kernels.durations.sample`).
        windows: tuple of first int64[n + 1], limit and opens int64: the first row with limit > now opens at `opens`.
        borders: tuple of time (sorted), pool, capacity, int64.
        arrival: int64[4, a]: time (sorted), request, client, attribute.
        state, case, visits (int32), pool, pool_area: flat, as described above. record: whether to fill `outcome`.
        timers: tuple of tree int64[4 * cases] filled with NEVER (see `twin.kernels.timers`), stack int64[cases], far
            int64[cases], when the patience of a case ends that is not in the tree.
        queues: tuple of heads, tails int64[pools * lanes]; lanes: int64, queues per pool.
        statistics: tuple of count, total, histogram, flat. outcome: int64[o, OUTCOME_COLUMNS].

    Returns:
        DONE, CASES_FULL, OUTCOMES_FULL (grow or empty the arrays and call again), RUNAWAY (a case loops for ever) or
        EXHAUSTED (no sequence numbers are left).
    """
    node, weight, service, patience, priority, case_patience, edge_first, edge_target, edge_up_to = graph
    dist_kind, dist_parameter, dist_table = laws
    window_first, window_limit, window_open = windows
    border_time, border_pool, border_capacity = borders
    count, total, histogram = statistics
    heads, tails = queues
    tree, _, far = timers
    horizon = state[S_HORIZON]
    # Until here nothing but events is to be done.
    stop = min(until, horizon)
    n_arrivals, n_borders = arrival.shape[1], border_time.shape[0]
    attributes = case_patience.shape[0]
    n_nodes = weight.shape[0]
    if state[S_SEQUENCE] >= LAST_SEQUENCE >> 1:
        return EXHAUSTED
    a, b = state[S_ARRIVAL] & INDEX, state[S_BORDER] & INDEX
    t_arrival = arrival[0, a] if a < n_arrivals else FOREVER
    t_border = border_time[b] if b < n_borders else FOREVER
    while True:
        t_timer = tree[2]
        now = min(t_arrival, t_border, t_timer)
        if now >= stop:
            stop = until
            if state[S_FAR] > 0:
                if min(now, until) >= horizon:
                    horizon = _move_horizon(case, state, timers, heads, min(now, until))
                    stop = min(until, horizon)
                    continue
                stop = min(until, horizon)
            if now >= until:
                return DONE
        if record and state[S_OUT] == outcome.shape[0]:
            return OUTCOMES_FULL
        # What the event does first; then `p`, if it is one, is a pool whose free servers look for work.
        slot = np.int64(0)
        p = np.int64(-1)
        spare = np.int64(-1)
        leaves = False
        is_case = True
        here = np.int64(-1)
        if t_border == now:
            p = border_pool[b]
            _touch(pool, pool_area, p & INDEX, now)
            pool[((p & INDEX) << POOL_SHIFT) + P_CAPACITY] = border_capacity[b]
            b += 1
            state[S_BORDER] = b
            t_border = border_time[b] if b < n_borders else FOREVER
            is_case = False
        elif t_timer == now:
            slot = tree[3] & SLOT_MASK
            c = slot << ROW_SHIFT
            here = case[c + C_NODE] & INDEX
            # The leaf may be used again in this event, which spares one walk through the tree.
            spare = case[c + C_LEAF]
            case[c + C_LEAF] = NO_TIMER
            h = here << NODE_SHIFT
            if case[c + C_STATE] == WAITING:
                q = node[h + N_POOL] & INDEX
                _touch(pool, pool_area, q, now)
                lane = q * lanes + priority[here * attributes + case[c + C_ATTRIBUTE]]
                _unlink(case, queues, pool, lane, q, c)
                wait = now - case[c + C_ENTERED]
                case[c + C_WAIT] += wait
                if node[h + N_ACTIVE]:
                    case[c + C_ACTIVE] += wait
                count[(here << COUNT_SHIFT) + K_ABANDONED] += 1
                total[(here << TOTAL_SHIFT) + T_WAIT_ABANDONED] += wait
                leaves = True
            else:
                count[(here << COUNT_SHIFT) + K_COMPLETIONS] += 1
                if case[c + C_STATE] == SERVING:
                    p = node[h + N_POOL]
                    _touch(pool, pool_area, p & INDEX, now)
                    pool[((p & INDEX) << POOL_SHIFT) + P_BUSY] -= 1
                if case[c + C_LIMIT] >= 0 and node[h + N_ACTIVE]:
                    case[c + C_FELT] += np.int64(case[c + C_SERVICE] * weight[here])
                    if case[c + C_FELT] >= case[c + C_LIMIT]:
                        count[(here << COUNT_SHIFT) + K_LEFT] += 1
                        leaves = True
        else:
            slot = state[S_FREE]
            if slot < 0:
                return CASES_FULL
            slot &= SLOT_MASK
            c = slot << ROW_SHIFT
            state[S_FREE] = case[c + C_NEXT]
            state[S_INSIDE] += 1
            attribute = arrival[3, a] & INDEX
            request = arrival[1, a]
            case[c + C_REQUEST] = request
            case[c + C_CLIENT] = arrival[2, a]
            case[c + C_ATTRIBUTE] = attribute
            case[c + C_NODE] = case[c + C_LIMIT] = -1
            case[c + C_LEAF] = NO_TIMER
            case[c + C_BORN] = now
            case[c + C_WAIT] = case[c + C_FELT] = case[c + C_ACTIVE] = 0
            d = case_patience[attribute]
            if d >= 0:
                words = block(key, replication, patience_stream, request + state[S_BASE], 0)
                case[c + C_LIMIT] = sample(d, dist_kind, dist_parameter, dist_table, np.int64(words[0]))
            v = slot * n_nodes
            for i in range(n_nodes):
                visits[v + i] = 0
            a += 1
            state[S_ARRIVAL] = a
            t_arrival = arrival[0, a] if a < n_arrivals else FOREVER
        state[S_NOW] = now
        if p >= 0:
            # Those who wait, urgent lanes first and in order of arrival within one, come before a case that returns.
            p &= INDEX
            r = p << POOL_SHIFT
            while pool[r + P_QUEUE] > 0 and pool[r + P_BUSY] < pool[r + P_CAPACITY]:
                lane = p * lanes
                while heads[lane] < 0:
                    lane += 1
                next_slot = heads[lane] & SLOT_MASK
                y = next_slot << ROW_SHIFT
                _unlink(case, queues, pool, lane, p, y)
                pool[r + P_BUSY] += 1
                n = case[y + C_NODE] & INDEX
                wait = now - case[y + C_ENTERED]
                duration = case[y + C_SERVICE]
                k = n << COUNT_SHIFT
                count[k + K_STARTS] += 1
                count[k + K_NO_WAIT] += wait == 0
                count[k + K_WITHIN] += wait <= node[(n << NODE_SHIFT) + N_TARGET]
                histogram[(n << HISTOGRAM_SHIFT) + bin_of(wait)] += 1
                t = n << TOTAL_SHIFT
                total[t + T_WAIT_SERVED] += wait
                total[t + T_WAIT_SQUARED] += np.float64(wait) * np.float64(wait)
                total[t + T_SERVICE] += duration
                case[y + C_WAIT] += wait
                if node[(n << NODE_SHIFT) + N_ACTIVE]:
                    case[y + C_ACTIVE] += wait + duration
                    case[y + C_FELT] += wait
                case[y + C_STATE] = SERVING
                spare = _arm(case, state, timers, spare, next_slot, now + duration)
        if not is_case:
            continue
        # Walk through the graph until the case waits, is served, rests or ends; its timer is then `at`.
        at = FOREVER
        c = slot << ROW_SHIFT
        attribute = case[c + C_ATTRIBUTE] & INDEX
        # `n` is the node to enter next, or -1 - outcome when the case ends here.
        n = np.int64(0)
        word = np.int64(0)
        routing = False
        if leaves:
            n = node[(here << NODE_SHIFT) + N_ABANDON]
            case[c + C_FELT] = 0
            if n < 0:
                n = np.int64(-1 - ABANDONED)
        elif here >= 0:
            word = case[c + C_ROUTE]
            routing = True
        while True:
            if routing:
                e = edge_first[here] & INDEX
                last = edge_first[here + 1] - 1
                first = e
                if e < last:
                    u = unit32(word)
                    while e < last and u >= edge_up_to[e * attributes + attribute]:
                        e += 1
                n = edge_target[e]
                h = here << NODE_SHIFT
                if node[h + N_REWORK] and e == first:
                    limit = node[h + N_LIMIT]
                    if limit > 0 and visits[slot * n_nodes + here] >= limit:
                        n = node[h + N_OTHERWISE]
                    else:
                        count[(here << COUNT_SHIFT) + K_REWORK] += 1
                routing = False
            if n < 0 or node[((n & INDEX) << NODE_SHIFT) + N_KIND] == END:
                kind = -1 - n
                if n >= 0:
                    count[((n & INDEX) << COUNT_SHIFT) + K_ARRIVALS] += 1
                    kind = node[((n & INDEX) << NODE_SHIFT) + N_OUTCOME]
                if kind == SERVED:
                    _record_case(case, statistics, c, n_nodes, now)
                count[(n_nodes << COUNT_SHIFT) + (kind & 3)] += 1
                if record:
                    o = state[S_OUT]
                    outcome[o, 0], outcome[o, 1], outcome[o, 2] = now, case[c + C_REQUEST], case[c + C_CLIENT]
                    outcome[o, 3], outcome[o, 4], outcome[o, 5] = kind, case[c + C_WAIT], case[c + C_NODE]
                    state[S_OUT] = o + 1
                case[c + C_NEXT] = state[S_FREE]
                state[S_FREE] = slot
                state[S_INSIDE] -= 1
                break
            n &= INDEX
            visit = np.int64(visits[slot * n_nodes + n])
            if visit == _MAX_VISITS - 1:
                return RUNAWAY
            visits[slot * n_nodes + n] = visit + 1
            k = n << COUNT_SHIFT
            count[k + K_ARRIVALS] += 1
            h = n << NODE_SHIFT
            if node[h + N_MILESTONE] and visit == 0:
                count[((n_nodes + 1) << COUNT_SHIFT) + SERVED] += 1
                _record_case(case, statistics, c, n_nodes + 1, now)
            word_service = word_patience = word = np.int64(0)
            if node[h + N_DRAWS]:
                entity = case[c + C_REQUEST] + state[S_BASE]
                words = block(key, replication, service_stream, entity, np.uint64(n * _MAX_VISITS + visit))
                word_service = np.int64(words[0])
                word = np.int64(words[1])
                word_patience = np.int64(words[2])
            kind = node[h + N_KIND]
            if kind == CHOICE:
                here = n
                routing = True
                continue
            case[c + C_NODE] = n
            case[c + C_ENTERED] = now
            case[c + C_ROUTE] = word
            active = node[h + N_ACTIVE]
            if kind == WINDOW:
                low = window_first[n]
                high = window_first[n + 1]
                while low < high:
                    middle = (low + high) >> 1
                    if window_limit[middle] > now:
                        high = middle
                    else:
                        low = middle + 1
                at = max(now, window_open[low])
                case[c + C_SERVICE] = 0
                case[c + C_STATE] = RESTING
                case[c + C_WAIT] += at - now
                if active:
                    case[c + C_ACTIVE] += at - now
                total[(n << TOTAL_SHIFT) + T_WAIT_SERVED] += at - now
                break
            duration = sample(service[n * attributes + attribute], dist_kind, dist_parameter, dist_table, word_service)
            case[c + C_SERVICE] = duration
            if kind == DELAY:
                case[c + C_STATE] = RESTING
                if active:
                    case[c + C_ACTIVE] += duration
                total[(n << TOTAL_SHIFT) + T_SERVICE] += duration
                at = now + duration
                break
            p = node[h + N_POOL] & INDEX
            _touch(pool, pool_area, p, now)
            r = p << POOL_SHIFT
            if pool[r + P_BUSY] < pool[r + P_CAPACITY]:
                pool[r + P_BUSY] += 1
                count[k + K_STARTS] += 1
                count[k + K_NO_WAIT] += 1
                count[k + K_WITHIN] += 1
                histogram[n << HISTOGRAM_SHIFT] += 1
                total[(n << TOTAL_SHIFT) + T_SERVICE] += duration
                if active:
                    case[c + C_ACTIVE] += duration
                case[c + C_STATE] = SERVING
                at = now + duration
                break
            case[c + C_STATE] = WAITING
            pool[r + P_QUEUE] += 1
            lane = p * lanes + priority[n * attributes + attribute]
            before = tails[lane]
            case[c + C_NEXT] = -1
            case[c + C_PREVIOUS] = before
            if before >= 0:
                case[((before & SLOT_MASK) << ROW_SHIFT) + C_NEXT] = slot
            else:
                heads[lane] = slot
            tails[lane] = slot
            remaining = FOREVER
            d = patience[n * attributes + attribute]
            if d >= 0:
                remaining = sample(d, dist_kind, dist_parameter, dist_table, word_patience)
            if case[c + C_LIMIT] >= 0 and active:
                remaining = min(remaining, case[c + C_LIMIT] - case[c + C_FELT])
            if remaining < FOREVER:
                at = now + remaining
                if horizon <= now:
                    # Nothing lies beyond it, or it would have moved.
                    horizon = now + state[S_STEP]
                    state[S_HORIZON] = horizon
                    stop = min(until, horizon)
                if at >= horizon:
                    case[c + C_LEAF] = FAR - state[S_SEQUENCE]
                    far[slot] = at
                    state[S_SEQUENCE] += 1
                    state[S_FAR] += 1
                    at = FOREVER
            break
        if at < FOREVER:
            spare = _arm(case, state, timers, spare, slot, at)
        if spare >= 0:
            drop(state, timers, spare)
