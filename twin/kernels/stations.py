"""Exact queueing stations: many servers, many servers with a time budget, and a pacer of messages per slot.

Work waits in a queue of rows (arrival time, item, service demand), sorted by (time, item); `item` is an int64 below
2**60 and breaks ties. Work in service is a binary heap of rows (departure time, item). All are int64 arrays of two
dimensions; the numbers of a station are a row of int64 with the fields below. A service demand is at least 1 ns, so
that departures come out sorted. A call handles what starts strictly before `until` and carries the rest; calls in many
small steps give the same result as one big step, and a change of capacity between two calls acts on work that has not
started.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from twin.kernels import philox

HEAD, TAIL, BUSY, NOW, SERVERS, BUSY_NS, CAPACITY_NS, STARTED, RELEASED, SLOT_NS, SLOT, USED = range(12)
"""Queue head and tail; number in service; last `until`; servers (or messages per slot of a pacer; -1 = no limit);
service time started; server time offered; messages started; queue row up to which budgets have run out; slot length,
current slot and messages sent in it."""
N_NUMBERS = 12
FULL = np.int64(-1)
"""Returned instead of a count when an array has no room."""
NEVER = 1 << 62
LATE = np.int64(1 << 60)
"""Flag of an item whose time budget ran out."""
CONSTANT, EXPONENTIAL, LOGNORMAL = 0, 1, 2
_ACKLAM_A = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_ACKLAM_B = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
)
_ACKLAM_C = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_ACKLAM_D = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00)


@njit(cache=True)
def _tail_quantile(q):
    """Normal quantile below 0.02425, from q = sqrt(-2 log p)."""
    c, d = _ACKLAM_C, _ACKLAM_D
    top = ((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]
    return top / ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1.0)


@njit(cache=True)
def normal_quantile(p):
    """Standard normal quantile, 0 < p < 1, by Acklam's rational functions (relative error below 1.2e-9)."""
    if p < 0.02425:
        return _tail_quantile(math.sqrt(-2.0 * math.log(p)))
    if p > 1.0 - 0.02425:
        return -_tail_quantile(math.sqrt(-2.0 * math.log(1.0 - p)))
    a, b = _ACKLAM_A, _ACKLAM_B
    q = p - 0.5
    r = q * q
    top = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q
    return top / (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1.0)


@njit(cache=True)
def demand_of(law, seed, replication, stream, entity, counter):
    """Service demand in ns (at least 1) of one draw; `law` is float64 (kind, mean in ns, mu, sigma)."""
    if law[0] == CONSTANT:
        x = law[1]
    elif law[0] == EXPONENTIAL:
        x = law[1] * philox.exponential(seed, replication, stream, entity, counter)
    else:
        x = math.exp(law[2] + law[3] * normal_quantile(philox.uniform(seed, replication, stream, entity, counter)))
    return max(np.int64(1), np.int64(x + 0.5))


@njit(cache=True)
def heap_push(heap, n, time, item):
    """Put (time, item) into a heap of n rows."""
    k = n
    while k > 0:
        parent = (k - 1) >> 1
        t = heap[parent, 0]
        if t < time or (t == time and heap[parent, 1] <= item):
            break
        heap[k, 0] = t
        heap[k, 1] = heap[parent, 1]
        k = parent
    heap[k, 0] = time
    heap[k, 1] = item


@njit(cache=True)
def heap_drop(heap, n):
    """Remove the first row of a heap of n rows; n - 1 remain."""
    n -= 1
    time, item = heap[n, 0], heap[n, 1]
    k = 0
    child = 1
    while child < n:
        if child + 1 < n:
            a, b = heap[child, 0], heap[child + 1, 0]
            if b < a or (b == a and heap[child + 1, 1] < heap[child, 1]):
                child += 1
        t = heap[child, 0]
        if time < t or (time == t and item <= heap[child, 1]):
            break
        heap[k, 0] = t
        heap[k, 1] = heap[child, 1]
        k = child
        child = 2 * k + 1
    heap[k, 0] = time
    heap[k, 1] = item


@njit(cache=True)
def put(queue, numbers, time, item, demand):
    """Append work to a queue; the caller keeps (time, item) sorted. False when the queue is full."""
    tail = numbers[TAIL]
    if tail >= queue.shape[0]:
        return False
    queue[tail, 0] = time
    queue[tail, 1] = item
    queue[tail, 2] = demand
    numbers[TAIL] = tail + 1
    return True


@njit(cache=True)
def serve(queue, heap, numbers, until, out):
    """First come, first served by `SERVERS` equal servers (G/G/c).

    Writes the departures before `until` into `out` as rows (time, item) and returns their number, or FULL.
    """
    head, tail, busy, now, servers = numbers[HEAD], numbers[TAIL], numbers[BUSY], numbers[NOW], numbers[SERVERS]
    limit = servers if servers >= 0 else NEVER
    clock, n = now, 0
    while True:
        start = max(queue[head, 0], clock) if head < tail else NEVER
        # Departures up to the start, and as many more as it takes to free a server (the start then moves).
        while busy > 0 and heap[0, 0] < until and (heap[0, 0] <= start or busy >= limit):
            if n >= out.shape[0]:
                return FULL
            start = max(start, heap[0, 0])
            out[n, 0] = heap[0, 0]
            out[n, 1] = heap[0, 1]
            n += 1
            heap_drop(heap, busy)
            busy -= 1
        if start >= until or busy >= limit:
            break
        clock = start
        if busy >= heap.shape[0]:
            return FULL
        heap_push(heap, busy, start + queue[head, 2], queue[head, 1])
        busy += 1
        numbers[BUSY_NS] += queue[head, 2]
        numbers[STARTED] += 1
        head += 1
    if servers > 0:
        numbers[CAPACITY_NS] += servers * (until - now)
    numbers[HEAD], numbers[BUSY], numbers[NOW] = head, busy, until
    return n


@njit(cache=True)
def serve_within(queue, heap, numbers, overdue, over, budget, until, answers, out, late):
    """As `serve`, but whoever has no answer `budget` ns after arriving leaves without it; the answer comes late.

    A lookup whose asker has left is still done: it occupies its server. `overdue` is a queue with numbers `over` of
    those whose budget runs out; `answers` is scratch. Departures go to `out` as (time, item), with LATE added to the
    item of one that left without an answer; late answers go to `late` as (time, item). Returns both numbers.
    """
    head, tail, busy, now, servers = numbers[HEAD], numbers[TAIL], numbers[BUSY], numbers[NOW], numbers[SERVERS]
    limit = servers if servers >= 0 else NEVER
    released = max(numbers[RELEASED], head)
    clock, n, n_late = now, 0, 0
    while True:
        start = max(queue[head, 0], clock) if head < tail else NEVER
        while busy > 0 and heap[0, 0] < until and (heap[0, 0] <= start or busy >= limit):
            start = max(start, heap[0, 0])
            if heap[0, 1] & LATE:
                if n_late >= late.shape[0]:
                    return FULL, 0
                late[n_late, 0] = heap[0, 0]
                late[n_late, 1] = heap[0, 1] ^ LATE
                n_late += 1
            else:
                if n >= answers.shape[0]:
                    return FULL, 0
                answers[n, 0] = heap[0, 0]
                answers[n, 1] = heap[0, 1]
                n += 1
            heap_drop(heap, busy)
            busy -= 1
        if start >= until or busy >= limit:
            break
        clock = start
        answer, item, due = start + queue[head, 2], queue[head, 1], queue[head, 0] + budget
        if answer > due:
            if head >= released and not put(overdue, over, due, item, 0):
                return FULL, 0
            item |= LATE
        if busy >= heap.shape[0]:
            return FULL, 0
        heap_push(heap, busy, answer, item)
        busy += 1
        numbers[BUSY_NS] += queue[head, 2]
        numbers[STARTED] += 1
        head += 1
        released = max(released, head)
    while released < tail and queue[released, 0] + budget < until:
        if not put(overdue, over, queue[released, 0] + budget, queue[released, 1], 0):
            return FULL, 0
        released += 1
    if servers > 0:
        numbers[CAPACITY_NS] += servers * (until - now)
    numbers[HEAD], numbers[BUSY], numbers[NOW], numbers[RELEASED] = head, busy, until, released
    return merge(answers, n, overdue, over, until, LATE, out), n_late


@njit(cache=True)
def merge(first, n_first, second, numbers, until, flag, out):
    """Merge n sorted rows with the rows before `until` of a queue, which leave it with `flag` added; count or FULL."""
    i = n = 0
    j, tail = numbers[HEAD], numbers[TAIL]
    while True:
        has_second = j < tail and second[j, 0] < until
        if not has_second and i >= n_first:
            break
        if n >= out.shape[0]:
            return FULL
        take = has_second
        if has_second and i < n_first:
            item = second[j, 1] | flag
            take = second[j, 0] < first[i, 0] or (second[j, 0] == first[i, 0] and item < first[i, 1])
        if take:
            out[n, 0] = second[j, 0]
            out[n, 1] = second[j, 1] | flag
            j += 1
        else:
            out[n, 0] = first[i, 0]
            out[n, 1] = first[i, 1]
            i += 1
        n += 1
    numbers[HEAD] = j
    return n


@njit(cache=True)
def next_open(windows, time):
    """First instant not before `time` inside one of the sorted windows (rows [open, close)); NEVER if there is none."""
    for k in range(windows.shape[0]):
        if time < windows[k, 1]:
            return max(time, windows[k, 0])
    return NEVER


@njit(cache=True)
def pace(queue, numbers, windows, until, out):
    """Let at most `SERVERS` messages per slot of `SLOT_NS` through, in order; the excess waits for the next slot.

    Nothing passes outside the windows. Writes (time, item) of those that pass before `until`; returns their number.
    """
    head, tail, now = numbers[HEAD], numbers[TAIL], numbers[NOW]
    limit, length, slot, used = numbers[SERVERS], numbers[SLOT_NS], numbers[SLOT], numbers[USED]
    n = 0
    while head < tail and limit != 0:
        time = next_open(windows, max(queue[head, 0], now))
        if limit > 0 and time < until:
            s = time // length
            if s < slot:
                s = slot
                time = s * length
            u = used if s == slot else 0
            if u >= limit:
                u = 0
                time = next_open(windows, (s + 1) * length)
                s = time // length
            if time < until:
                slot, used = s, u + 1
        if time >= until:
            break
        if n >= out.shape[0]:
            return FULL
        out[n, 0] = time
        out[n, 1] = queue[head, 1]
        n += 1
        head += 1
    numbers[STARTED] += n
    if limit > 0:
        numbers[CAPACITY_NS] += limit * (until - now) // length
    numbers[HEAD], numbers[NOW], numbers[SLOT], numbers[USED] = head, until, slot, used
    return n
