"""Work on tokens in the general process kernel: asking for a server, service, its interruption and its end."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.durations import sample
from twin.kernels.tokens_batches import gather
from twin.kernels.tokens_counts import (
    credit_counted,
    credit_named,
    log_pause,
    log_row,
    owner_of,
    served_wait,
    tired,
    touch,
)
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import (
    append,
    arm,
    disarm,
    free_row,
    has_room,
    insert_in_order,
    leave_case,
    plan_case,
    plan_row,
    push,
    unlink,
)
from twin.kernels.tokens_nodes import draw_instance
from twin.kernels.tokens_staff import (
    duration_at,
    free_member,
    queue_of,
    take_from_run,
    take_member,
    victim,
)
from twin.kernels.tokens_withdraw import break_off, count_waiting, forget_service


@inlined_part
def work(w, r):
    """WORK: a token, an instance or a batch asks for a server."""
    state, row, node = w.state, w.row, w.node
    n = row[r, R_NODE]
    if node[n, N_BATCH] >= 0 and row[r, R_KIND] != CARRIER:
        gather(w, r)
        _be_patient(w, r)
        return
    p = node[n, N_POOL]
    row[r, R_POOL] = p
    row[r, R_MEMBER] = -1
    row[r, R_ORDER] = state[S_ORDER]
    state[S_ORDER] += 1
    row[r, R_RANK] = w.case[row[r, R_CASE], C_SERIAL] if w.pool[p, P_OLDEST] else 0
    row[r, R_EDGE] = -1
    row[r, R_LANE] = w.law[4 * n + 2, w.case[row[r, R_CASE], C_CLASS]] + 1
    touch(w, p)
    if w.pool[p, P_NAMED]:
        served = _ask_members(w, r, p)
    else:
        served = w.pool[p, P_BUSY] < w.pool[p, P_CAPACITY]
        if served:
            w.pool[p, P_BUSY] += 1
            plan_row(w, START, r, 0)
    if not served and w.pool[p, P_PREEMPT]:
        served = _displace(w, r)
    if not served:
        _wait(w, r)


@inlined_part
def _ask_members(w, r, p):
    """Whether a member takes a row at once."""
    m = free_member(w, r)
    if m < 0:
        return False
    take_member(w, p, m)
    w.row[r, R_MEMBER] = m
    plan_row(w, START, r, 0)
    if w.member[m, M_LOAD] > 1:
        push(w, PACE, m, w.member[m, M_LOAD] - 1, 0)
    return True


@inlined_part
def _displace(w, r):
    """Whether less urgent work in service gives way to a row."""
    row = w.row
    v = victim(w, r)
    if v < 0:
        return False
    row[r, R_MEMBER] = row[v, R_MEMBER]
    plan_row(w, START, r, 0)
    plan_row(w, PAUSE, v, 0)
    return True


@inlined_part
def _wait(w, r):
    """A row joins the queue, or is refused if that is full."""
    row, node, pool = w.row, w.node, w.pool
    n = row[r, R_NODE]
    p = row[r, R_POOL]
    if node[n, N_FULL] != NO_LIMIT and node[n, N_FULL] != BLOCK and node[n, N_WAITING] >= node[n, N_QUEUE]:
        w.count[n, K_REFUSED] += 1
        row[r, R_POOL] = -1
        if node[n, N_FULL] >= 0:
            plan_row(w, GO, r, node[n, N_FULL])
        else:
            plan_case(w, CLOSE, row[r, R_CASE], REFUSED)
        return
    row[r, R_STATE] = WAITING
    if pool[p, P_OLDEST]:
        insert_in_order(row, w.lists, queue_of(w, r, row[r, R_LANE]), r)
    else:
        append(row, w.lists, queue_of(w, r, row[r, R_LANE]), 0, 1, r)
    pool[p, P_QUEUE] += 1
    node[n, N_WAITING] += 1
    if row[r, R_KIND] != CARRIER:
        _be_patient(w, r)


@inlined_part
def _be_patient(w, r):
    """Set the timer of a row that waits, if its patience can end."""
    row, case = w.row, w.case
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    remaining = FOREVER
    d = w.law[4 * n + 1, case[c, C_CLASS]]
    if d >= 0:
        remaining = sample(d, *w.laws, row[r, R_LEAVE])
    if case[c, C_LIMIT] >= 0 and w.node[n, N_ACTIVE]:
        remaining = min(remaining, case[c, C_LIMIT] - case[c, C_FELT])
    if remaining < FOREVER:
        arm(w, r, w.state[S_NOW] + remaining)


@inlined_part
def start(w, r):
    """START: service begins, or goes on after a pause."""
    row, pool = w.row, w.pool
    n = row[r, R_NODE]
    p = row[r, R_POOL]
    m = row[r, R_MEMBER]
    now = w.state[S_NOW]
    if m >= 0 and pool[p, P_FREE_FIRST] and not w.member[m, M_DUTY]:
        _hold(w, r)
        return DONE
    if row[r, R_STATE] == HELD:
        count_waiting(w, r, -1)
    if row[r, R_START] < 0:
        _begin(w, r)
    elif w.logged and w.state[S_PAUSES] == w.pauses.shape[0]:
        return LOG_FULL
    else:
        _go_on(w, r)
    row[r, R_SINCE] = now
    row[r, R_EDGE] = -1
    row[r, R_TURN] = w.state[S_SEQUENCE]
    if m < 0:
        credit_counted(w, n, owner_of(w, r), row[r, R_WORK])
        if pool[p, P_RUNS] >= 0:
            append(row, w.runs, pool[p, P_RUNS] + row[r, R_LANE] - 1, 0, 1, r)
        arm(w, r, now + row[r, R_WORK])
    else:
        if row[r, R_STATE] != PAUSED and row[r, R_STATE] != HELD:
            append(row, w.member, m, M_HEAD, M_TAIL, r)
        arm(w, r, now + duration_at(row[r, R_WORK], w.rate[m, w.member[m, M_LOAD]]))
    row[r, R_STATE] = SERVING
    return DONE


@part
def _hold(w, r):
    """A row waits for the hours of the member to whom it is given."""
    row = w.row
    if row[r, R_STATE] == TRANSIT and row[r, R_KIND] != CARRIER:
        _be_patient(w, r)
    row[r, R_STATE] = HELD
    append(row, w.member, row[r, R_MEMBER], M_HEAD, M_TAIL, r)
    count_waiting(w, r, 1)


@inlined_part
def _begin(w, r):
    """Service begins: waits end, and the work is drawn."""
    row, now = w.row, w.state[S_NOW]
    n = row[r, R_NODE]
    m = row[r, R_MEMBER]
    if row[r, R_KIND] == CARRIER:
        amount = _begin_batch(w, r)
    else:
        if row[r, R_STATE] == WAITING or row[r, R_STATE] == HELD:
            disarm(w, r)
        amount = _work_of(w, r, m)
        served_wait(w, n, row[r, R_CASE], now - row[r, R_ENTERED])
    row[r, R_SERVICE] = row[r, R_WORK] = amount
    row[r, R_START] = now


@part
def _begin_batch(w, r):
    """Service of a batch, or of the next of its items in turn, begins: waits end; the work on it."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    row[r, R_VISIT] = row[row[r, R_HEAD], R_VISIT]
    amount = np.int64(0)
    x = row[r, R_HEAD]
    while x >= 0:
        first = x == row[r, R_HEAD]
        disarm(w, x)
        if first or node[n, N_PER_ITEM] == SUMMED:
            amount += _work_of(w, x, row[r, R_MEMBER])
        if first or node[n, N_PER_ITEM] != IN_TURN:
            served_wait(w, n, row[x, R_CASE], w.state[S_NOW] - row[x, R_ENTERED])
        x = row[x, R_NEXT]
    return amount


@inlined_part
def _work_of(w, r, m):
    """Work in ns of one token at a task: the drawn service time and its factors."""
    node = w.node
    n = w.row[r, R_NODE]
    c = w.row[r, R_CASE]
    d = w.law[4 * n, w.case[c, C_CLASS]]
    if m >= 0 and w.member_law[n, m] >= 0:
        d = w.member_law[n, m]
    amount = sample(d, *w.laws, w.row[r, R_WORD])
    if node[n, N_FACTOR] >= 0:
        amount = np.int64(amount * w.factors[c, node[n, N_FACTOR]] + 0.5)
    if node[n, N_HOURS] >= 0:
        quarter = (w.state[S_NOW] // QUARTER + w.state[S_WEEKDAY] * 96) % QUARTERS_OF_WEEK
        amount = np.int64(amount * w.hours[node[n, N_HOURS], quarter] + 0.5)
    return amount


@part
def _go_on(w, r):
    """Service goes on after a pause."""
    row, case = w.row, w.case
    if w.logged:
        log_pause(w, r)
    lost = w.state[S_NOW] - row[r, R_LOOSE]
    row[r, R_LOST] += lost
    c = owner_of(w, r)
    if c >= 0:
        case[c, C_WAIT] += lost
        if w.node[row[r, R_NODE], N_ACTIVE]:
            case[c, C_ACTIVE] += lost


@part
def pause(w, r, end_of_shift):
    """PAUSE: work is broken off: it goes back to the queue, or (1) waits for the next shift."""
    row, node, pool = w.row, w.node, w.pool
    p = row[r, R_POOL]
    n = row[r, R_NODE]
    now = w.state[S_NOW]
    disarm(w, r)
    left = break_off(w, r)
    row[r, R_WORK] = row[r, R_SERVICE] if end_of_shift == 0 and pool[p, P_PREEMPT] == RESTART else left
    row[r, R_LOOSE] = now
    row[r, R_SINCE] = now
    if end_of_shift == 1 and row[r, R_MEMBER] >= 0:
        row[r, R_STATE] = PAUSED
        return
    touch(w, p)
    take_from_run(w, r)
    row[r, R_STATE] = WAITING
    row[r, R_MEMBER] = -1
    row[r, R_EDGE] = -2 if end_of_shift == 1 else -1
    lane = np.int64(0) if end_of_shift == 1 else row[r, R_LANE]
    insert_in_order(row, w.lists, queue_of(w, r, lane), r)
    pool[p, P_QUEUE] += 1
    node[n, N_WAITING] += 1
    if end_of_shift == 1:
        pool[p, P_BUSY] -= 1


@inlined_part
def finish(w, r):
    """FINISH: service is over; the token keeps its server until it is known that it need not wait for room."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    kind = row[r, R_KIND]
    items = row[r, R_LEFT] if kind == CARRIER else np.int64(1)
    if kind == CARRIER and not has_room(w, 2 * items):
        return AGENDA_FULL
    if w.logged and w.state[S_LOG] + items > w.log.shape[0]:
        return LOG_FULL
    p = row[r, R_POOL]
    m = row[r, R_MEMBER]
    take_from_run(w, r)
    w.total[n, T_PAUSED] += row[r, R_LOST]
    if m >= 0:
        credit_named(w, n, owner_of(w, r), m, w.state[S_NOW] - row[r, R_SINCE], w.member[m, M_LOAD])
    row[r, R_STATE] = TRANSIT
    if kind == CARRIER:
        if node[n, N_PER_ITEM] == IN_TURN:
            _finish_item(w, r, row[r, R_HEAD])
            if row[r, R_LEFT] > 0:
                forget_service(row, r)
                plan_row(w, START, r, 0)
                return DONE
            free_row(w, r)
        else:
            _finish_batch(w, r)
        push(w, FREE, p, m, 0)
        return DONE
    _count_end(w, r, r)
    if tired(w, r, n, row[r, R_SERVICE]):
        plan_row(w, LEAVE, r, 0)
    elif kind == INSTANCE:
        _finish_instance(w, r)
    elif node[n, N_REPEAT] == SEQUENTIAL and row[r, R_LEFT] > 0:
        _next_instance(w, r)
    else:
        plan_row(w, ROUTE, r, 0)
        row[r, R_LEFT] = 0
        forget_service(row, r)
        return DONE
    if kind == TOKEN:
        row[r, R_POOL] = row[r, R_MEMBER] = -1
        forget_service(row, r)
    push(w, FREE, p, m, 0)
    return DONE


@inlined_part
def _count_end(w, x, unit):
    """Count and log the end of service of a row, as part of the row that was served."""
    w.count[w.row[x, R_NODE], K_COMPLETIONS] += 1
    if w.logged:
        log_row(w, x, unit, 1)


@part
def _finish_instance(w, x):
    """One instance of a task that is done several times at once is over; the last lets its token go on."""
    row = w.row
    host = row[x, R_HOST]
    row[host, R_LEFT] -= 1
    leave_case(w, row[x, R_CASE], x)
    free_row(w, x)
    if row[host, R_LEFT] == 0:
        row[host, R_STATE] = TRANSIT
        plan_row(w, ROUTE, host, 0)


@part
def _next_instance(w, x):
    """The next of several instances that come one after the other."""
    row = w.row
    row[x, R_LEFT] -= 1
    row[x, R_ENTERED] = w.state[S_NOW]
    draw_instance(w, x, row[x, R_INDEX] + 1)
    plan_row(w, WORK, x, 0)


@part
def _finish_batch(w, unit):
    """The items of a batch go their ways in the order in which they came, so the last is put first."""
    x = w.row[unit, R_TAIL]
    while x >= 0:
        before = w.row[x, R_PREVIOUS]
        _finish_item(w, unit, x)
        x = before
    free_row(w, unit)


@part
def _finish_item(w, unit, x):
    """One of a batch goes its way."""
    row, case = w.row, w.case
    n = row[unit, R_NODE]
    c = row[x, R_CASE]
    _count_end(w, x, unit)
    if w.node[n, N_ACTIVE]:
        case[c, C_ACTIVE] += w.state[S_NOW] - row[unit, R_START]
    case[c, C_WAIT] += row[unit, R_LOST]
    unlink(row, row, unit, R_HEAD, R_TAIL, x)
    row[unit, R_LEFT] -= 1
    row[x, R_HOST] = -1
    row[x, R_STATE] = TRANSIT
    plan_row(w, LEAVE if tired(w, x, n, row[unit, R_SERVICE]) else ROUTE, x, 0)
