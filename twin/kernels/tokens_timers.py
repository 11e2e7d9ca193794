"""What happens in the general process kernel when a timer goes off."""

from __future__ import annotations

from twin.kernels import inlined_part, part
from twin.kernels.timers import SLOT_MASK
from twin.kernels.tokens_counts import credit_wait, tired
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import (
    disarm,
    flag,
    free_row,
    has_room,
    new_token,
    plan_case,
    plan_row,
    push,
    rows_of,
)
from twin.kernels.tokens_withdraw import withdraw


@part
def go_off(w, now):
    """The first timer goes off."""
    row = w.row
    r = w.tree[3] & SLOT_MASK
    kind = row[r, R_KIND]
    if kind == EVENT or kind == DEADLINE:
        # Room for whatever is given up.
        rows = rows_of(w, row[r, R_CASE])
        if not has_room(w, 3 * rows):
            return AGENDA_FULL
        if w.logged and w.state[S_LOG] + rows > w.log.shape[0]:
            return LOG_FULL
    w.state[S_NOW] = now
    disarm(w, r)
    if kind == BATCH_TIMER:
        push(w, FIRE, row[r, R_NODE], 0, 0)
    elif kind == EVENT:
        _boundary(w, r)
    elif kind == DEADLINE:
        _deadline(w, r)
    elif row[r, R_STATE] == SERVING:
        plan_row(w, FINISH, r, 0)
    elif row[r, R_STATE] == RETRYING:
        plan_row(w, ENTER, r, row[r, R_NODE])
    elif row[r, R_STATE] == RESTING:
        _rested(w, r)
    else:
        _lose_patience(w, r)
    return DONE


@inlined_part
def _without(row, first, r):
    """The first of a list of timers (linked by R_CASE_NEXT) after one of them is taken out."""
    if first == r:
        return row[r, R_CASE_NEXT]
    x = first
    while row[x, R_CASE_NEXT] != r:
        x = row[x, R_CASE_NEXT]
    row[x, R_CASE_NEXT] = row[r, R_CASE_NEXT]
    return first


@part
def _boundary(w, r):
    """An event on the border of a task: it is given up, or a second token starts."""
    row, event = w.row, w.event
    c = row[r, R_CASE]
    v = row[r, R_INDEX]
    host = row[r, R_HOST]
    row[host, R_ALARMS] = _without(row, row[host, R_ALARMS], r)
    free_row(w, r)
    if not event[v, V_INTERRUPTS]:
        plan_row(w, GO, new_token(w, c, row[host, R_NODE]), event[v, V_EDGE])
        return
    w.count[row[host, R_NODE], K_GIVEN_UP] += 1
    plan_row(w, GO, host, event[v, V_EDGE])
    if row[host, R_STATE] == HOSTING:
        plan_case(w, RETIRE, c, host)
    withdraw(w, host)
    if w.case[c, C_JOINED] > 0:
        flag(w, c)


@part
def _deadline(w, r):
    """A deadline is broken: a token starts where that leads; what lies in its section may be given up."""
    row, case, event = w.row, w.case, w.event
    c = row[r, R_CASE]
    v = row[r, R_INDEX]
    w.deadlines[v, 0] += 1
    case[c, C_ALARMS] = _without(row, case[c, C_ALARMS], r)
    free_row(w, r)
    if event[v, V_EDGE] >= 0:
        plan_row(w, GO, new_token(w, c, NONE), event[v, V_EDGE])
        if event[v, V_INTERRUPTS]:
            plan_case(w, RETIRE, c, -1 - v)


@inlined_part
def _rested(w, r):
    """A delay, a window or a race is over."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    row[r, R_STATE] = TRANSIT
    w.count[n, K_COMPLETIONS] += 1
    if tired(w, r, n, row[r, R_SERVICE]):
        plan_row(w, LEAVE, r, 0)
    elif node[n, N_KIND] == RACE:
        plan_row(w, GO, r, row[r, R_EDGE])
    else:
        plan_row(w, ROUTE, r, 0)


@inlined_part
def _lose_patience(w, r):
    """Patience is over: waiting, collected for a batch, or in a batch that has not started."""
    row = w.row
    n = row[r, R_NODE]
    wait = w.state[S_NOW] - row[r, R_ENTERED]
    credit_wait(w, n, row[r, R_CASE], wait)
    w.count[n, K_ABANDONED] += 1
    w.total[n, T_WAIT_ABANDONED] += wait
    plan_row(w, LEAVE, r, 1)
    withdraw(w, r)
