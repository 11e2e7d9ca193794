"""Discovered processes, case by case: routes from a context tree, waits and services by the time of the week.

Times are int64 ns since 1970 UTC; tables are in ms and in minutes since Monday 00:00 UTC. Draw `counter` of case `c` is
Philox (seed, replication, stream, c, counter): the luck of a case depends on nothing else.
"""

from __future__ import annotations

import math

import numpy as np

from twin.kernels import kernel, njit
from twin.kernels.philox import uniform, uniform2

MS = 1_000_000
MINUTE = 60_000 * MS
WEEK_MINUTES = 10_080
MONDAY_SHIFT = 259_200_000_000_000
SLOT = 30 * MINUTE
SLOTS = 336
ROUTE, TIME = 67, 68
"""Streams, as in twin.randomness."""
STEP = 4096
"""Draws that one step of a case may use."""
TRIES = 64
ALIGN = 4
"""A time that long against the shift to its neighbour keeps the neighbour's clock time rather than its length."""
FEWEST_NEIGHBOURS = 5
REFUSALS = 8
LAST_DRAW = 1 << 30
"""Bit of the counter of the draw that decides when all tries at accepting a sample are used up."""


@njit(cache=True)
def context_of(child, history, length, start_symbol, depth):
    """The node of the longest known history."""
    node = 0
    for back in range(depth):
        symbol = history[length - 1 - back] if back < length else start_symbol
        following = child[node, symbol]
        if following < 0:
            break
        node = following
        if back >= length:
            break
    return node


@njit(cache=True)
def next_activity(child, chance, history, length, start_symbol, depth, u):
    """Draw the follower of history[:length] (newest last); `start_symbol` as a result means the end."""
    row = chance[context_of(child, history, length, start_symbol, depth)]
    lo = 0
    hi = start_symbol
    while lo < hi:
        mid = (lo + hi) >> 1
        if u < row[mid]:
            hi = mid
        else:
            lo = mid + 1
    return lo


@njit(cache=True)
def steered_activity(child, chance, history, length, start_symbol, depth, profile, steering, u):
    """As `next_activity`, chances times steering[profile, last activity]; profile -1 = as they are."""
    if profile < 0:
        return next_activity(child, chance, history, length, start_symbol, depth, u)
    row = chance[context_of(child, history, length, start_symbol, depth)]
    factor = steering[profile, history[length - 1] if length > 0 else start_symbol]
    total = 0.0
    before = 0.0
    for symbol in range(start_symbol + 1):
        total += (row[symbol] - before) * factor[symbol]
        before = row[symbol]
    left = u * total
    before = 0.0
    found = start_symbol
    for symbol in range(start_symbol + 1):
        mass = (row[symbol] - before) * factor[symbol]
        before = row[symbol]
        if mass > 0.0:
            found = symbol
            left -= mass
            if left < 0.0:
                break
    return found


@njit(cache=True)
def around(i, first, stop):
    """The index in a ring of samples; `i` is less than once around away."""
    if i < first:
        return i + stop - first
    return i - stop + first if i >= stop else i


@njit(cache=True)
def near(first, stop, minute, keep, at, seed, replication, entity, counter):
    """A sample taken at about the minute `at` of the week: one of the nearest, by its weight; -1 if there is none.

    Weights are relative to the heaviest of the whole log: where all of the nearest weigh little, and so are refused,
    one draw decides among them by the weights they have.
    """
    n = stop - first
    if n <= 0:
        return -1
    k = min(n, max(FEWEST_NEIGHBOURS, int(math.sqrt(n))))
    lo = first
    hi = stop
    while lo < hi:
        mid = (lo + hi) >> 1
        if minute[mid] < at:
            lo = mid + 1
        else:
            hi = mid
    left = lo
    hi = stop
    while lo < hi:
        mid = (lo + hi) >> 1
        if minute[mid] <= at:
            lo = mid + 1
        else:
            hi = mid
    tied = lo - left
    begin = left
    size = tied
    if tied <= k:
        begin = left + (tied >> 1) - (k >> 1)
        size = k
    found = left
    for attempt in range(REFUSALS):
        u, v = uniform2(seed, replication, TIME, entity, counter + attempt)
        found = around(begin + int(u * size), first, stop)
        if v * 1000.0 < keep[found]:
            return found
    total = 0
    for i in range(begin, begin + size):
        total += keep[around(i, first, stop)]
    if total > 0:
        rest = int(uniform(seed, replication, TIME, entity, counter | LAST_DRAW) * total)
        i = begin
        while rest >= keep[around(i, first, stop)]:
            rest -= keep[around(i, first, stop)]
            i += 1
        found = around(i, first, stop)
    return found


@njit(cache=True)
def open_time(hours, at):
    """Open time (ns) since a Monday long ago; `hours` says of each half hour of the week whether it is open."""
    whole = (at + MONDAY_SHIFT) // SLOT
    total = 0
    inside = 0
    slot = whole % SLOTS
    for i in range(SLOTS):
        total += hours[i]
        if i < slot:
            inside += hours[i]
    part = (at + MONDAY_SHIFT) % SLOT if hours[slot] != 0 else 0
    return (whole // SLOTS * total + inside) * SLOT + part


@njit(cache=True)
def after_open_time(hours, at, left):
    """How long (ns) from `at` until so much open time (ns) has passed; some half hour must be open."""
    now = at
    room = SLOT - (at + MONDAY_SHIFT) % SLOT
    slot = ((at + MONDAY_SHIFT) // SLOT) % SLOTS
    while True:
        if hours[slot] != 0:
            if left < room:
                return now + left - at
            left -= room
        now += room
        room = SLOT
        slot = slot + 1 if slot + 1 < SLOTS else 0


@njit(cache=True)
def open_at(hours, at):
    """Whether the half hour of an instant is open."""
    return hours[((at + MONDAY_SHIFT) // SLOT) % SLOTS] != 0


@njit(cache=True)
def lasts(minute, milliseconds, found, at_ns, hours, wait, pace):
    """How long (ns) sample `found` lasts when it begins at `at_ns`.

    A service that begins and ends in open hours rests in closed ones: it lasts as long in open time. Other long ones
    end at the sample's clock time. The rest last as long in open time if it is a wait, or if the sample itself went on
    over closed hours: so nothing begins at night because a sample of another day did not pass one. Other than 1, `pace`
    multiplies the length (the open time), wherever it then ends. Without `hours` (none at all) no clock matters: it
    lasts as long as the sample.
    """
    length = milliseconds[found] * MS
    if hours.shape[0] == 0:
        return int(length * pace)
    taken = minute[found] * MINUTE - MONDAY_SHIFT
    if pace != 1.0:
        within = open_time(hours, taken + length) - open_time(hours, taken)
        if wait != 0 or within < length:
            return after_open_time(hours, at_ns, int(within * pace))
        return int(length * pace)
    shift = (at_ns + MONDAY_SHIFT) % (WEEK_MINUTES * MINUTE) - minute[found] * MINUTE
    half = WEEK_MINUTES * MINUTE // 2
    if shift > half:
        shift -= 2 * half
    elif shift < -half:
        shift += 2 * half
    if abs(shift) < MINUTE:
        return length
    rests = wait == 0 and 0 < length < WEEK_MINUTES * MINUTE
    rests = rests and open_at(hours, taken) and open_at(hours, taken + length - 1) and open_at(hours, at_ns)
    if not rests and length > ALIGN * abs(shift):
        return length - shift
    within = open_time(hours, taken + length) - open_time(hours, taken)
    if wait != 0 or rests or within < length:
        return after_open_time(hours, at_ns, within)
    return length


@njit(cache=True)
def next_time(minute, first, stop, at):
    """The next of the given minutes of the week, at `at` or later; there must be one."""
    week = (at + MONDAY_SHIFT) // (SLOTS * SLOT)
    for ahead in range(2):
        for i in range(first, stop):
            found = (week + ahead) * SLOTS * SLOT + minute[i] * (SLOT // 30) - MONDAY_SHIFT
            if found >= at:
                return found
    return at


@njit(cache=True)
def release(pool, a, part):
    """Empty the pool of an activity; its first instance leads the batch, the others follow."""
    first = pool[0, a]
    part[first] = 2
    pool[0, a] = -1
    pool[1, a] = -1
    pool[2, a] = 0
    return first


@kernel
def walk_cases(
    seed, replication, first_case, stop_case, arrival, now,
    p_offset, p_activity, p_resource, p_start, p_end,
    child, chance, depth, longest, profile, steering, concurrent, hours, c_pace,
    l_group, l_offset, l_minute, l_ms, l_keep, w_group, w_same,
    s_offset, s_minute, s_ms, s_resource, s_keep, s_pace,
    o_group, o_offset, o_minute, o_ms, o_keep, o_pace,
    history, ends, starts, who,
    out_case, out_activity, out_resource, out_start, out_end, written,
):  # fmt: skip
    """Live cases first_case .. stop_case - 1 through; return (next case, rows written): full arrays stop it early.

    Cases below len(p_offset) - 1 are open at `now` with the instances p_*[p_offset[c] : p_offset[c + 1]] in order of
    start (end -1 = running); others arrive at arrival[case]. What lies before `now` is not written. `hours` says which
    half hours of the week are open (none at all: no clock matters). `steering[profile[case]]` multiplies the chances
    of routes, c_pace[case, activity] (one row = all alike) services as against the pace of their samples, in
    thousandths.
    """
    k = chance.shape[1] - 1
    resources = o_group.shape[0] // k
    open_cases = p_offset.shape[0] - 1
    capacity = out_case.shape[0]
    case = first_case
    while case < stop_case:
        if written + longest + 1 >= capacity:
            break
        n = 0
        is_open = case < open_cases
        if is_open:
            for row in range(p_offset[case], p_offset[case + 1]):
                if n >= longest:
                    break
                history[n] = p_activity[row]
                who[n] = p_resource[row]
                starts[n] = p_start[row]
                ends[n] = p_end[row]
                if p_end[row] < 0:
                    # Running: a service that is longer than it has been already.
                    age = now - p_start[row]
                    at = ((p_start[row] + MONDAY_SHIFT) // MINUTE) % WEEK_MINUTES
                    a = history[n]
                    length = age
                    own_pace = c_pace[case if c_pace.shape[0] > 1 else 0, a]
                    for attempt in range(TRIES):
                        found = near(
                            s_offset[a], s_offset[a + 1], s_minute, s_keep, at, seed, replication, case,
                            n * STEP + 1000 + attempt * 8,
                        )  # fmt: skip
                        if found >= 0:
                            pace = own_pace * 1000.0 / s_pace[found if s_pace.shape[0] > 1 else 0]
                            length = lasts(s_minute, s_ms, found, p_start[row], hours, 0, pace)
                            if length > age:
                                break
                    if length <= age:
                        length = age + int(age * uniform(seed, replication, TIME, case, n * STEP + 2000))
                    ends[n] = p_start[row] + length
                    out_case[written] = case
                    out_activity[written] = a
                    out_resource[written] = who[n]
                    out_start[written] = starts[n]
                    out_end[written] = ends[n]
                    written += 1
                n += 1
        fresh = is_open
        while n < longest:
            activity = k
            begin = 0
            for attempt in range(TRIES):
                u = uniform(seed, replication, ROUTE, case, n * 64 + attempt)
                activity = steered_activity(child, chance, history, n, k, depth, profile[case], steering, u)
                if activity == k:
                    break
                ready = np.int64(-1)
                by = -1
                for j in range(n):
                    if concurrent[activity, history[j]] == 0 and ends[j] >= ready:
                        ready = ends[j]
                        by = j
                begin = arrival[case] if not is_open else now
                if n > 0:
                    # Activities are drawn in order of start: from when this one could begin and the last one had.
                    beside = 1 if starts[n - 1] > ready else 0
                    begin = max(ready, starts[n - 1])
                    group = l_group[((history[by] if by >= 0 else k) * k + activity) * 2 + beside]
                    at = ((begin + MONDAY_SHIFT) // MINUTE) % WEEK_MINUTES
                    found = near(
                        l_offset[group], l_offset[group + 1], l_minute, l_keep, at, seed, replication, case,
                        n * STEP + attempt * 16,
                    )  # fmt: skip
                    if found >= 0:
                        begin += lasts(l_minute, l_ms, found, begin, hours, 1, 1.0)
                # What has not begun by now begins later.
                if not fresh or begin >= now:
                    break
                if attempt == TRIES - 1:
                    activity = k
            if activity == k:
                break
            fresh = False
            at = ((begin + MONDAY_SHIFT) // MINUTE) % WEEK_MINUTES
            found = near(
                s_offset[activity], s_offset[activity + 1], s_minute, s_keep, at, seed, replication, case,
                n * STEP + 3000,
            )  # fmt: skip
            person = s_resource[found] if found >= 0 else -1
            own_pace = c_pace[case if c_pace.shape[0] > 1 else 0, activity]
            length = 0
            if found >= 0:
                pace = own_pace * 1000.0 / s_pace[found if s_pace.shape[0] > 1 else 0]
                length = lasts(s_minute, s_ms, found, begin, hours, 0, pace)
            group = w_group[(history[by] if by >= 0 else k) * k + activity]
            goes_on = by >= 0 and group >= 0 and who[by] >= 0
            if goes_on and uniform(seed, replication, TIME, case, n * STEP + 3100) * 1000.0 < w_same[group]:
                person = who[by]
            if person >= 0 and found >= 0 and person != s_resource[found]:
                own = o_group[activity * resources + person]
                if own >= 0:
                    other = near(
                        o_offset[own], o_offset[own + 1], o_minute, o_keep, at, seed, replication, case,
                        n * STEP + 3200,
                    )  # fmt: skip
                    if other >= 0:
                        pace = own_pace * 1000.0 / o_pace[other if o_pace.shape[0] > 1 else 0]
                        length = lasts(o_minute, o_ms, other, begin, hours, 0, pace)
            history[n] = activity
            who[n] = person
            starts[n] = begin
            ends[n] = begin + length
            out_case[written] = case
            out_activity[written] = activity
            out_resource[written] = person
            out_start[written] = begin
            out_end[written] = begin + length
            written += 1
            n += 1
        case += 1
    return case, written
