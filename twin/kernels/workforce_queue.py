"""Discovered processes with individuals whose time is limited: an exact discrete-event simulation.

Cases bring their routes; an instance may begin when all earlier ones of its case that do not run beside it have ended
and its extraneous delay is over. It then takes a free individual on duty, or waits until one who can do it is free. A
calendar says how many pieces of work an individual takes on at once in each half hour of the week, 0 = off duty; what
is under way when that falls goes on. Times are int64 ns since 1970 UTC; `draw` numbers as in twin.kernels.workforce.
"""

from __future__ import annotations

from twin.kernels import kernel, njit
from twin.kernels.heap import push, remove
from twin.kernels.philox import uniform
from twin.kernels.workforce import MONDAY_SHIFT, MS, SLOT, SLOTS, STEP, TIME, next_time, release

DELAYED, WAITING, RUNNING, DONE, HELD = 1, 2, 3, 4, 5
HOUR = 2 * SLOT
U_DELAY, U_SERVICE, U_CHOICE, U_SAME = 3300, 3301, 3302, 3303
PICK = 74


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
def work_of(seed, replication, number, counter, table, row, pace, hourly):
    """How much work (ns) an instance is: a quantile of its row times its paces, or -pace ms where that is known."""
    if pace < 0.0:
        return int(-pace) * MS
    u = uniform(seed, replication, TIME, number, counter)
    return int(quantile(table, row, u) * pace * hourly) * MS


@njit(cache=True)
def next_opening(opens, at):
    """The next instant, after `at`, at which somebody comes on duty; -1 if nobody ever does."""
    slot = (at + MONDAY_SHIFT) // SLOT
    for ahead in range(1, SLOTS + 1):
        if opens[(slot + ahead) % SLOTS] != 0:
            return (slot + ahead) * SLOT - MONDAY_SHIFT
    return -1


@njit(cache=True)
def goes_before(one, other, activity, priority, urgency, ready):
    """Whether instance `one` is taken before `other`: urgency -1, then lower class, smaller urgency, earlier ready."""
    if urgency[one] < 0 or urgency[other] < 0:
        return urgency[other] >= 0
    mine = priority[activity[one]]
    theirs = priority[activity[other]]
    if mine != theirs:
        return mine < theirs
    # Work of one case is equally old: what has waited longest goes first.
    return urgency[one] < urgency[other] or (urgency[one] == urgency[other] and ready[one] < ready[other])


@kernel
def run_workforce(
    seed, replication, begin, until, arrival, case_number, offset, open_cases, case_of, activity, status, ready, start,
    end, who, calendar, opens, skilled, unlimited, busy, due, pauses, s_group, service, pace, hourly, w_group,
    delay, same, concurrent, chain, priority, oldest_case, loose, first_waits, urgency,
    b_rule, b_size, b_wait, b_offset, b_minute, b_together, pool, mate, part,
    head, tail, waiting, following, times, sequences, items, place,
):  # fmt: skip
    """Run all cases to their ends, or to `until`; return the number of instances that ended.

    Instances of case c are offset[c] .. offset[c + 1] - 1. Those given as DONE or RUNNING (with `start`, `end`, `who`)
    or WAITING or DELAYED (with `ready`) are a state to begin from, that of the first `open_cases` cases; the others
    arrive at `arrival`. Unless `first_waits`, a case of known work arrives when it was seen to begin: its first
    instance goes before all others. In `loose` of 1,000 choices, any work of the first class is taken, all of it alike
    likely. Services are those of `service` times pace[t] times hourly[activity, hour of the
    day at the start], or known: -pace[t] ms.

    Instances of an activity with b_rule are held in pool[:, activity] (first, last, number; linked by `mate`) until
    b_size of them are there, the oldest has waited b_wait, or it is one of b_minute[b_offset[a] : b_offset[a + 1]] of
    the week. The first of a batch (part 2) is then dispatched like any other; the rest (part 1) begin with it.
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
    picks = 0
    for a in range(k):
        waiting[a] = 0
        head[a] = -1
        tail[a] = -1
        pool[0, a] = -1
        pool[1, a] = -1
        pool[2, a] = 0
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
            # Nothing else will happen: what is still held will not become more, and is begun.
            for a in range(k):
                if pool[2, a] > 0:
                    first = release(pool, a, part)
                    status[first] = DELAYED
                    size = push(times, sequences, items, place, size, now, sequence, first)
                    sequence += 1
                    kind = 4
            if kind == 0:
                break
            continue
        if at > now:
            now = at
        enabled_from = -1
        enabled_to = -1
        by = k
        freed = -1
        if kind == 1 and items[0] >= total + people:
            a = items[0] - total - people
            size = remove(times, sequences, items, place, size, items[0])
            first = release(pool, a, part)
            status[first] = DELAYED
            size = push(times, sequences, items, place, size, now, sequence, first)
            sequence += 1
            continue
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
                while busy[r] < calendar[r, slot]:
                    best = -1
                    for a in range(k):
                        can = head[a] >= 0 and skilled[a, r] > 0
                        if can and (best < 0 or goes_before(head[a], best, activity, priority, urgency, ready)):
                            best = head[a]
                    if best < 0:
                        break
                    a = activity[best]
                    before = -1
                    if loose > 0 and urgency[best] >= 0:
                        picks += 1
                        if uniform(seed, replication, PICK, picks, 0) * 1000.0 < loose:
                            level = priority[a]
                            number = 0
                            for x in range(k):
                                if skilled[x, r] > 0 and priority[x] == level:
                                    number += waiting[x]
                            number = int(uniform(seed, replication, PICK, picks, 1) * number)
                            a = 0
                            while skilled[a, r] == 0 or priority[a] != level or number >= waiting[a]:
                                if skilled[a, r] > 0 and priority[a] == level:
                                    number -= waiting[a]
                                a += 1
                            best = head[a]
                            for _ in range(number):
                                before = best
                                best = following[best]
                    if before < 0:
                        head[a] = following[best]
                    else:
                        following[before] = following[best]
                    if following[best] < 0:
                        tail[a] = before
                    waiting[a] -= 1
                    pending -= 1
                    busy[r] += 1
                    who[best] = r
                    start[best] = now
                    status[best] = RUNNING
                    c = case_of[best]
                    draw = (best - offset[c]) * STEP
                    hour = hourly[a, hour_of(now)]
                    row = s_group[a * people + r]
                    number = case_number[c]
                    work = work_of(seed, replication, number, draw + U_SERVICE, service, row, pace[best], hour)
                    end[best] = work_end(calendar, r, now, work, pauses)
                    size = push(times, sequences, items, place, size, end[best], sequence, best)
                    sequence += 1
                    m = mate[best] if part[best] == 2 else -1
                    while m >= 0:
                        part[m] = 1
                        who[m] = r
                        start[m] = now
                        status[m] = RUNNING
                        end[m] = end[best]
                        if b_together[a] == 0:
                            c = case_of[m]
                            draw = (m - offset[c]) * STEP + U_SERVICE
                            work = work_of(seed, replication, case_number[c], draw, service, row, pace[m], hour)
                            end[m] = work_end(calendar, r, now, work, pauses)
                        size = push(times, sequences, items, place, size, end[m], sequence, m)
                        sequence += 1
                        m = mate[m]
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
                freed = who[t] if part[t] != 1 else -1
                by = activity[t]
                enabled_from = t + 1
                enabled_to = offset[c + 1]
            else:
                a = activity[t]
                if b_rule[a] != 0 and part[t] == 0 and (first_waits != 0 or t > offset[c]):
                    status[t] = HELD
                    if pool[2, a] == 0:
                        pool[0, a] = t
                        due_at = until
                        if b_wait[a] > 0:
                            due_at = ready[t] + b_wait[a]
                        if b_offset[a + 1] > b_offset[a]:
                            due_at = next_time(b_minute, b_offset[a], b_offset[a + 1], now)
                        if due_at < until:
                            item = total + people + a
                            size = push(times, sequences, items, place, size, max(due_at, now), sequence, item)
                            sequence += 1
                    else:
                        mate[pool[1, a]] = t
                    pool[1, a] = t
                    pool[2, a] += 1
                    if b_size[a] > 0 and pool[2, a] >= b_size[a]:
                        if place[total + people + a] >= 0:
                            size = remove(times, sequences, items, place, size, total + people + a)
                        first = release(pool, a, part)
                        status[first] = DELAYED
                        size = push(times, sequences, items, place, size, now, sequence, first)
                        sequence += 1
                    continue
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
                        if skilled[a, p] > 0 and busy[p] < calendar[p, slot]:
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
                                if skilled[a, p] > 0 and busy[p] < calendar[p, slot]:
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
                    hour = hourly[a, hour_of(now)]
                    row = s_group[a * people + (r if r >= 0 else 0)]
                    number = case_number[c]
                    work = work_of(seed, replication, number, draw + U_SERVICE, service, row, pace[t], hour)
                    end[t] = work_end(calendar, r, now, work, pauses) if r >= 0 else now + work
                    size = push(times, sequences, items, place, size, end[t], sequence, t)
                    sequence += 1
                    m = mate[t] if part[t] == 2 else -1
                    while m >= 0:
                        part[m] = 1
                        who[m] = r
                        start[m] = now
                        status[m] = RUNNING
                        end[m] = end[t]
                        if b_together[a] == 0:
                            e = case_of[m]
                            draw = (m - offset[e]) * STEP + U_SERVICE
                            work = work_of(seed, replication, case_number[e], draw, service, row, pace[m], hour)
                            end[m] = work_end(calendar, r, now, work, pauses) if r >= 0 else now + work
                        size = push(times, sequences, items, place, size, end[m], sequence, m)
                        sequence += 1
                        m = mate[m]
                else:
                    status[t] = WAITING
                    waiting[a] += 1
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
                if first_waits == 0 and t == offset[c] and pace[t] < 0.0:
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
