"""Lists of rows, timers and the agenda of the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.timers import NEVER, SLOT_BITS, set_leaf
from twin.kernels.tokens_layout import *


@part
def arm(w, r, at):
    """Set or move the timer of a row."""
    state = w.state
    sequence = state[S_SEQUENCE]
    state[S_SEQUENCE] = sequence + 1
    set_leaf(w.tree, state[S_LEAVES], r, at, (sequence << SLOT_BITS) | r)


@part
def disarm(w, r):
    """Remove the timer of a row, if it has one."""
    tree, leaves = w.tree, w.state[S_LEAVES]
    if tree[2 * (leaves + r)] != NEVER:
        set_leaf(tree, leaves, r, NEVER, np.int64(0))


@inlined_part
def push(w, action, whom, argument, serial):
    """Put an action on the agenda; the last put is done first."""
    state, agenda = w.state, w.agenda
    i = state[S_AGENDA]
    agenda[i, 0] = action
    agenda[i, 1] = whom
    agenda[i, 2] = argument
    agenda[i, 3] = serial
    state[S_AGENDA] = i + 1


@inlined_part
def plan_row(w, action, r, argument):
    """Put an action of a row on the agenda; it is void if the row is gone by then."""
    push(w, action, r, argument, w.row[r, R_SERIAL])


@inlined_part
def plan_case(w, action, c, argument):
    """Put an action of a case on the agenda; it is void if the case is gone by then."""
    push(w, action, c, argument, w.case[c, C_SERIAL])


@inlined_part
def has_room(w, actions):
    """Whether so many actions can be put on the agenda."""
    return w.state[S_AGENDA] + actions + MARGIN <= w.agenda.shape[0]


@part
def new_row(w, kind, case):
    """Take a free row; its lists are empty and it holds no server."""
    state, row = w.state, w.row
    r = state[S_FREE_ROW]
    state[S_FREE_ROW] = row[r, R_NEXT]
    state[S_FREE_ROWS] -= 1
    row[r, R_KIND] = kind
    row[r, R_STATE] = TRANSIT
    row[r, R_CASE] = case
    row[r, R_SERIAL] = state[S_SERIAL]
    state[S_SERIAL] += 1
    row[r, R_START] = row[r, R_POOL] = row[r, R_MEMBER] = row[r, R_ALARMS] = row[r, R_HOST] = row[r, R_EDGE] = -1
    row[r, R_LEFT] = row[r, R_INDEX] = row[r, R_LOST] = 0
    row[r, R_LOOSE] = -1
    return r


@inlined_part
def free_row(w, r):
    """Give a row back; actions planned for it become void."""
    state, row = w.state, w.row
    row[r, R_SERIAL] = -1
    row[r, R_NEXT] = state[S_FREE_ROW]
    state[S_FREE_ROW] = r
    state[S_FREE_ROWS] += 1


@inlined_part
def append(row, ends, i, head, tail, r):
    """Put a row at the end of the list with ends[i, head] and ends[i, tail]."""
    before = ends[i, tail]
    row[r, R_NEXT] = -1
    row[r, R_PREVIOUS] = before
    if before >= 0:
        row[before, R_NEXT] = r
    else:
        ends[i, head] = r
    ends[i, tail] = r


@inlined_part
def unlink(row, ends, i, head, tail, r):
    """Take a row out of a list."""
    before = row[r, R_PREVIOUS]
    after = row[r, R_NEXT]
    if before >= 0:
        row[before, R_NEXT] = after
    else:
        ends[i, head] = after
    if after >= 0:
        row[after, R_PREVIOUS] = before
    else:
        ends[i, tail] = before


@inlined_part
def goes_first(row, a, b):
    """Whether a row is served before another of its lane: by age of the case where that counts, else as they came."""
    return row[a, R_RANK] < row[b, R_RANK] or (row[a, R_RANK] == row[b, R_RANK] and row[a, R_ORDER] < row[b, R_ORDER])


@part
def insert_in_order(row, ends, i, r):
    """Put a row into a queue by lane, age of the case where that counts, and order of coming.

    At the end if it belongs there, as the youngest case does; else it is sought from the front, where old ones stand.
    """
    last = ends[i, 1]
    lane = row[r, R_LANE]
    if last < 0 or row[last, R_LANE] < lane or (row[last, R_LANE] == lane and goes_first(row, last, r)):
        append(row, ends, i, 0, 1, r)
        return
    after = ends[i, 0]
    before = NONE
    while after >= 0 and (row[after, R_LANE] < lane or (row[after, R_LANE] == lane and goes_first(row, after, r))):
        before = after
        after = row[after, R_NEXT]
    row[r, R_NEXT] = after
    row[r, R_PREVIOUS] = before
    if before >= 0:
        row[before, R_NEXT] = r
    else:
        ends[i, 0] = r
    if after >= 0:
        row[after, R_PREVIOUS] = r
    else:
        ends[i, 1] = r


@inlined_part
def join_case(w, c, r):
    """Put a row at the end of the list of its case."""
    row, case = w.row, w.case
    before = case[c, C_TAIL]
    row[r, R_CASE_NEXT] = -1
    row[r, R_CASE_PREVIOUS] = before
    if before >= 0:
        row[before, R_CASE_NEXT] = r
    else:
        case[c, C_HEAD] = r
    case[c, C_TAIL] = r


@inlined_part
def leave_case(w, c, r):
    """Take a row out of the list of its case."""
    row, case = w.row, w.case
    before = row[r, R_CASE_PREVIOUS]
    after = row[r, R_CASE_NEXT]
    if before >= 0:
        row[before, R_CASE_NEXT] = after
    else:
        case[c, C_HEAD] = after
    if after >= 0:
        row[after, R_CASE_PREVIOUS] = before
    else:
        case[c, C_TAIL] = before


@inlined_part
def rows_of(w, c):
    """Number of rows of a case."""
    row, rows = w.row, 0
    x = w.case[c, C_HEAD]
    while x >= 0:
        rows += 1
        x = row[x, R_CASE_NEXT]
    return rows


@part
def new_token(w, c, n):
    """Another token of a case, at a node (-1: before any)."""
    x = new_row(w, TOKEN, c)
    w.row[x, R_NODE] = n
    join_case(w, c, x)
    w.case[c, C_TOKENS] += 1
    return x


@inlined_part
def flag(w, c):
    """Have the joins of a case looked at when the event is over."""
    state, case = w.state, w.case
    if not case[c, C_FLAG]:
        case[c, C_FLAG] = 1
        case[c, C_NEXT] = -1
        if state[S_CHECK] < 0:
            state[S_CHECK] = c
        else:
            case[state[S_CHECK_TAIL], C_NEXT] = c
        state[S_CHECK_TAIL] = c


@inlined_part
def free_alarms(w, r):
    """Remove the boundary timers of a token."""
    row = w.row
    x = row[r, R_ALARMS]
    while x >= 0:
        after = row[x, R_CASE_NEXT]
        disarm(w, x)
        free_row(w, x)
        x = after
    row[r, R_ALARMS] = -1


@inlined_part
def unblock(w, r):
    """A token no longer waits for room."""
    row = w.row
    unlink(row, w.node, row[r, R_LEFT], N_BLOCKED_HEAD, N_BLOCKED_TAIL, r)
    w.state[S_BLOCKED] -= 1
    row[r, R_LEFT] = 0
