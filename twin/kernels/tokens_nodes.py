"""What happens when a token enters a node of the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.durations import sample
from twin.kernels.philox import block, unit32
from twin.kernels.tokens_counts import credit_wait
from twin.kernels.tokens_deadlines import deadlines_at
from twin.kernels.tokens_gateways import fork, join, split
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import (
    arm,
    flag,
    free_row,
    has_room,
    join_case,
    leave_case,
    new_row,
    plan_case,
    plan_row,
)
from twin.kernels.tokens_staff import working_time
from twin.kernels.tokens_ways import count_visit


@inlined_part
def enter(w, r, n):
    """ENTER: a token comes to a node that is no exclusive gateway."""
    node = w.node
    if w.state[S_FREE_ROWS] < node[n, N_NEED]:
        return ROWS_FULL
    if not has_room(w, node[n, N_NEED]):
        return AGENDA_FULL
    c = w.row[r, R_CASE]
    w.row[r, R_STATE] = TRANSIT
    w.count[n, K_ARRIVALS] += 1
    if w.case[c, C_JOINED] > 0:
        flag(w, c)
    if w.n_deadlines > 0:
        deadlines_at(w, c, n)
    kind = node[n, N_KIND]
    if kind == END:
        _end(w, r, n)
        return DONE
    if w.visits[c, n] == MAX_VISITS - 1:
        return RUNAWAY
    _note_visit(w, r, n)
    if kind == TASK:
        _come_to_task(w, r)
    elif kind == FORK:
        fork(w, r)
    elif kind == SPLIT:
        split(w, r)
    elif kind == JOIN or kind == MERGE:
        join(w, r)
    else:
        _rest(w, r, kind)
    return DONE


@inlined_part
def _end(w, r, n):
    """A token ends, and its case if it was the last or the end ends the case."""
    case = w.case
    c = w.row[r, R_CASE]
    if w.node[n, N_ENDS_CASE] or case[c, C_TOKENS] == 1:
        plan_case(w, CLOSE, c, w.node[n, N_OUTCOME])
    else:
        leave_case(w, c, r)
        free_row(w, r)
        case[c, C_TOKENS] -= 1


@inlined_part
def _note_visit(w, r, n):
    """Note the visit on the row, with the random words that belong to it."""
    row = w.row
    c = row[r, R_CASE]
    visit = count_visit(w, c, n)
    w.case[c, C_LAST] = n
    row[r, R_NODE] = n
    row[r, R_ENTERED] = w.state[S_NOW]
    row[r, R_VISIT] = visit
    row[r, R_WORD] = row[r, R_ROUTE] = row[r, R_LEAVE] = 0
    if w.node[n, N_DRAWS]:
        draw = np.uint64(n * MAX_VISITS + visit)
        words = block(w.key, w.replication, w.streams[Q_SERVICE], w.case[c, C_ENTITY], draw)
        row[r, R_WORD] = np.int64(words[0])
        row[r, R_ROUTE] = np.int64(words[1])
        row[r, R_LEAVE] = np.int64(words[2])


@inlined_part
def _come_to_task(w, r):
    """A token comes to a task: it, or its instances, ask for a server; events on the border are set."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    if node[n, N_EVENT] < node[n, N_EVENT_END]:
        _set_border(w, r)
    row[r, R_LEFT] = row[r, R_INDEX] = 0
    plan_row(w, WORK if node[n, N_REPEAT] == ONCE else INSTANCES, r, 0)


@part
def _event_after(w, r, v):
    """When an event comes that was set now, in its calendar; FOREVER if it does not happen."""
    row, event = w.row, w.event
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    attribute = w.case[c, C_CLASS]
    stream = w.streams[Q_EVENT] + v - w.node[n, N_EVENT]
    draw = np.uint64(n * MAX_VISITS + row[r, R_VISIT])
    words = block(w.key, w.replication, stream, w.case[c, C_ENTITY], draw)
    if unit32(np.int64(words[0])) >= w.event_up[v, attribute]:
        return False, FOREVER
    after = sample(w.event_law[v, attribute], *w.laws, np.int64(words[1]))
    return True, working_time(w, event[v, V_CALENDAR], after)


@part
def _set_border(w, r):
    """Set the timers of the events on the border of a task."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    for v in range(node[n, N_EVENT], node[n, N_EVENT_END]):
        happens, at = _event_after(w, r, np.int64(v))
        if happens:
            x = new_row(w, EVENT, row[r, R_CASE])
            row[x, R_STATE] = ARMED
            row[x, R_INDEX] = v
            row[x, R_HOST] = r
            row[x, R_NODE] = n
            row[x, R_CASE_NEXT] = row[r, R_ALARMS]
            row[r, R_ALARMS] = x
            arm(w, x, at)


@part
def _rest(w, r, kind):
    """A token comes to a node where time passes without anybody's work."""
    row, node, now = w.row, w.node, w.state[S_NOW]
    n = row[r, R_NODE]
    row[r, R_STATE] = RESTING
    if kind == WINDOW:
        at = _opening(w, n)
        row[r, R_SERVICE] = 0
        credit_wait(w, n, row[r, R_CASE], at - now)
        w.total[n, T_WAIT_SERVED] += at - now
    else:
        at = _delayed(w, r) if kind == DELAY else _first_event(w, r)
        row[r, R_SERVICE] = at - now
        if node[n, N_ACTIVE]:
            w.case[row[r, R_CASE], C_ACTIVE] += at - now
        w.total[n, T_SERVICE] += at - now
    arm(w, r, at)


@inlined_part
def _opening(w, n):
    """When a window is open, from now on."""
    first, limit, opens = w.windows
    now = w.state[S_NOW]
    low = first[n]
    high = first[n + 1]
    while low < high:
        middle = (low + high) >> 1
        if limit[middle] > now:
            high = middle
        else:
            low = middle + 1
    return max(now, opens[low])


@inlined_part
def _delayed(w, r):
    """When a delay is over."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    duration = sample(w.law[4 * n, w.case[c, C_CLASS]], *w.laws, row[r, R_WORD])
    if node[n, N_FACTOR] >= 0:
        duration = np.int64(duration * w.factors[c, node[n, N_FACTOR]] + 0.5)
    return working_time(w, node[n, N_CALENDAR], duration)


@inlined_part
def _first_event(w, r):
    """When the first of the events comes for which a race waits; which it is is noted on the row."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    first = FOREVER
    for v in range(node[n, N_EVENT], node[n, N_EVENT_END]):
        happens, at = _event_after(w, r, np.int64(v))
        if happens and at < first:
            first = at
            row[r, R_EDGE] = w.event[v, V_EDGE]
    return first


@part
def instances(w, r):
    """INSTANCES: a repeated task: how often, and one after the other or all at once."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    times = _times(w, r)
    if node[n, N_REPEAT] == SEQUENTIAL:
        row[r, R_LEFT] = times - 1
        plan_row(w, WORK, r, 0)
        return DONE
    if w.state[S_FREE_ROWS] < times:
        return ROWS_FULL
    if not has_room(w, times):
        return AGENDA_FULL
    c = row[r, R_CASE]
    row[r, R_LEFT] = times
    row[r, R_STATE] = HOSTING
    for j in range(times):
        x = new_row(w, INSTANCE, c)
        row[x, R_NODE] = n
        row[x, R_HOST] = r
        row[x, R_ENTERED] = w.state[S_NOW]
        row[x, R_VISIT] = row[r, R_VISIT]
        row[x, R_WORD] = row[r, R_WORD]
        row[x, R_LEAVE] = row[r, R_LEAVE]
        if j > 0:
            draw_instance(w, x, np.int64(j))
        join_case(w, c, x)
    # Instances come in their order, so the last is put first.
    x = w.case[c, C_TAIL]
    for _ in range(times):
        plan_row(w, WORK, x, 0)
        x = row[x, R_CASE_PREVIOUS]
    return DONE


@part
def _times(w, r):
    """How often a task is done in a visit."""
    node, number = w.node, w.number
    n = w.row[r, R_NODE]
    c = w.row[r, R_CASE]
    times = node[n, N_COUNT]
    if node[n, N_COUNT_BY] >= 0:
        return min(max(np.int64(w.factors[c, node[n, N_COUNT_BY]] + 0.5), 1), 4096)
    if times < 0:
        draw = np.uint64(n * MAX_VISITS + w.row[r, R_VISIT])
        words = block(w.key, w.replication, w.streams[Q_COUNT], w.case[c, C_ENTITY], draw)
        u = unit32(np.int64(words[0]))
        j = -1 - times
        while u >= number[j, 1]:
            j += 1
        times = np.int64(number[j, 0])
    return times


@part
def draw_instance(w, x, j):
    """The random words of the instance `j` of a repeated task."""
    row = w.row
    row[x, R_INDEX] = j
    draw = np.uint64(row[x, R_NODE] * MAX_VISITS + row[x, R_VISIT])
    words = block(w.key, w.replication, w.streams[Q_INSTANCE] + j, w.case[row[x, R_CASE], C_ENTITY], draw)
    row[x, R_WORD] = np.int64(words[0])
    row[x, R_LEAVE] = np.int64(words[2])
