"""How cases begin and end in the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.durations import sample
from twin.kernels.philox import block, unit32
from twin.kernels.tokens_counts import record_case, record_outcome
from twin.kernels.tokens_deadlines import deadlines_at, stop_deadlines
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import (
    arm,
    flag,
    free_alarms,
    free_row,
    has_room,
    join_case,
    leave_case,
    new_row,
    plan_case,
    plan_row,
    rows_of,
)
from twin.kernels.tokens_withdraw import withdraw


@part
def arrive(w, now):
    """The next case arrives."""
    state, case, arrival = w.state, w.case, w.arrival
    c = state[S_FREE_CASE]
    if c < 0:
        return CASES_FULL
    a = state[S_ARRIVAL]
    state[S_NOW] = now
    state[S_FREE_CASE] = case[c, C_NEXT]
    state[S_ARRIVAL] += 1
    state[S_INSIDE] += 1
    case[c, C_REQUEST] = arrival[1, a]
    case[c, C_CLIENT] = arrival[2, a]
    case[c, C_CLASS] = arrival[3, a]
    case[c, C_ENTITY] = arrival[1, a] + state[S_BASE]
    case[c, C_SERIAL] = state[S_SERIAL]
    state[S_SERIAL] += 1
    case[c, C_BORN] = now
    case[c, C_WAIT] = case[c, C_FELT] = case[c, C_ACTIVE] = case[c, C_JOINED] = case[c, C_FLAG] = 0
    case[c, C_HEAD] = case[c, C_TAIL] = case[c, C_ALARMS] = case[c, C_LAST] = case[c, C_LIMIT] = -1
    case[c, C_TOKENS] = 1
    for i in range(w.factors.shape[1]):
        w.factors[c, i] = w.arrival_factor[a, i]
    d = w.case_patience[case[c, C_CLASS]]
    if d >= 0:
        words = block(w.key, w.replication, w.streams[Q_PATIENCE], case[c, C_ENTITY], np.uint64(0))
        case[c, C_LIMIT] = sample(d, *w.laws, np.int64(words[0]))
    for i in range(w.visits.shape[1]):
        w.visits[c, i] = 0
    deadlines_at(w, c, NONE)
    r = new_row(w, TOKEN, c)
    w.row[r, R_NODE] = -1
    join_case(w, c, r)
    plan_row(w, GO, r, 0)
    return DONE


@part
def leave(w, r, waiting):
    """LEAVE: a client gives up here (1: while he waited): he tries again, goes elsewhere or leaves for good."""
    row, case, node = w.row, w.case, w.node
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    row[r, R_POOL] = row[r, R_MEMBER] = -1
    row[r, R_STATE] = TRANSIT
    case[c, C_FELT] = 0
    if row[r, R_KIND] == INSTANCE:
        host = row[r, R_HOST]
        plan_row(w, LEAVE, host, waiting)
        plan_case(w, RETIRE, c, host)
        return
    free_alarms(w, r)
    if waiting == 1 and node[n, N_RETRY] and _tries_again(w, r):
        return
    if node[n, N_ABANDON] >= 0:
        plan_row(w, GO, r, node[n, N_ABANDON])
    else:
        plan_case(w, CLOSE, c, ABANDONED)


@part
def _tries_again(w, r):
    """Whether who has left a queue comes back to it; if so, the time until then runs."""
    row, case, node = w.row, w.case, w.node
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    visit = row[r, R_VISIT]
    if node[n, N_ATTEMPTS] != 0 and visit + 1 >= node[n, N_ATTEMPTS]:
        return False
    words = block(w.key, w.replication, w.streams[Q_RETRY], case[c, C_ENTITY], np.uint64(n * MAX_VISITS + visit))
    if unit32(np.int64(words[0])) >= w.retry[n, case[c, C_CLASS]]:
        return False
    w.count[n, K_RETRIES] += 1
    row[r, R_STATE] = RETRYING
    after = sample(w.law[4 * n + 3, case[c, C_CLASS]], *w.laws, np.int64(words[1]))
    arm(w, r, w.state[S_NOW] + after)
    return True


@part
def close(w, c, what):
    """CLOSE: a case ends, and with it whatever is under way in it."""
    state, case = w.state, w.case
    code = _room_to_give_up(w, c)
    if code != DONE:
        return code
    if w.record and state[S_OUT] == w.outcome.shape[0]:
        return OUTCOMES_FULL
    x = case[c, C_HEAD]
    while x >= 0:
        after = w.row[x, R_CASE_NEXT]
        _give_up(w, c, x)
        x = after
    stop_deadlines(w, c)
    if what == SERVED:
        record_case(w, c, 0)
    w.count[w.node.shape[0], what] += 1
    if w.record:
        record_outcome(w, c, what)
    case[c, C_SERIAL] = -1
    case[c, C_JOINED] = 0
    if not case[c, C_FLAG]:
        case[c, C_NEXT] = state[S_FREE_CASE]
        state[S_FREE_CASE] = c
    state[S_INSIDE] -= 1
    return DONE


@part
def retire(w, c, what):
    """RETIRE: the instances of a host (its row), or what lies in the section of a deadline (-1, -2, ...), are given up.

    A section is what can be reached from its beginning without passing its end.
    """
    row, case = w.row, w.case
    code = _room_to_give_up(w, c)
    if code != DONE:
        return code
    x = case[c, C_HEAD]
    while x >= 0:
        after = row[x, R_CASE_NEXT]
        if what >= 0:
            gone = row[x, R_HOST] == what and row[x, R_KIND] == INSTANCE
        else:
            gone = row[x, R_STATE] != TRANSIT
            gone = gone and (row[x, R_NODE] < 0 or w.reach[w.node.shape[0] - 1 - what, row[x, R_NODE]])
        if gone:
            _give_up(w, c, x)
        x = after
    if case[c, C_JOINED] > 0:
        flag(w, c)
    return DONE


@inlined_part
def _room_to_give_up(w, c):
    """Whether agenda and log have room for giving up all rows of a case."""
    rows = rows_of(w, c)
    if not has_room(w, 3 * rows):
        return AGENDA_FULL
    if w.logged and w.state[S_LOG] + rows > w.log.shape[0]:
        return LOG_FULL
    return DONE


@part
def _give_up(w, c, x):
    """A row of a case ends."""
    row = w.row
    if row[x, R_STATE] != TRANSIT and row[x, R_STATE] != HOSTING:
        withdraw(w, x)
    free_alarms(w, x)
    leave_case(w, c, x)
    if row[x, R_KIND] == TOKEN:
        w.case[c, C_TOKENS] -= 1
    free_row(w, x)
