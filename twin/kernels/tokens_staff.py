"""Who takes a case in the general process kernel, how fast he works, and in which hours time runs."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.philox import block, unit32
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import goes_first, unlink


@inlined_part
def queue_of(w, r, lane):
    """Number of the queue for a row in a lane (0: paused at the end of a shift, 1: most urgent)."""
    pool, row = w.pool, w.row
    p = row[r, R_POOL]
    return pool[p, P_LISTS] + lane * pool[p, P_REQUIRES] + w.node[row[r, R_NODE], N_REQUIRE]


@inlined_part
def duration_at(work, rate):
    """Time in ns that some work takes at a rate."""
    return work if rate == 1.0 else np.int64(np.float64(work) / rate + 0.5)


@inlined_part
def work_done(elapsed, rate):
    """Work in ns done in a time at a rate."""
    return elapsed if rate == 1.0 else np.int64(np.float64(elapsed) * rate + 0.5)


@inlined_part
def may_take(w, n, m):
    """Whether a member is given work now, has room and is able to do a task."""
    member = w.member
    return member[m, M_TAKES] > 0 and member[m, M_LOAD] < member[m, M_MOST] and w.able[w.node[n, N_ABLE], m]


@inlined_part
def free_member(w, r):
    """The free member who takes a row, -1 if there is none: least loaded first, then by the pool's rule."""
    pool, member, able = w.pool, w.member, w.able
    p = w.row[r, R_POOL]
    k = w.node[w.row[r, R_NODE], N_ABLE]
    rule = pool[p, P_RULE]
    best = NONE
    found = 0
    for m in range(pool[p, P_FIRST], pool[p, P_END]):
        load = member[m, M_LOAD]
        if not member[m, M_TAKES] or load >= member[m, M_MOST] or not able[k, m]:
            continue
        if best < 0 or load < member[best, M_LOAD]:
            best = np.int64(m)
            found = 1
        elif load == member[best, M_LOAD]:
            found += 1
            if rule == LONGEST_IDLE and member[m, M_IDLE] < member[best, M_IDLE]:
                best = np.int64(m)
    if found > 1 and rule == ANY:
        best = _any_of(w, r, found, member[best, M_LOAD])
    return best


@part
def _any_of(w, r, found, load):
    """One of those free with so many cases in hand, drawn for this visit."""
    row = w.row
    n = row[r, R_NODE]
    p = row[r, R_POOL]
    entity = w.case[max(row[r, R_CASE], 0), C_ENTITY]
    words = block(w.key, w.replication, w.streams[Q_ALLOCATION], entity, np.uint64(n * MAX_VISITS + row[r, R_VISIT]))
    skip = np.int64(unit32(words[0]) * found)
    for m in range(w.pool[p, P_FIRST], w.pool[p, P_END]):
        if may_take(w, n, m) and w.member[m, M_LOAD] == load:
            if skip == 0:
                return np.int64(m)
            skip -= 1
    return NONE


@part
def has_server(w, n):
    """Whether a case that comes to a task now need not wait."""
    pool = w.pool
    p = w.node[n, N_POOL]
    if not pool[p, P_NAMED]:
        return pool[p, P_BUSY] < pool[p, P_CAPACITY]
    for m in range(pool[p, P_FIRST], pool[p, P_END]):
        if may_take(w, n, m):
            return True
    return False


@inlined_part
def first_waiting(w, p, m):
    """The row that a free server of a pool takes next (`m` is the member, or -1), with its list; -1 for none."""
    row, pool, lists, able = w.row, w.pool, w.lists, w.able
    best = NONE
    where = NONE
    for lane in range(w.lanes + 1):
        first = pool[p, P_LISTS] + lane * pool[p, P_REQUIRES]
        for q in range(pool[p, P_REQUIRES]):
            head = lists[first + q, 0]
            if head >= 0 and (m < 0 or able[lists[first + q, 2], m]) and (best < 0 or goes_first(row, head, best)):
                best = head
                where = np.int64(first + q)
        if best >= 0:
            break
    return best, where


@part
def victim(w, r):
    """The row in service that gives way to another: the least urgent, of these the last started; -1 for none."""
    row, pool = w.row, w.pool
    p = row[r, R_POOL]
    found = NONE
    if pool[p, P_NAMED]:
        for m in range(pool[p, P_FIRST], pool[p, P_END]):
            if w.member[m, M_DUTY] and w.able[w.node[row[r, R_NODE], N_ABLE], m]:
                found = _less_urgent(w, r, np.int64(m), found)
    elif pool[p, P_BUSY] <= pool[p, P_CAPACITY]:
        k = np.int64(w.lanes)
        while k > row[r, R_LANE] and found < 0:
            found = w.runs[pool[p, P_RUNS] + k - 1, 1]
            k -= 1
    return found


@inlined_part
def _less_urgent(w, r, m, found):
    """The row in service of a member, or that found before, that gives way first to `r`."""
    row = w.row
    x = w.member[m, M_HEAD]
    while x >= 0:
        if (
            row[x, R_STATE] == SERVING
            and row[x, R_LANE] > row[r, R_LANE]
            and (
                found < 0
                or row[x, R_LANE] > row[found, R_LANE]
                or (row[x, R_LANE] == row[found, R_LANE] and row[x, R_TURN] > row[found, R_TURN])
            )
        ):
            found = x
        x = row[x, R_NEXT]
    return found


@inlined_part
def take_member(w, p, m):
    """Note that a member has one case more in hand."""
    member = w.member
    if member[m, M_LOAD] == 0 and not member[m, M_PAUSED]:
        w.pool[p, P_BUSY] += 1
    member[m, M_LOAD] += 1


@inlined_part
def release_member(w, p, m):
    """Note that a member has one case less in hand, and since when he is idle."""
    state, member = w.state, w.member
    member[m, M_LOAD] -= 1
    if member[m, M_LOAD] == 0 and not member[m, M_PAUSED]:
        w.pool[p, P_BUSY] -= 1
    state[S_IDLE] += 1
    member[m, M_IDLE] = state[S_IDLE]


@inlined_part
def take_from_run(w, r):
    """Take a row off the list of what its server has in hand."""
    row, pool = w.row, w.pool
    p = row[r, R_POOL]
    m = row[r, R_MEMBER]
    if m >= 0:
        unlink(row, w.member, m, M_HEAD, M_TAIL, r)
    elif pool[p, P_RUNS] >= 0:
        unlink(row, w.runs, pool[p, P_RUNS] + row[r, R_LANE] - 1, 0, 1, r)


@inlined_part
def work_left(w, r):
    """Work in ns that a row in service still needs."""
    row = w.row
    m = row[r, R_MEMBER]
    elapsed = w.state[S_NOW] - row[r, R_SINCE]
    if m < 0:
        return row[r, R_WORK] - elapsed
    return max(row[r, R_WORK] - work_done(elapsed, w.rate[m, w.member[m, M_LOAD]]), 0)


@part
def working_time(w, k, work):
    """Instant at which some working time from now is over in calendar `k` (-1: time always runs)."""
    first, start, end, done = w.calendars
    now = w.state[S_NOW]
    at = now + work
    if k >= 0:
        low = first[k]
        high = first[k + 1]
        last = high
        while low < high:
            middle = (low + high) >> 1
            if end[middle] > now:
                high = middle
            else:
                low = middle + 1
        at = FOREVER
        if low < last:
            goal = done[low] + max(now - start[low], 0) + work
            high = last
            while low < high:
                middle = (low + high) >> 1
                if done[middle] + end[middle] - start[middle] >= goal:
                    high = middle
                else:
                    low = middle + 1
            if low < last:
                at = max(start[low] + goal - done[low], now)
    return at
