"""Taking a token away from whatever it is doing, in the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.tokens_batches import ungather
from twin.kernels.tokens_counts import credit_counted, credit_named, log_row, owner_of, touch
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import disarm, free_alarms, free_row, push, unblock, unlink
from twin.kernels.tokens_staff import queue_of, take_from_run, work_left


@part
def withdraw(w, r):
    """Take a token or instance away from whatever it does; freed servers and room are put on the agenda.

    The row itself remains, in transit and without timers.
    """
    row = w.row
    what = row[r, R_STATE]
    disarm(w, r)
    free_alarms(w, r)
    row[r, R_STATE] = TRANSIT
    if what == ITEM:
        _take_from_batch(w, r)
        return
    if what == JOINED:
        w.case[row[r, R_CASE], C_JOINED] -= 1
    elif what == BLOCKED:
        unblock(w, r)
    elif what == GATHERING:
        ungather(w, r)
    elif w.logged and row[r, R_START] >= 0 and (what == SERVING or what == WAITING or what == PAUSED):
        log_row(w, r, r, 0)
    _leave_server(w, r, what)


@part
def _take_from_batch(w, r):
    """One of a batch is given up; the batch goes on with the others, if there are any."""
    row, now = w.row, w.state[S_NOW]
    unit = row[r, R_HOST]
    row[r, R_HOST] = -1
    unlink(row, row, unit, R_HEAD, R_TAIL, r)
    row[unit, R_LEFT] -= 1
    if row[unit, R_START] >= 0:
        if w.node[row[r, R_NODE], N_ACTIVE]:
            w.case[row[r, R_CASE], C_ACTIVE] += now - row[unit, R_START]
        if w.logged:
            log_row(w, r, unit, 0)
    if row[unit, R_LEFT] == 0:
        disarm(w, unit)
        _leave_server(w, unit, row[unit, R_STATE])
        free_row(w, unit)


@part
def _leave_server(w, unit, what):
    """Take a row out of its queue, or away from its server."""
    row = w.row
    p = row[unit, R_POOL]
    m = row[unit, R_MEMBER]
    if what == WAITING:
        leave_queue(w, unit)
    elif what == SERVING:
        break_off(w, unit)
        take_from_run(w, unit)
    elif what == PAUSED:
        take_from_run(w, unit)
    if what == SERVING or what == PAUSED or (what == BLOCKED and p >= 0):
        push(w, FREE, p, m, 0)
    row[unit, R_POOL] = -1
    row[unit, R_MEMBER] = -1
    row[unit, R_START] = -1


@inlined_part
def leave_queue(w, r):
    """A row no longer waits in its queue, which has room."""
    row, pool, node = w.row, w.pool, w.node
    p = row[r, R_POOL]
    n = row[r, R_NODE]
    touch(w, p)
    lane = np.int64(0) if row[r, R_EDGE] == -2 else row[r, R_LANE]
    unlink(row, w.lists, queue_of(w, r, lane), 0, 1, r)
    pool[p, P_QUEUE] -= 1
    node[n, N_WAITING] -= 1
    if node[n, N_FULL] == BLOCK and w.state[S_BLOCKED] > 0:
        push(w, ADMIT, n, 0, 0)


@part
def break_off(w, r):
    """Count the work on a row that stops before it is done; what is left of it."""
    row = w.row
    n = row[r, R_NODE]
    m = row[r, R_MEMBER]
    left = work_left(w, r)
    if m < 0:
        credit_counted(w, n, owner_of(w, r), -left)
    else:
        credit_named(w, n, owner_of(w, r), m, w.state[S_NOW] - row[r, R_SINCE], w.member[m, M_LOAD])
    return left
