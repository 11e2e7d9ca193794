"""A single stage, first come first served: what `twin.kernels.network` does, sooner, as long as nobody loses patience.

Who waits is served in the order of arrival. So those who wait are the arrivals between two numbers, and need no row and
no place in a queue until `advance` hands over to the other kernel, as it does before somebody leaves; draws are made in
bulk. The arrays are those of `twin.kernels.network`, as they are before and after every call, and every sum is made in
the same order: to the bit it does not matter which of the two kernels ran, or when they took turns.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined, kernel, njit
from twin.kernels.bulk import rounds, tag_of
from twin.kernels.durations import EXPONENTIAL, LONGEST, bin_of, minus_log, sample
from twin.kernels.network import (
    A_BUSY,
    A_QUEUE,
    A_STAFFED,
    C_ACTIVE,
    C_ATTRIBUTE,
    C_BORN,
    C_CLIENT,
    C_ENTERED,
    C_FELT,
    C_LEAF,
    C_LIMIT,
    C_NEXT,
    C_NODE,
    C_PREVIOUS,
    C_REQUEST,
    C_ROUTE,
    C_SERVICE,
    C_STATE,
    C_WAIT,
    CASES_FULL,
    COUNT_SHIFT,
    DONE,
    EXHAUSTED,
    FAR,
    FOREVER,
    HISTOGRAM_SHIFT,
    K_ARRIVALS,
    K_COMPLETIONS,
    K_NO_WAIT,
    K_STARTS,
    K_WITHIN,
    N_ACTIVE,
    N_OUTCOME,
    N_POOL,
    N_TARGET,
    NO_TIMER,
    NODE_SHIFT,
    OUTCOMES_FULL,
    P_BUSY,
    P_CAPACITY,
    P_QUEUE,
    P_TOUCHED,
    POOL_SHIFT,
    ROW_SHIFT,
    S_ARRIVAL,
    S_BASE,
    S_FAR,
    S_FREE,
    S_HORIZON,
    S_INSIDE,
    S_LEAVES,
    S_NOW,
    S_OUT,
    S_SEQUENCE,
    SERVED,
    SERVING,
    T_ACTIVE,
    T_SERVICE,
    T_SOJOURN,
    T_WAIT,
    T_WAIT_SERVED,
    T_WAIT_SQUARED,
    TOTAL_SHIFT,
    UNLIMITED,
    WAITING,
    drop,
    new_leaf,
)
from twin.kernels.philox import unit32
from twin.kernels.timers import INDEX, LAST_SEQUENCE, SLOT_BITS, SLOT_MASK, set_leaf

HANDOVER = 5
"""Code: the other kernel must go on, as somebody's patience may end next."""
BLOCK = 1024
"""Draws made at a time."""
AHEAD_ROWS = 4
"""Of what is drawn for arrivals: service, word of the route, instant at which patience ends, sequence of its timer."""
_FEW = 64
_S32 = np.uint64(32)


@inlined
def _count_before(arrival, first, until):
    """Number of the first arrival, from `first` on, that does not lie before `until`."""
    low, high = first, arrival.shape[1]
    while low < high:
        middle = (low + high) >> 1
        if arrival[0, middle] < until:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, _nrt=False)  # inlined, its constants would drive those of the loop out of the registers
def _draw(ahead, i, last, key, tag, base, arrival, service, patience, attributes, laws, impatient):
    """Draw for first visits of the arrivals from `i` on to node 0, a block or up to `last`; returns the next one."""
    stop = min(i + BLOCK, last)
    k0, k1 = np.uint32(key), np.uint32(np.uint64(key) >> _S32)
    for j in range(i, stop):
        entity = np.uint64(arrival[1, j] + base)
        a, b, c, _ = rounds(np.uint32(0), np.uint32(entity), np.uint32(entity >> _S32), tag, k0, k1)
        ahead[0, j] = a
        ahead[1, j] = b
        if impatient:
            ahead[2, j] = c
    _durations(ahead[0], i, stop, arrival, service, attributes, laws)
    if impatient:
        _durations(ahead[2], i, stop, arrival, patience, attributes, laws)
        for j in range(i, stop):
            ahead[2, j] = arrival[0, j] + ahead[2, j] if patience[arrival[3, j] & INDEX] >= 0 else FOREVER
    return stop


@inlined
def _durations(words, i, stop, arrival, rows, attributes, laws):
    """Turn words into durations (ns), by the distribution of each arrival's class (-1: left as it is)."""
    dist_kind, dist_parameter, dist_table = laws
    plain = rows[0] >= 0
    for k in range(attributes):
        plain &= rows[k] == rows[0] and dist_kind[rows[k] & INDEX] == EXPONENTIAL
    if plain:
        mean = dist_parameter[rows[0] & INDEX, 0]
        for j in range(i, stop):
            words[j] = np.int64(min(mean * minus_log(unit32(words[j])), LONGEST) + 0.5)
    else:
        for j in range(i, stop):
            d = rows[arrival[3, j] & INDEX]
            if d >= 0:
                words[j] = sample(d, dist_kind, dist_parameter, dist_table, words[j])


@inlined
def _soonest(ahead, waiting, a, case, far, head):
    """The first instant at which the patience of somebody who waits ends, but for those whose timer is in the tree.

    Called only where some have patience: else nothing is drawn for it.
    """
    first = FOREVER
    for i in range(waiting, a):
        first = min(first, ahead[2, i])
    while head >= 0:
        c = (head & SLOT_MASK) << ROW_SHIFT
        if case[c + C_LEAF] <= FAR:
            first = min(first, far[head & SLOT_MASK])
        head = case[c + C_NEXT]
    return first


@inlined
def _new_row(case, visits, n_nodes, slot):
    """Fill in what all cases in service have in common; the next one in the same row finds it there."""
    c = slot << ROW_SHIFT
    case[c + C_NODE] = 0
    case[c + C_STATE] = SERVING
    case[c + C_LIMIT] = -1
    case[c + C_LEAF] = NO_TIMER
    visits[(slot * n_nodes) & INDEX] = 1
    for k in range(1, n_nodes):
        visits[(slot * n_nodes + k) & INDEX] = 0


@inlined
def _fill(case, slot, arrival, i, duration, word):
    """The rest, but for the times spent."""
    c = slot << ROW_SHIFT
    case[c + C_ENTERED] = case[c + C_BORN] = arrival[0, i]
    case[c + C_SERVICE] = duration
    case[c + C_ROUTE] = word
    case[c + C_REQUEST] = arrival[1, i]
    case[c + C_CLIENT] = arrival[2, i]
    case[c + C_ATTRIBUTE] = arrival[3, i]


@kernel
def advance(
    until,
    key,
    replication,
    service_stream,
    graph,
    laws,
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
    ahead,
):
    """Handle every event strictly before `until`, or stop early with a code when an array is full.

    Node 0 must be a task that leads to ends, also those who leave it, without rework or milestone, and with one
    priority for all; no staff may change before `until`.

    Args:
        ahead: int64[AHEAD_ROWS, a], room for draws. The others are those of `twin.kernels.network.advance`.

    Returns:
        DONE, CASES_FULL, OUTCOMES_FULL or EXHAUSTED, as that one does, or HANDOVER.
    """
    node, _, service, patience, priority, case_patience, edge_first, edge_target, edge_up_to = graph
    count, total, histogram = statistics
    heads, tails = queues
    tree, stack, far = timers
    if state[S_SEQUENCE] >= LAST_SEQUENCE >> 1:
        return EXHAUSTED
    attributes = case_patience.shape[0]
    n_nodes = edge_first.shape[0] - 1
    rows = case.shape[0] >> ROW_SHIFT
    impatient = False
    for k in range(attributes):
        impatient |= patience[k] >= 0
    tag = tag_of(service_stream, replication)
    base = state[S_BASE]
    first_edge, last_edge = edge_first[0], edge_first[1] - 1
    active = node[N_ACTIVE] != 0
    target = node[N_TARGET]
    r = (node[N_POOL] & INDEX) << POOL_SHIFT
    lane = (node[N_POOL] & INDEX) * lanes + priority[0]
    # What every event changes is kept in registers, and written back at the end.
    capacity, busy, queue, touched = pool[r + P_CAPACITY], pool[r + P_BUSY], pool[r + P_QUEUE], pool[r + P_TOUCHED]
    limited = capacity != UNLIMITED
    area_queue, area_busy, area_staffed = pool_area[r + A_QUEUE], pool_area[r + A_BUSY], pool_area[r + A_STAFFED]
    t = n_nodes << TOTAL_SHIFT
    waited, squared, served = total[T_WAIT_SERVED], total[T_WAIT_SQUARED], total[T_SERVICE]
    sojourns, actives, waits = total[t + T_SOJOURN], total[t + T_ACTIVE], total[t + T_WAIT]
    arrived = starts = completions = no_wait = within = np.int64(0)
    now, sequence, free, inside, out = state[S_NOW], state[S_SEQUENCE], state[S_FREE], state[S_INSIDE], state[S_OUT]
    # Who waits: first the rows of a queue that an earlier call left, from `head`, then the arrivals from `waiting` on.
    head = heads[lane]
    a = state[S_ARRIVAL] & INDEX
    waiting = drawn = a
    last = _count_before(arrival, a, until)
    if state[S_FAR] > 4 * (last - a) + _FEW:
        return HANDOVER
    leaving = _soonest(ahead, waiting, a, case, far, head) if state[S_FAR] > 0 else FOREVER
    t_arrival = arrival[0, a] if a < last else FOREVER
    code = np.int64(DONE)
    while True:
        t_timer = tree[2]
        coming = min(t_timer, t_arrival, until)
        if coming >= leaving:
            leaving = _soonest(ahead, waiting, a, case, far, head)
            if coming >= leaving and leaving < until:
                code = np.int64(HANDOVER)
                break
        if coming >= until:
            break
        if t_timer <= t_arrival:
            if record and out == outcome.shape[0]:
                code = np.int64(OUTCOMES_FULL)
                break
            slot = tree[3] & SLOT_MASK
            c = slot << ROW_SHIFT
            if case[c + C_STATE] == WAITING:
                code = np.int64(HANDOVER)
                break
            now = t_timer
            leaf = case[c + C_LEAF]
            word, attribute = case[c + C_ROUTE], case[c + C_ATTRIBUTE]
            request, client = case[c + C_REQUEST], case[c + C_CLIENT]
            spent, worked, sojourn = case[c + C_WAIT], case[c + C_ACTIVE], now - case[c + C_BORN]
            completions += 1
        else:
            if inside == rows:
                code = np.int64(CASES_FULL)
                break
            now = t_arrival
            slot = leaf = np.int64(-1)
            word = attribute = request = client = spent = worked = sojourn = np.int64(0)
            if a >= drawn:
                drawn = _draw(ahead, a, last, key, tag, base, arrival, service, patience, attributes, laws, impatient)
            arrived += 1
            inside += 1
            a += 1
            t_arrival = arrival[0, a & INDEX] if a < last else FOREVER
        dt = np.float64(now - touched)
        touched = now
        area_queue += dt * queue
        area_busy += dt * busy
        area_staffed += dt * (max(busy, capacity) if limited else busy)
        if leaf >= 0:
            busy -= 1
            inside -= 1
        else:
            queue += 1
        if queue > 0 and busy < capacity:
            queue -= 1
            busy += 1
            if head >= 0:
                if leaf >= 0:
                    case[(slot << ROW_SHIFT) + C_NEXT] = free
                    free = slot
                slot = head & SLOT_MASK
                c = slot << ROW_SHIFT
                head = case[c + C_NEXT]
                duration = case[c + C_SERVICE]
                wait = now - case[c + C_ENTERED]
                case[c + C_STATE] = SERVING
                case[c + C_WAIT] += wait
                if active:
                    case[c + C_ACTIVE] += wait + duration
                    case[c + C_FELT] += wait
                new = case[c + C_LEAF]
                if new >= 0:
                    # The timer of its patience becomes that of its service.
                    if leaf >= 0:
                        drop(state, timers, leaf)
                else:
                    state[S_FAR] -= new <= FAR
                    new = new_leaf(tree, stack, state) if leaf < 0 else leaf
            else:
                if leaf < 0:
                    slot = free & SLOT_MASK
                    free = case[(slot << ROW_SHIFT) + C_NEXT]
                    _new_row(case, visits, n_nodes, slot)
                i = waiting & INDEX
                duration = ahead[0, i]
                wait = now - arrival[0, i]
                _fill(case, slot, arrival, i, duration, ahead[1, i])
                c = slot << ROW_SHIFT
                case[c + C_WAIT] = wait
                case[c + C_ACTIVE] = wait + duration if active else np.int64(0)
                case[c + C_FELT] = wait if active else np.int64(0)
                waiting += 1
                new = new_leaf(tree, stack, state) if leaf < 0 else leaf
            case[(slot << ROW_SHIFT) + C_LEAF] = new
            set_leaf(tree, state[S_LEAVES], new, now + duration, (sequence << SLOT_BITS) | slot)
            sequence += 1
            starts += 1
            no_wait += wait == 0
            within += wait <= target
            histogram[bin_of(wait)] += 1
            waited += wait
            squared += np.float64(wait) * np.float64(wait)
            served += duration
        elif leaf >= 0:
            drop(state, timers, leaf)
            case[(slot << ROW_SHIFT) + C_NEXT] = free
            free = slot
        else:
            # One more waits: the last that arrived.
            i = (a - 1) & INDEX
            if impatient and ahead[2, i] < FOREVER:
                ahead[3, i] = sequence
                sequence += 1
                leaving = min(leaving, ahead[2, i])
        if leaf >= 0:
            e = first_edge
            if e < last_edge:
                u = unit32(word)
                while e < last_edge and u >= edge_up_to[e * attributes + (attribute & INDEX)]:
                    e += 1
            n = edge_target[e & INDEX] & INDEX
            count[(n << COUNT_SHIFT) + K_ARRIVALS] += 1
            kind = node[(n << NODE_SHIFT) + N_OUTCOME]
            count[((n_nodes & INDEX) << COUNT_SHIFT) + (kind & 3)] += 1
            if kind == SERVED:
                sojourns += sojourn
                actives += worked
                waits += spent
                histogram[((n_nodes & INDEX) << HISTOGRAM_SHIFT) + bin_of(sojourn)] += 1
                histogram[(((n_nodes + 2) & INDEX) << HISTOGRAM_SHIFT) + bin_of(worked)] += 1
            if record:
                outcome[out & INDEX, 0], outcome[out & INDEX, 1], outcome[out & INDEX, 2] = now, request, client
                outcome[out & INDEX, 3], outcome[out & INDEX, 4], outcome[out & INDEX, 5] = kind, spent, 0
                out += 1
    # Those who wait get rows, and places behind the queue that is left.
    if head >= 0:
        case[(head << ROW_SHIFT) + C_PREVIOUS] = -1
    before = tails[lane] if head >= 0 else np.int64(-1)
    heads[lane] = head
    for i in range(waiting, a):
        slot = free & SLOT_MASK
        c = slot << ROW_SHIFT
        free = case[c + C_NEXT]
        _new_row(case, visits, n_nodes, slot)
        _fill(case, slot, arrival, i, ahead[0, i], ahead[1, i])
        case[c + C_STATE] = WAITING
        case[c + C_WAIT] = case[c + C_ACTIVE] = case[c + C_FELT] = 0
        if impatient and ahead[2, i] < FOREVER:
            if ahead[2, i] >= state[S_HORIZON]:
                case[c + C_LEAF] = FAR - ahead[3, i]
                far[slot] = ahead[2, i]
                state[S_FAR] += 1
            else:
                new = new_leaf(tree, stack, state)
                case[c + C_LEAF] = new
                set_leaf(tree, state[S_LEAVES], new, ahead[2, i], (ahead[3, i] << SLOT_BITS) | slot)
        case[c + C_PREVIOUS] = before
        case[c + C_NEXT] = -1
        if before >= 0:
            case[((before & SLOT_MASK) << ROW_SHIFT) + C_NEXT] = slot
        else:
            heads[lane] = slot
        before = slot
    tails[lane] = before
    pool[r + P_BUSY], pool[r + P_QUEUE], pool[r + P_TOUCHED] = busy, queue, touched
    pool_area[r + A_QUEUE], pool_area[r + A_BUSY], pool_area[r + A_STAFFED] = area_queue, area_busy, area_staffed
    total[T_WAIT_SERVED], total[T_WAIT_SQUARED], total[T_SERVICE] = waited, squared, served
    total[t + T_SOJOURN], total[t + T_ACTIVE], total[t + T_WAIT] = sojourns, actives, waits
    count[K_ARRIVALS] += arrived
    count[K_STARTS] += starts
    count[K_COMPLETIONS] += completions
    count[K_NO_WAIT] += no_wait
    count[K_WITHIN] += within
    state[S_NOW], state[S_SEQUENCE], state[S_FREE], state[S_INSIDE] = now, sequence, free, inside
    state[S_OUT], state[S_ARRIVAL] = out, a
    return code
