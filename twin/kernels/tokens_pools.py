"""What servers of the general process kernel do: look for work, change pace, come and go."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.tokens_counts import credit_named, owner_of, touch
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import arm, has_room, plan_row, push, unlink
from twin.kernels.tokens_staff import duration_at, first_waiting, release_member, take_member


@inlined_part
def free(w, p, m):
    """FREE: a server of a pool, or the member `m`, is rid of a case, and looks for work."""
    member = w.member
    touch(w, p)
    push(w, SEEK, p, m, 0)
    if m < 0:
        w.pool[p, P_BUSY] -= 1
    else:
        release_member(w, p, m)
        if member[m, M_MOST] > 1 and member[m, M_LOAD] > 0:
            push(w, PACE, m, member[m, M_LOAD] + 1, 0)


@inlined_part
def seek(w, p, m):
    """SEEK: a pool, or a member of it, looks for work."""
    pool, member = w.pool, w.member
    if m < 0:
        idle = not pool[p, P_NAMED] and pool[p, P_BUSY] < pool[p, P_CAPACITY]
    else:
        idle = member[m, M_TAKES] > 0 and member[m, M_LOAD] < member[m, M_MOST]
    if not idle:
        return DONE
    best = where = NONE
    if pool[p, P_QUEUE] > 0:
        best, where = first_waiting(w, p, m)
    if best >= 0:
        _take_up(w, p, m, best, where)
    elif w.state[S_BLOCKED] > 0:
        return _admit_all(w, p)
    return DONE


@part
def _admit_all(w, p):
    """Nobody waits in a pool: who is blocked by one of its tasks may come in."""
    node = w.node
    if not has_room(w, node.shape[0]):
        return AGENDA_FULL
    for n in range(node.shape[0]):
        if node[n, N_BLOCKED_HEAD] >= 0 and node[n, N_POOL] == p:
            push(w, ADMIT, n, 0, 0)
    return DONE


@inlined_part
def _take_up(w, p, m, r, where):
    """A server takes a row from its queue `where`."""
    row, pool, node, member = w.row, w.pool, w.node, w.member
    touch(w, p)
    unlink(row, w.lists, where, 0, 1, r)
    pool[p, P_QUEUE] -= 1
    n = row[r, R_NODE]
    node[n, N_WAITING] -= 1
    if m < 0:
        pool[p, P_BUSY] += 1
        if (pool[p, P_QUEUE] > 0 or w.state[S_BLOCKED] > 0) and pool[p, P_BUSY] < pool[p, P_CAPACITY]:
            push(w, SEEK, p, -1, 0)
    else:
        take_member(w, p, m)
        if member[m, M_LOAD] < member[m, M_MOST]:
            push(w, SEEK, p, m, 0)
    if node[n, N_FULL] == BLOCK and node[n, N_BLOCKED_HEAD] >= 0:
        push(w, ADMIT, n, 0, 0)
    row[r, R_POOL] = p
    row[r, R_MEMBER] = m
    plan_row(w, START, r, 0)
    if m >= 0 and member[m, M_LOAD] > 1:
        push(w, PACE, m, member[m, M_LOAD] - 1, 0)


@part
def pace(w, m, load):
    """PACE: a member no longer has `load` cases in hand: those in service go on at another rate."""
    row, rate, now = w.row, w.rate, w.state[S_NOW]
    x = w.member[m, M_HEAD]
    while x >= 0:
        if row[x, R_STATE] == SERVING:
            elapsed = now - row[x, R_SINCE]
            done = np.int64(np.float64(elapsed) * rate[m, load] + 0.5)
            credit_named(w, row[x, R_NODE], owner_of(w, x), m, elapsed, load)
            row[x, R_WORK] = max(row[x, R_WORK] - done, 0)
            row[x, R_SINCE] = now
            arm(w, x, now + duration_at(row[x, R_WORK], rate[m, w.member[m, M_LOAD]]))
        x = row[x, R_NEXT]


@part
def change_staff(w):
    """The next change of staff: of a pool's number, or of one member."""
    state, pool, member = w.state, w.pool, w.member
    b = state[S_BORDER]
    state[S_BORDER] += 1
    whose = w.borders[b, B_WHOSE]
    value = w.borders[b, B_VALUE]
    if w.borders[b, B_KIND] == B_CAPACITY:
        touch(w, whose)
        pool[whose, P_CAPACITY] = value
        push(w, SEEK, whose, -1, 0)
        if pool[whose, P_PAUSE]:
            push(w, TRIM, whose, -1, 0)
    elif member[whose, M_DUTY] != value:
        p = member[whose, M_POOL]
        touch(w, p)
        member[whose, M_DUTY] = value
        takes = member[whose, M_TAKES]
        if value or not pool[p, P_FREE_FIRST]:
            member[whose, M_TAKES] = value
        pool[p, P_CAPACITY] += 1 if value else -1
        if pool[p, P_PAUSE]:
            push(w, TRIM, p, whose, 0)
        elif value:
            push(w, SEEK, p, whose, 0)
        if value and not takes:
            state[S_IDLE] += 1
            member[whose, M_IDLE] = state[S_IDLE]


@part
def trim(w, p, m):
    """TRIM: a shift has changed in a pool whose work pauses with it."""
    pool = w.pool
    if m >= 0:
        return _trim_member(w, p, m)
    if pool[p, P_BUSY] > pool[p, P_CAPACITY]:
        k = np.int64(w.lanes)
        x = NONE
        while k > 0 and x < 0:
            k -= 1
            x = w.runs[pool[p, P_RUNS] + k, 1]
        if x >= 0:
            push(w, TRIM, p, -1, 0)
            plan_row(w, PAUSE, x, 1)
    return DONE


@inlined_part
def _trim_member(w, p, m):
    """A member takes up what he left, or leaves what he has in hand."""
    member = w.member
    if not has_room(w, 128):
        return AGENDA_FULL
    touch(w, p)
    if member[m, M_DUTY]:
        if member[m, M_PAUSED]:
            member[m, M_PAUSED] = 0
            if member[m, M_LOAD] > 0:
                w.pool[p, P_BUSY] += 1
        push(w, SEEK, p, m, 0)
        _plan_all(w, m, PAUSED, HELD, START, 0)
    elif not member[m, M_PAUSED]:
        member[m, M_PAUSED] = 1
        if member[m, M_LOAD] > 0:
            w.pool[p, P_BUSY] -= 1
        _plan_all(w, m, SERVING, SERVING, PAUSE, 1)
    return DONE


@inlined_part
def _plan_all(w, m, state, or_state, action, argument):
    """Put an action of everything in one of two states that a member has in hand on the agenda."""
    row = w.row
    x = w.member[m, M_TAIL]
    while x >= 0:
        if row[x, R_STATE] == state or row[x, R_STATE] == or_state:
            plan_row(w, action, x, argument)
        x = row[x, R_PREVIOUS]
