"""Lists of rows, timers and the agenda of the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined
from twin.kernels.timers import NEVER, SLOT_BITS, set_leaf
from twin.kernels.tokens_layout import *


@inlined
def arm(state, tree, r, at):
    """Set or move the timer of a row."""
    sequence = state[S_SEQUENCE]
    state[S_SEQUENCE] = sequence + 1
    set_leaf(tree, state[S_LEAVES], r, at, (sequence << SLOT_BITS) | r)


@inlined
def disarm(state, tree, r):
    """Remove the timer of a row, if it has one."""
    if tree[2 * (state[S_LEAVES] + r)] != NEVER:
        set_leaf(tree, state[S_LEAVES], r, NEVER, np.int64(0))


@inlined
def push(state, agenda, action, whom, argument, serial):
    """Put an action on the agenda; the last put is done first."""
    i = state[S_AGENDA]
    agenda[i, 0] = action
    agenda[i, 1] = whom
    agenda[i, 2] = argument
    agenda[i, 3] = serial
    state[S_AGENDA] = i + 1


@inlined
def new_row(state, row, kind, case):
    """Take a free row; its lists are empty and it holds no server."""
    r = state[S_FREE_ROW]
    state[S_FREE_ROW] = row[r, R_NEXT]
    state[S_FREE_ROWS] -= 1
    row[r, R_KIND] = kind
    row[r, R_STATE] = TRANSIT
    row[r, 2] = case
    row[r, R_SERIAL] = state[S_SERIAL]
    state[S_SERIAL] += 1
    row[r, R_START] = row[r, R_POOL] = row[r, R_MEMBER] = row[r, R_ALARMS] = row[r, R_HOST] = row[r, R_EDGE] = -1
    row[r, R_LEFT] = row[r, R_INDEX] = row[r, R_LOST] = 0
    row[r, R_LOOSE] = -1
    return r


@inlined
def free_row(state, row, r):
    """Give a row back; actions planned for it become void."""
    row[r, R_SERIAL] = -1
    row[r, R_NEXT] = state[S_FREE_ROW]
    state[S_FREE_ROW] = r
    state[S_FREE_ROWS] += 1


@inlined
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


@inlined
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


@inlined
def insert_in_order(row, ends, i, r):
    """Put a row into a queue by lane and order of coming, searching from the front."""
    after = ends[i, 0]
    before = NONE
    while after >= 0 and (
        row[after, R_LANE] < row[r, R_LANE]
        or (row[after, R_LANE] == row[r, R_LANE] and row[after, R_ORDER] < row[r, R_ORDER])
    ):
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


@inlined
def join_case(row, case, c, r):
    """Put a row at the end of the list of its case."""
    before = case[c, C_TAIL]
    row[r, R_CASE_NEXT] = -1
    row[r, R_CASE_PREVIOUS] = before
    if before >= 0:
        row[before, R_CASE_NEXT] = r
    else:
        case[c, C_HEAD] = r
    case[c, C_TAIL] = r


@inlined
def leave_case(row, case, c, r):
    """Take a row out of the list of its case."""
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


@inlined
def flag(state, case, c):
    """Have the joins of a case looked at when the event is over."""
    if not case[c, C_FLAG]:
        case[c, C_FLAG] = 1
        case[c, C_NEXT] = -1
        if state[S_CHECK] < 0:
            state[S_CHECK] = c
        else:
            case[state[S_CHECK_TAIL], C_NEXT] = c
        state[S_CHECK_TAIL] = c


@inlined
def free_alarms(state, tree, row, r):
    """Remove the boundary timers of a token."""
    x = row[r, R_ALARMS]
    while x >= 0:
        after = row[x, R_CASE_NEXT]
        disarm(state, tree, x)
        free_row(state, row, x)
        x = after
    row[r, R_ALARMS] = -1
