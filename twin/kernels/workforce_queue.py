"""Discovered processes with individuals whose time is limited: an exact discrete-event simulation.

Cases bring their routes; an instance may begin when all earlier ones of its case that do not run beside it have ended
and its extraneous delay is over. It then takes a free individual on duty, or waits, first come first served, until one
who can do it is free. Times are int64 ns since 1970 UTC; `draw` numbers as in twin.kernels.workforce.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.kernels import kernel
from twin.kernels.heap import push, remove
from twin.kernels.philox import uniform
from twin.kernels.workforce import MONDAY_SHIFT, MS, SLOT, SLOTS, STEP, TIME, next_activity, steered_activity

DELAYED, WAITING, RUNNING, DONE = 1, 2, 3, 4
HOUR = 2 * SLOT
U_DELAY, U_SERVICE, U_CHOICE, U_SAME = 3300, 3301, 3302, 3303


@kernel
def draw_routes(
    seed, replication, stream, first_case, cases, child, chance, depth, longest, profile, steering, history, offset,
    activity,
):  # fmt: skip
    """Draw the routes of `cases` new cases numbered from `first_case`; return how many fitted into `activity`."""
    k = chance.shape[1] - 1
    for i in range(cases):
        n = 0
        at = offset[i]
        if at + longest > activity.shape[0]:
            return i
        while n < longest:
            u = uniform(seed, replication, stream, first_case + i, n * 64)
            following = steered_activity(child, chance, history, n, k, depth, profile[i], steering, u)
            if following == k:
                break
            history[n] = following
            activity[at + n] = following
            n += 1
        offset[i + 1] = at + n
    return cases


@njit(cache=True)
def hour_of(at):
    """The hour of the day, UTC."""
    return ((at + MONDAY_SHIFT) // HOUR) % 24


@njit(cache=True)
def on_duty(calendar, who, at):
    """Whether an individual is at work at an instant."""
    return calendar[who, ((at + MONDAY_SHIFT) // SLOT) % SLOTS] != 0


@njit(cache=True)
def work_end(calendar, who, begin, work, pauses):
    """When so much work (ns) is done if it begins at `begin`; it rests outside the calendar if `pauses`."""
    if not pauses:
        return begin + work
    at = begin
    left = work
    slot = ((at + MONDAY_SHIFT) // SLOT) % SLOTS
    room = SLOT - (at + MONDAY_SHIFT) % SLOT
    while True:
        if calendar[who, slot] != 0:
            if left <= room:
                return at + left
            left -= room
        at += room
        room = SLOT
        slot = slot + 1 if slot + 1 < SLOTS else 0


@njit(cache=True)
def quantile(table, row, u):
    """A quantile by linear interpolation between the points of a row."""
    points = table.shape[1]
    place = u * (points - 1)
    low = int(place)
    if low >= points - 1:
        return table[row, points - 1]
    return table[row, low] + int((place - low) * (table[row, low + 1] - table[row, low]))


@njit(cache=True)
def next_opening(opens, at):
    """The next instant, after `at`, at which somebody comes on duty; -1 if nobody ever does."""
    slot = (at + MONDAY_SHIFT) // SLOT
    for ahead in range(1, SLOTS + 1):
        if opens[(slot + ahead) % SLOTS] != 0:
            return (slot + ahead) * SLOT - MONDAY_SHIFT
    return -1


@njit(cache=True)
def goes_before(one, other, activity, priority, urgency):
    """Whether instance `one` is taken before `other`: urgency -1, then lower class, then the smaller urgency."""
    if urgency[one] < 0 or urgency[other] < 0:
        return urgency[other] >= 0
    mine = priority[activity[one]]
    theirs = priority[activity[other]]
    return mine < theirs or (mine == theirs and urgency[one] < urgency[other])


@kernel
def run_workforce(
    seed, replication, begin, until, arrival, case_number, offset, open_cases, case_of, activity, status, ready, start,
    end, who, calendar, opens, skilled, unlimited, limit, busy, due, pauses, s_group, service, pace, hourly, w_group,
    delay, same, concurrent, chain, priority, oldest_case, first_waits, urgency,
    head, tail, following, times, sequences, items, place,
):  # fmt: skip
    """Run all cases to their ends, or to `until`; return the number of instances that ended.

    Instances of case c are offset[c] .. offset[c + 1] - 1. Those given as DONE or RUNNING (with `start`, `end`, `who`)
    or WAITING or DELAYED (with `ready`) are a state to begin from, that of the first `open_cases` cases; the others
    arrive at `arrival`. Unless `first_waits`, a case arrives when it was seen to begin: its first instance goes before
    all others. Services are those of `service` times pace[t] times hourly[activity, hour of the day at the start].
    """
    cases = open_cases + arrival.shape[0]
    k = skilled.shape[0]
    people = skilled.shape[1]
    total = activity.shape[0]
    size = 0
    sequence = 0
    ended = 0
    now = begin
    pending = 0
    for a in range(k):
        head[a] = -1
        tail[a] = -1
    # The state: work under way holds its individual, work that waits is in its queue in order of `ready`.
    for t in range(total):
        if status[t] == RUNNING:
            if who[t] >= 0:
                busy[who[t]] += 1
            size = push(times, sequences, items, place, size, end[t], sequence, t)
            sequence += 1
        elif status[t] == DELAYED:
            size = push(times, sequences, items, place, size, ready[t], sequence, t)
            sequence += 1
        elif status[t] == WAITING:
            # It joins its queue at once, in order of when it became ready: through a timer in the past.
            status[t] = DELAYED
            size = push(times, sequences, items, place, size, ready[t], sequence, t)
            sequence += 1
    tick = next_opening(opens, begin - 1)
    case = open_cases
    while True:
        # The next event: an opening first, then an arrival, then a timer.
        kind = 0
        at = until
        if size > 0 and times[0] < at:
            at = times[0]
            kind = 1
        if case < cases and arrival[case - open_cases] <= at:
            at = arrival[case - open_cases]
            kind = 2
        if tick >= 0 and tick <= at and (pending > 0 or kind != 0):
            at = tick
            kind = 3
        if kind == 0:
            break
        if at > now:
            now = at
        enabled_from = -1
        enabled_to = -1
        by = k
        freed = -1
        if kind == 3 or (kind == 1 and items[0] >= total):
            first = 0
            stop = people
            if kind == 3:
                tick = next_opening(opens, tick)
            else:
                first = items[0] - total
                stop = first + 1
                size = remove(times, sequences, items, place, size, items[0])
                busy[first] -= due[first]
                due[first] = 0
            slot = ((now + MONDAY_SHIFT) // SLOT) % SLOTS
            for r in range(first, stop):
                while busy[r] < limit[r] and calendar[r, slot] != 0:
                    best = -1
                    for a in range(k):
                        can = head[a] >= 0 and skilled[a, r] > 0
                        if can and (best < 0 or goes_before(head[a], best, activity, priority, urgency)):
                            best = head[a]
                    if best < 0:
                        break
                    a = activity[best]
                    head[a] = following[best]
                    if head[a] < 0:
                        tail[a] = -1
                    pending -= 1
                    busy[r] += 1
                    who[best] = r
                    start[best] = now
                    status[best] = RUNNING
                    c = case_of[best]
                    draw = (best - offset[c]) * STEP
                    u = uniform(seed, replication, TIME, case_number[c], draw + U_SERVICE)
                    work = (
                        int(quantile(service, s_group[a * people + r], u) * pace[best] * hourly[a, hour_of(now)]) * MS
                    )
                    end[best] = work_end(calendar, r, now, work, pauses)
                    size = push(times, sequences, items, place, size, end[best], sequence, best)
                    sequence += 1
            continue
        if kind == 2:
            c = case
            case += 1
            if offset[c + 1] > offset[c]:
                enabled_from = offset[c]
                enabled_to = offset[c + 1]
        else:
            t = items[0]
            size = remove(times, sequences, items, place, size, t)
            c = case_of[t]
            if status[t] == RUNNING:
                status[t] = DONE
                ended += 1
                freed = who[t]
                by = activity[t]
                enabled_from = t + 1
                enabled_to = offset[c + 1]
            else:
                a = activity[t]
                r = -1
                draw = (t - offset[c]) * STEP
                if unlimited[a] == 0:
                    previous = -1
                    if t > offset[c]:
                        previous = who[t - 1]
                    mass = 0.0
                    favoured = 0
                    slot = ((now + MONDAY_SHIFT) // SLOT) % SLOTS
                    for p in range(people):
                        if skilled[a, p] > 0 and busy[p] < limit[p] and calendar[p, slot] != 0:
                            mass += skilled[a, p]
                            if p == previous:
                                favoured = 1
                    if mass > 0.0:
                        if favoured == 1:
                            group = w_group[activity[t - 1] * k + a]
                            u = uniform(seed, replication, TIME, case_number[c], draw + U_SAME)
                            if group >= 0 and u * 1000.0 < same[group]:
                                r = previous
                        if r < 0:
                            u = uniform(seed, replication, TIME, case_number[c], draw + U_CHOICE) * mass
                            for p in range(people):
                                if skilled[a, p] > 0 and busy[p] < limit[p] and calendar[p, slot] != 0:
                                    r = p
                                    u -= skilled[a, p]
                                    if u < 0.0:
                                        break
                if r >= 0 or unlimited[a] != 0:
                    if r >= 0:
                        busy[r] += 1
                    who[t] = r
                    start[t] = now
                    status[t] = RUNNING
                    u = uniform(seed, replication, TIME, case_number[c], draw + U_SERVICE)
                    row = s_group[a * people + (r if r >= 0 else 0)]
                    work = int(quantile(service, row, u) * pace[t] * hourly[a, hour_of(now)]) * MS
                    end[t] = work_end(calendar, r, now, work, pauses) if r >= 0 else now + work
                    size = push(times, sequences, items, place, size, end[t], sequence, t)
                    sequence += 1
                else:
                    status[t] = WAITING
                    following[t] = -1
                    if tail[a] < 0:
                        head[a] = t
                        tail[a] = t
                    elif urgency[t] >= urgency[tail[a]]:
                        following[tail[a]] = t
                        tail[a] = t
                    elif urgency[t] < urgency[head[a]]:
                        following[t] = head[a]
                        head[a] = t
                    else:
                        ahead = head[a]
                        while urgency[following[ahead]] <= urgency[t]:
                            ahead = following[ahead]
                        following[t] = following[ahead]
                        following[ahead] = t
                    pending += 1
                continue
        # Which instances of the case may go on now?
        begins = arrival[c - open_cases] if c >= open_cases else start[offset[c]]
        for t in range(enabled_from, enabled_to):
            if status[t] != 0:
                continue
            a = activity[t]
            blocked = False
            for j in range(t - 1, offset[c] - 1, -1):
                if status[j] != DONE and concurrent[a, activity[j]] == 0:
                    blocked = True
                    break
            if not blocked:
                wait = 0
                group = w_group[by * k + a]
                if group >= 0:
                    u = uniform(seed, replication, TIME, case_number[c], (t - offset[c]) * STEP + U_DELAY)
                    wait = quantile(delay, group, u) * MS
                status[t] = DELAYED
                ready[t] = now + wait
                urgency[t] = begins if oldest_case != 0 else ready[t]
                if first_waits == 0 and t == offset[c]:
                    urgency[t] = -1
                size = push(times, sequences, items, place, size, ready[t], sequence, t)
                sequence += 1
            elif chain != 0:
                break
        if freed >= 0:
            # It looks for work once everything that became possible at this instant is in the queues.
            due[freed] += 1
            if place[total + freed] < 0:
                size = push(times, sequences, items, place, size, now, sequence, total + freed)
                sequence += 1
    return ended


@kernel
def continue_routes(
    seed, replication, route_stream, now, first_case, p_offset, p_activity, p_end, child, chance, depth, longest,
    w_group, w_offset, w_ms, history, offset, activity, taken,
):  # fmt: skip
    """Routes of the cases open at `now`: what they did, and what is still to come; return how many cases fitted.

    A case whose instances have all ended goes on with an activity that would have begun by now only if it did: activity
    and wait are drawn from the fit until the wait outlasts the silence, or until the case is over.
    """
    k = chance.shape[1] - 1
    cases = p_offset.shape[0] - 1
    for c in range(first_case, cases):
        at = offset[c]
        if at + longest > activity.shape[0]:
            return c
        n = 0
        last = -1
        for row in range(p_offset[c], p_offset[c + 1]):
            history[n] = p_activity[row]
            activity[at + n] = p_activity[row]
            taken[at + n] = row
            if p_end[row] < 0:
                last = now
            elif p_end[row] > last:
                last = p_end[row]
            n += 1
        silent = now - last
        fresh = True
        while n < longest:
            following = k
            for attempt in range(64):
                u = uniform(seed, replication, route_stream, c, n * 64 + attempt)
                following = next_activity(child, chance, history, n, k, depth, u)
                if following == k or not fresh or silent <= 0 or n == 0:
                    break
                group = w_group[history[n - 1] * k + following]
                wait = np.int64(0)
                if group >= 0 and w_offset[group + 1] > w_offset[group]:
                    v = uniform(seed, replication, TIME, c, n * STEP + 3400 + attempt)
                    wait = w_ms[w_offset[group] + int(v * (w_offset[group + 1] - w_offset[group]))] * MS
                if wait > silent:
                    break
                following = k if attempt == 63 else following
            if following == k:
                break
            fresh = False
            history[n] = following
            activity[at + n] = following
            taken[at + n] = -1
            n += 1
        offset[c + 1] = at + n
    return cases


@kernel
def residual_work(table, row, age_ms, u):
    """A quantile of the work (ms) at `u` among those longer than `age_ms`; a little more than the age if none is."""
    points = table.shape[1]
    below = 0
    while below < points and table[row, below] <= age_ms:
        below += 1
    if below >= points:
        return age_ms + 1 + int(u * age_ms * 0.5)
    low = np.float64(below - 1 if below > 0 else 0) / (points - 1)
    found = quantile(table, row, low + (1.0 - low) * u)
    return found if found > age_ms else age_ms + 1
