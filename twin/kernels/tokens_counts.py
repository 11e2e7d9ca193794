"""What the general process kernel counts and records."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.durations import bin_of
from twin.kernels.tokens_layout import *


@inlined_part
def touch(w, p):
    """Bring the time integrals of a pool up to now."""
    pool, area, now = w.pool, w.area, w.state[S_NOW]
    dt = np.float64(now - pool[p, P_TOUCHED])
    pool[p, P_TOUCHED] = now
    busy = pool[p, P_BUSY]
    capacity = pool[p, P_CAPACITY]
    area[p, A_QUEUE] += dt * pool[p, P_QUEUE]
    area[p, A_BUSY] += dt * busy
    # Whoever finishes his case after the shift is paid for it.
    area[p, A_STAFFED] += dt * (busy if capacity == UNLIMITED else max(busy, capacity))


@inlined_part
def owner_of(w, r):
    """Case for which a row is worked on; -1 for a batch, which is of several."""
    return NONE if w.row[r, R_KIND] == CARRIER else w.row[r, R_CASE]


@inlined_part
def credit_counted(w, n, c, work):
    """Count service of a pool without names when it starts; taken back, with a minus, when it is broken off."""
    w.total[n, T_SERVICE] += work
    w.count[n, K_BUSY] += work
    if c >= 0 and w.node[n, N_ACTIVE]:
        w.case[c, C_ACTIVE] += work


@inlined_part
def credit_named(w, n, c, m, elapsed, load):
    """Count service of a member when it stops; of his own time each of several cases has its share."""
    w.total[n, T_SERVICE] += elapsed
    w.count[n, K_BUSY] += elapsed
    w.member_busy[n, m] += elapsed // max(load, 1)
    if c >= 0 and w.node[n, N_ACTIVE]:
        w.case[c, C_ACTIVE] += elapsed


@inlined_part
def credit_wait(w, n, c, wait):
    """Count time that a case has spent waiting at a node."""
    case = w.case
    case[c, C_WAIT] += wait
    if w.node[n, N_ACTIVE]:
        case[c, C_ACTIVE] += wait


@part
def served_wait(w, n, c, wait):
    """Count the wait of a token whose service begins."""
    node, case, count, total = w.node, w.case, w.count, w.total
    count[n, K_STARTS] += 1
    if wait == 0:
        count[n, K_NO_WAIT] += 1
    if wait <= node[n, N_TARGET]:
        count[n, K_WITHIN] += 1
    w.histogram[n, bin_of(wait)] += 1
    total[n, T_WAIT_SERVED] += wait
    total[n, T_WAIT_SQUARED] += np.float64(wait) * np.float64(wait)
    case[c, C_WAIT] += wait
    if node[n, N_ACTIVE]:
        case[c, C_ACTIVE] += wait
        case[c, C_FELT] += wait


@inlined_part
def tired(w, r, n, service):
    """Count what a case has felt of time at a node; whether that is more than it bears."""
    case = w.case
    c = w.row[r, R_CASE]
    leaves = False
    if case[c, C_LIMIT] >= 0 and w.node[n, N_ACTIVE]:
        case[c, C_FELT] += np.int64(service * w.weight[n])
        if case[c, C_FELT] >= case[c, C_LIMIT]:
            w.count[n, K_LEFT] += 1
            leaves = True
    return leaves


@part
def record_case(w, c, kind):
    """Count the times of a case that is done (kind 0) or has reached the milestone (kind 1)."""
    case, total, histogram = w.case, w.total, w.histogram
    line = w.node.shape[0] + kind
    sojourn = w.state[S_NOW] - case[c, C_BORN]
    total[line, T_SOJOURN] += sojourn
    total[line, T_ACTIVE] += case[c, C_ACTIVE]
    total[line, T_WAIT] += case[c, C_WAIT]
    histogram[line, bin_of(sojourn)] += 1
    histogram[line + 2, bin_of(case[c, C_ACTIVE])] += 1


@part
def record_outcome(w, c, what):
    """Write how a case ended."""
    state, case, outcome = w.state, w.case, w.outcome
    o = state[S_OUT]
    outcome[o, 0], outcome[o, 1], outcome[o, 2] = state[S_NOW], case[c, C_REQUEST], case[c, C_CLIENT]
    outcome[o, 3], outcome[o, 4], outcome[o, 5] = what, case[c, C_WAIT], case[c, C_LAST]
    state[S_OUT] = o + 1


@part
def log_row(w, r, unit, complete):
    """Write one execution of an activity: of row `r` as part of the row `unit` that was served."""
    state, row, log = w.state, w.row, w.log
    i = state[S_LOG]
    log[i, L_REQUEST] = w.case[row[r, R_CASE], C_REQUEST]
    log[i, L_NODE] = row[r, R_NODE]
    log[i, L_VISIT] = row[r, R_VISIT]
    log[i, L_POOL] = row[unit, R_POOL]
    log[i, L_MEMBER] = row[unit, R_MEMBER]
    log[i, L_ENABLED] = row[r, R_ENTERED]
    log[i, L_START] = row[unit, R_START]
    log[i, L_END] = state[S_NOW]
    log[i, L_PAUSED] = row[unit, R_LOST]
    log[i, L_COMPLETE] = complete
    state[S_LOG] = i + 1


@part
def log_pause(w, r):
    """Write a pause of work that goes on now."""
    state, row, pauses = w.state, w.row, w.pauses
    k = state[S_PAUSES]
    first = row[r, R_HEAD] if row[r, R_KIND] == CARRIER else r
    pauses[k, 0] = w.case[row[first, R_CASE], C_REQUEST]
    pauses[k, 1], pauses[k, 2] = row[r, R_NODE], row[r, R_VISIT]
    pauses[k, 3], pauses[k, 4] = row[r, R_LOOSE], state[S_NOW]
    state[S_PAUSES] = k + 1
