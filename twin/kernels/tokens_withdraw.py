"""Taking a token away from whatever it is doing, in the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined, kernel
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import arm, disarm, free_alarms, free_row, push, unlink
from twin.kernels.tokens_servers import (
    credit_counted,
    credit_named,
    list_of,
    take_from_run,
    touch,
    work_left,
)


@inlined
def batch_due(node, row, instants, n, now):
    """When the batch that is being collected at a task starts at the latest."""
    first, time = instants
    k = node[n, N_BATCH]
    due = FOREVER
    if node[n, N_LONGEST] >= 0:
        due = row[node[n, N_GATHER_HEAD], R_ENTERED] + node[n, N_LONGEST]
    low = first[k]
    high = first[k + 1]
    last = high
    while low < high:
        middle = (low + high) >> 1
        if time[middle] > now:
            high = middle
        else:
            low = middle + 1
    if low < last:
        due = min(due, time[low])
    return max(due, now)


@inlined
def ungather(node, row, state, tree, instants, n, r, now):
    """Take a row out of the batch that is being collected; the time of the batch follows its first."""
    unlink(row, node, n, N_GATHER_HEAD, N_GATHER_TAIL, r)
    node[n, N_GATHERED] -= 1
    if node[n, N_GATHERED] == 0:
        disarm(state, tree, node[n, N_BATCH])
    else:
        arm(state, tree, node[n, N_BATCH], batch_due(node, row, instants, n, now))


@inlined
def log_row(log, state, row, case, r, unit, c, now, complete):
    """Write one execution of an activity: of row `r` as part of the row `unit` that was served."""
    i = state[S_LOG]
    log[i, L_REQUEST] = case[c, C_REQUEST]
    log[i, L_NODE] = row[r, R_NODE]
    log[i, L_VISIT] = row[r, R_VISIT]
    log[i, L_POOL] = row[unit, R_POOL]
    log[i, L_MEMBER] = row[unit, R_MEMBER]
    log[i, L_ENABLED] = row[r, R_ENTERED]
    log[i, L_START] = row[unit, R_START]
    log[i, L_END] = now
    log[i, L_PAUSED] = row[unit, R_LOST]
    log[i, L_COMPLETE] = complete
    state[S_LOG] = i + 1


@kernel
def withdraw(
    node,
    row,
    case,
    pool,
    pool_area,
    member,
    member_busy,
    rate,
    lists,
    runs,
    count,
    total,
    state,
    tree,
    agenda,
    instants,
    log,
    logged,
    r,
    now,
):
    """Take a token or instance away from whatever it does; freed servers and room are put on the agenda.

    The row itself remains, in transit and without timers.
    """
    unit = r
    what = row[r, R_STATE]
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    disarm(state, tree, r)
    free_alarms(state, tree, row, r)
    row[r, R_STATE] = TRANSIT
    if what == JOINED:
        case[c, C_JOINED] -= 1
    elif what == BLOCKED:
        to = row[r, R_LEFT]
        unlink(row, node, to, N_BLOCKED_HEAD, N_BLOCKED_TAIL, r)
        state[S_BLOCKED] -= 1
        row[r, R_LEFT] = 0
    elif what == GATHERING:
        ungather(node, row, state, tree, instants, n, r, now)
    elif what == ITEM:
        unit = row[r, R_HOST]
        row[r, R_HOST] = -1
        unlink(row, row, unit, R_HEAD, R_TAIL, r)
        row[unit, R_LEFT] -= 1
        if row[unit, R_START] >= 0:
            if node[n, N_ACTIVE]:
                case[c, C_ACTIVE] += now - row[unit, R_START]
            if logged:
                log_row(log, state, row, case, r, unit, c, now, 0)
        if row[unit, R_LEFT] > 0:
            return
        what = row[unit, R_STATE]
        disarm(state, tree, unit)
    elif logged and row[r, R_START] >= 0 and (what == SERVING or what == WAITING or what == PAUSED):
        log_row(log, state, row, case, r, r, c, now, 0)
    p = row[unit, R_POOL]
    m = row[unit, R_MEMBER]
    if what == WAITING:
        touch(pool, pool_area, p, now)
        lane = np.int64(0) if row[unit, R_EDGE] == -2 else row[unit, R_LANE]
        unlink(row, lists, list_of(pool, node, p, n, lane), 0, 1, unit)
        pool[p, P_QUEUE] -= 1
        node[n, N_WAITING] -= 1
        if node[n, N_FULL] == BLOCK and state[S_BLOCKED] > 0:
            push(state, agenda, ADMIT, n, 0, 0)
    elif what == SERVING:
        if m < 0:
            owner = NONE if row[unit, R_KIND] == CARRIER else c
            credit_counted(node, case, count, total, n, owner, -work_left(row, member, rate, unit, now))
        else:
            owner = NONE if row[unit, R_KIND] == CARRIER else c
            credit_named(
                node, case, count, total, member_busy, n, owner, m, now - row[unit, R_SINCE], member[m, M_LOAD]
            )
        take_from_run(row, pool, member, runs, unit)
    elif what == PAUSED:
        take_from_run(row, pool, member, runs, unit)
    if what == SERVING or what == PAUSED or (what == BLOCKED and p >= 0):
        push(state, agenda, FREE, p, m, 0)
    row[unit, R_POOL] = -1
    row[unit, R_MEMBER] = -1
    row[unit, R_START] = -1
    if unit != r:
        free_row(state, row, unit)
