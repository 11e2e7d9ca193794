"""Servers of the general process kernel: who takes a case, how fast he works, and what is counted meanwhile."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined, kernel
from twin.kernels.philox import block, unit32
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import unlink


@inlined
def touch(pool, pool_area, p, now):
    """Bring the time integrals of a pool up to `now`."""
    dt = np.float64(now - pool[p, P_TOUCHED])
    pool[p, P_TOUCHED] = now
    busy = pool[p, P_BUSY]
    capacity = pool[p, P_CAPACITY]
    pool_area[p, A_QUEUE] += dt * pool[p, P_QUEUE]
    pool_area[p, A_BUSY] += dt * busy
    # Whoever finishes his case after the shift is paid for it.
    pool_area[p, A_STAFFED] += dt * (busy if capacity == UNLIMITED else max(busy, capacity))


@inlined
def list_of(pool, node, p, n, lane):
    """Number of the queue for a lane (0: paused at the end of a shift, 1: most urgent) and a task's requirements."""
    return pool[p, P_LISTS] + lane * pool[p, P_REQUIRES] + node[n, N_REQUIRE]


@inlined
def duration_at(work, rate):
    """Time in ns that some work takes at a rate."""
    return work if rate == 1.0 else np.int64(np.float64(work) / rate + 0.5)


@inlined
def work_done(elapsed, rate):
    """Work in ns done in a time at a rate."""
    return elapsed if rate == 1.0 else np.int64(np.float64(elapsed) * rate + 0.5)


@inlined
def credit_counted(node, case, count, total, n, c, work):
    """Count service of a pool without names when it starts; taken back, with a minus, when it is broken off."""
    total[n, T_SERVICE] += work
    count[n, K_BUSY] += work
    if c >= 0 and node[n, N_ACTIVE]:
        case[c, C_ACTIVE] += work


@inlined
def credit_named(node, case, count, total, member_busy, n, c, m, elapsed, load):
    """Count service of a member when it stops; of his own time each of several cases has its share."""
    total[n, T_SERVICE] += elapsed
    count[n, K_BUSY] += elapsed
    member_busy[n, m] += elapsed // max(load, 1)
    if c >= 0 and node[n, N_ACTIVE]:
        case[c, C_ACTIVE] += elapsed


@inlined
def free_member(streams, key, replication, node, row, case, pool, member, able, r):
    """The free member who takes a row, -1 if there is none: least loaded first, then by the pool's rule."""
    p = row[r, R_POOL]
    n = row[r, R_NODE]
    best = NONE
    found = 0
    for m in range(pool[p, P_FIRST], pool[p, P_END]):
        if not member[m, M_DUTY] or member[m, M_LOAD] >= member[m, M_MOST] or not able[node[n, N_ABLE], m]:
            continue
        if best < 0 or member[m, M_LOAD] < member[best, M_LOAD]:
            best = np.int64(m)
            found = 1
        elif member[m, M_LOAD] == member[best, M_LOAD]:
            found += 1
            if pool[p, P_RULE] == LONGEST_IDLE and member[m, M_IDLE] < member[best, M_IDLE]:
                best = np.int64(m)
    if found > 1 and pool[p, P_RULE] == ANY:
        c = row[r, R_CASE]
        words = block(
            key,
            replication,
            streams[Q_ALLOCATION],
            case[max(c, 0), C_ENTITY],
            np.uint64(n * MAX_VISITS + row[r, R_VISIT]),
        )
        skip = np.int64(unit32(words[0]) * found)
        load = member[best, M_LOAD]
        for m in range(pool[p, P_FIRST], pool[p, P_END]):
            if not member[m, M_DUTY] or member[m, M_LOAD] != load or not able[node[n, N_ABLE], m]:
                continue
            if load >= member[m, M_MOST]:
                continue
            if skip == 0:
                best = np.int64(m)
                break
            skip -= 1
    return best


@inlined
def has_server(node, pool, member, able, n, p):
    """Whether a case that comes to a task now need not wait."""
    free = pool[p, P_BUSY] < pool[p, P_CAPACITY]
    if pool[p, P_NAMED]:
        free = False
        for m in range(pool[p, P_FIRST], pool[p, P_END]):
            if member[m, M_DUTY] and member[m, M_LOAD] < member[m, M_MOST] and able[node[n, N_ABLE], m]:
                free = True
                break
    return free


@inlined
def first_waiting(row, pool, lists, able, lanes, p, m):
    """The row that a free server of a pool takes next (`m` is the member, or -1), with its list; -1 for none."""
    best = NONE
    where = NONE
    for lane in range(lanes + 1):
        first = pool[p, P_LISTS] + lane * pool[p, P_REQUIRES]
        for q in range(pool[p, P_REQUIRES]):
            head = lists[first + q, 0]
            if (
                head >= 0
                and (m < 0 or able[lists[first + q, 2], m])
                and (best < 0 or row[head, R_ORDER] < row[best, R_ORDER])
            ):
                best = head
                where = np.int64(first + q)
        if best >= 0:
            break
    return best, where


@inlined
def victim(node, row, pool, member, runs, able, lanes, n, p, lane):
    """The row in service that gives way to one of a lane: the least urgent, of these the last started; -1 for none."""
    found = NONE
    if pool[p, P_NAMED]:
        for m in range(pool[p, P_FIRST], pool[p, P_END]):
            if not member[m, M_DUTY] or not able[node[n, N_ABLE], m]:
                continue
            x = member[m, M_HEAD]
            while x >= 0:
                if (
                    row[x, R_STATE] == SERVING
                    and row[x, R_LANE] > lane
                    and (
                        found < 0
                        or row[x, R_LANE] > row[found, R_LANE]
                        or (row[x, R_LANE] == row[found, R_LANE] and row[x, R_TURN] > row[found, R_TURN])
                    )
                ):
                    found = x
                x = row[x, R_NEXT]
    elif pool[p, P_BUSY] <= pool[p, P_CAPACITY]:
        k = np.int64(lanes)
        while k > lane and found < 0:
            found = runs[pool[p, P_RUNS] + k - 1, 1]
            k -= 1
    return found


@inlined
def take_from_run(row, pool, member, runs, r):
    """Take a row off the list of what its server has in hand."""
    p = row[r, R_POOL]
    m = row[r, R_MEMBER]
    if m >= 0:
        unlink(row, member, m, M_HEAD, M_TAIL, r)
    elif pool[p, P_RUNS] >= 0:
        unlink(row, runs, pool[p, P_RUNS] + row[r, R_LANE] - 1, 0, 1, r)


@inlined
def work_left(row, member, rate, r, now):
    """Work in ns that a row in service still needs."""
    m = row[r, R_MEMBER]
    if m < 0:
        return row[r, R_WORK] - (now - row[r, R_SINCE])
    return max(row[r, R_WORK] - work_done(now - row[r, R_SINCE], rate[m, member[m, M_LOAD]]), 0)


@kernel
def working_time(calendars, k, now, work):
    """Instant at which some working time from `now` is over in calendar `k` (-1: time always runs)."""
    first, start, end, done = calendars
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


@inlined
def lane_of(law, case, n, c):
    """Lane of a case in the queue of a task, from 1."""
    return law[4 * n + 2, case[c, C_CLASS]] + 1


@inlined
def busy_member(pool, member, p, m):
    """Note that a member has one case less in hand."""
    member[m, M_LOAD] -= 1
    if member[m, M_LOAD] == 0 and not member[m, M_PAUSED]:
        pool[p, P_BUSY] -= 1
