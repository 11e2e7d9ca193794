"""Taking a token away from whatever it is doing, in the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.tokens_batches import ungather
from twin.kernels.tokens_counts import credit_counted, credit_named, log_row, owner_of, touch
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import disarm, free_alarms, free_row, plan_row, push, unblock, unlink
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
    elif w.logged and row[r, R_START] >= 0 and (what == SERVING or what == WAITING or what == PAUSED or what == HELD):
        log_row(w, r, r, 0)
    _leave_server(w, r, what)


@part
def _take_from_batch(w, r):
    """One of a batch is given up; the batch goes on with the others, if there are any."""
    row, now = w.row, w.state[S_NOW]
    unit = row[r, R_HOST]
    in_turn = w.node[row[r, R_NODE], N_PER_ITEM] == IN_TURN
    begun = row[unit, R_START] >= 0 and (r == row[unit, R_HEAD] or not in_turn)
    row[r, R_HOST] = -1
    unlink(row, row, unit, R_HEAD, R_TAIL, r)
    row[unit, R_LEFT] -= 1
    if begun:
        if w.node[row[r, R_NODE], N_ACTIVE]:
            w.case[row[r, R_CASE], C_ACTIVE] += now - row[unit, R_START]
        if w.logged:
            log_row(w, r, unit, 0)
    if row[unit, R_LEFT] == 0:
        disarm(w, unit)
        _leave_server(w, unit, row[unit, R_STATE])
        free_row(w, unit)
    elif begun and in_turn:
        _turn_to_next(w, unit)


@inlined_part
def _turn_to_next(w, unit):
    """The one of a batch that was worked on is given up: the next begins."""
    row = w.row
    if row[unit, R_STATE] == SERVING:
        disarm(w, unit)
        break_off(w, unit)
        take_from_run(w, unit)
        row[unit, R_STATE] = TRANSIT
        plan_row(w, START, unit, 0)
    forget_service(row, unit)


@inlined_part
def forget_service(row, r):
    """A row is no longer in service."""
    row[r, R_START] = row[r, R_LOOSE] = -1
    row[r, R_LOST] = 0


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
    elif what == PAUSED or what == HELD:
        take_from_run(w, unit)
        if what == HELD:
            count_waiting(w, unit, -1)
    # A row in transit that has a server is a batch that turns to its next item.
    if what == SERVING or what == PAUSED or what == HELD or ((what == BLOCKED or what == TRANSIT) and p >= 0):
        push(w, FREE, p, m, 0)
    row[unit, R_POOL] = -1
    row[unit, R_MEMBER] = -1
    row[unit, R_START] = -1


@inlined_part
def leave_queue(w, r):
    """A row no longer waits in its queue."""
    row = w.row
    lane = np.int64(0) if row[r, R_EDGE] == -2 else row[r, R_LANE]
    unlink(row, w.lists, queue_of(w, r, lane), 0, 1, r)
    count_waiting(w, r, -1)


@part
def count_waiting(w, r, more):
    """One more (1) or less (-1) waits at a task, in its queue or given to a member who is not at work."""
    node = w.node
    p = w.row[r, R_POOL]
    n = w.row[r, R_NODE]
    touch(w, p)
    w.pool[p, P_QUEUE] += more
    node[n, N_WAITING] += more
    if more < 0 and node[n, N_FULL] == BLOCK and w.state[S_BLOCKED] > 0:
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
