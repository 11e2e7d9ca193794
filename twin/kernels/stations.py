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

from twin.kernels import njit

HEAD, TAIL, BUSY, NOW, SERVERS, BUSY_NS, CAPACITY_NS, STARTED, RELEASED, SLOT_NS, SLOT, USED = range(12)
"""Queue head and tail; number in service; last `until`; servers (or messages per slot of a pacer; -1 = no limit);
service time started; server time offered; messages started; queue row up to which budgets have run out; slot length,
current slot and messages sent in it."""
N_NUMBERS = 12
DONE, OUT_FULL, HEAP_FULL, FIRST_FULL, SECOND_FULL = (np.int64(k) for k in range(5))
"""How a call ended: finished, or no room in an array (output, heap, first or second queue). Nothing is lost then: the
next call with the same `until` goes on where this one stopped."""
NEVER = 1 << 62
LATE = np.int64(1 << 60)
"""Flag of an item whose time budget ran out."""
CONSTANT, EXPONENTIAL, LOGNORMAL = 0, 1, 2
HEADER, CELLS, EXACT = 4, 1024, 16
"""Numbers before a law's table of quantiles; its cells; cells at either end that are not interpolated."""
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
def demand_of(law, u):
    """Service demand in ns (at least 1) at the quantile u, 0 < u < 1.

    `law` is float64: kind, mean in ns, mu, sigma, then the quantiles at 0, 1/CELLS, .., 1. Between them the quantile is
    interpolated (relative error below 2e-4); in the first and last `EXACT` cells, where it bends, it is worked out.
    """
    if law[0] == CONSTANT:
        return max(np.int64(1), np.int64(law[1] + 0.5))
    x = u * CELLS
    j = np.int64(x)
    if EXACT <= j < CELLS - EXACT:
        low = law[HEADER + j]
        x = low + (x - j) * (law[HEADER + 1 + j] - low)
    elif law[0] == EXPONENTIAL:
        x = -law[1] * math.log1p(-u)
    else:
        x = math.exp(law[2] + law[3] * normal_quantile(u))
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
def room(queue, numbers):
    """Rows that can still be appended to a queue."""
    return queue.shape[0] - numbers[TAIL]


@njit(cache=True)
def compact(queue, numbers):
    """Move what waits in a queue to its front if that is far less than the room in front of it."""
    head, tail = numbers[HEAD], numbers[TAIL]
    if 4 * (tail - head) < head:
        for k in range(head, tail):
            queue[k - head, 0] = queue[k, 0]
            queue[k - head, 1] = queue[k, 1]
            queue[k - head, 2] = queue[k, 2]
        numbers[HEAD], numbers[TAIL], numbers[RELEASED] = 0, tail - head, max(numbers[RELEASED], head) - head


@njit(cache=True)
def serve(queue, heap, numbers, until, out, most):
    """First come, first served by `SERVERS` equal servers (G/G/c).

    Writes at most `most` departures before `until` into `out` as rows (time, item); returns their number and how the
    call ended.
    """
    head, tail, busy, now, servers = numbers[HEAD], numbers[TAIL], numbers[BUSY], numbers[NOW], numbers[SERVERS]
    limit = servers if servers >= 0 else NEVER
    clock, first, work = now, head, np.int64(0)
    n, state = np.int64(0), DONE
    while True:
        start = max(queue[head, 0], clock) if head < tail else NEVER
        # Departures up to the start, and as many more as it takes to free a server (the start then moves).
        while busy > 0 and heap[0, 0] < until and (heap[0, 0] <= start or busy >= limit):
            if n >= most:
                state = OUT_FULL
                break
            start = max(start, heap[0, 0])
            out[n, 0] = heap[0, 0]
            out[n, 1] = heap[0, 1]
            n += 1
            heap_drop(heap, busy)
            busy -= 1
        if state == OUT_FULL and head < tail:
            clock = start
        if state == OUT_FULL or start >= until or busy >= limit:
            break
        clock = start
        if busy >= heap.shape[0]:
            state = HEAP_FULL
            break
        heap_push(heap, busy, start + queue[head, 2], queue[head, 1])
        busy += 1
        work += queue[head, 2]
        head += 1
    end = until if state == DONE else min(clock, until - 1)
    if servers > 0:
        numbers[CAPACITY_NS] += servers * (end - now)
    numbers[STARTED] += head - first
    numbers[BUSY_NS] += work
    numbers[HEAD], numbers[BUSY], numbers[NOW] = head, busy, end
    return n, state


@njit(cache=True)
def serve_within(queue, heap, numbers, overdue, over, budget, until, timely, on_time, late, most):
    """As `serve`, but whoever has no answer `budget` ns after arriving leaves without it; the answer comes late.

    A lookup whose asker has left is still done: it occupies its server. Answers in time go to the queue `timely` with
    numbers `on_time`, those whose budget runs out to the queue `overdue` with numbers `over`; late answers go to `late`
    as (time, item), at most `most`. Returns the number of late answers and how the call ended.
    """
    head, tail, busy, now, servers = numbers[HEAD], numbers[TAIL], numbers[BUSY], numbers[NOW], numbers[SERVERS]
    limit = servers if servers >= 0 else NEVER
    released = max(numbers[RELEASED], head)
    clock, first, work = now, head, np.int64(0)
    n_late, state = np.int64(0), DONE
    while True:
        start = max(queue[head, 0], clock) if head < tail else NEVER
        while busy > 0 and heap[0, 0] < until and (heap[0, 0] <= start or busy >= limit):
            if heap[0, 1] & LATE:
                if n_late >= most:
                    state = OUT_FULL
                    break
                late[n_late, 0] = heap[0, 0]
                late[n_late, 1] = heap[0, 1] ^ LATE
                n_late += 1
            elif not put(timely, on_time, heap[0, 0], heap[0, 1], 0):
                state = FIRST_FULL
                break
            start = max(start, heap[0, 0])
            heap_drop(heap, busy)
            busy -= 1
        if state != DONE and head < tail:
            clock = start
        if state != DONE or start >= until or busy >= limit:
            break
        clock = start
        answer, item, due = start + queue[head, 2], queue[head, 1], queue[head, 0] + budget
        if busy >= heap.shape[0]:
            state = HEAP_FULL
            break
        if answer > due:
            if head >= released and not put(overdue, over, due, item, 0):
                state = SECOND_FULL
                break
            item |= LATE
        heap_push(heap, busy, answer, item)
        busy += 1
        work += queue[head, 2]
        head += 1
        released = max(released, head)
    while state == DONE and released < tail and queue[released, 0] + budget < until:
        if put(overdue, over, queue[released, 0] + budget, queue[released, 1], 0):
            released += 1
        else:
            state = SECOND_FULL
    end = until if state == DONE else min(clock, until - 1)
    if servers > 0:
        numbers[CAPACITY_NS] += servers * (end - now)
    numbers[STARTED] += head - first
    numbers[BUSY_NS] += work
    numbers[HEAD], numbers[BUSY], numbers[NOW], numbers[RELEASED] = head, busy, end, released
    return n_late, state


@njit(cache=True)
def merge(first, n_first, second, n_second, until, flag, out, most):
    """Take the rows before `until` of two queues in order of (time, item), `flag` added to items of the second.

    Writes at most `most` rows (time, item) and returns their number; fewer than `most` means that none are left.
    """
    i, end, j, stop = n_first[HEAD], n_first[TAIL], n_second[HEAD], n_second[TAIL]
    n = np.int64(0)
    while n < most:
        a = first[i, 0] if i < end else NEVER
        b = second[j, 0] if j < stop else NEVER
        if min(a, b) >= until:
            break
        if b < a or (a == b and (second[j, 1] | flag) < first[i, 1]):
            out[n, 0] = b
            out[n, 1] = second[j, 1] | flag
            j += 1
        else:
            out[n, 0] = a
            out[n, 1] = first[i, 1]
            i += 1
        n += 1
    n_first[HEAD], n_second[HEAD] = i, j
    return n


@njit(cache=True)
def next_open(windows, time):
    """First instant not before `time` inside one of the sorted windows (rows [open, close)); NEVER if there is none."""
    for k in range(windows.shape[0]):
        if time < windows[k, 1]:
            return max(time, windows[k, 0])
    return NEVER


@njit(cache=True)
def pace(queue, numbers, windows, until, out, most):
    """Let at most `SERVERS` messages per slot of `SLOT_NS` through, in order; the excess waits for the next slot.

    Nothing passes outside the windows. Writes at most `most` rows (time, item) of those that pass before `until`;
    returns their number and how the call ended.
    """
    head, tail, now = numbers[HEAD], numbers[TAIL], numbers[NOW]
    limit, length, slot, used = numbers[SERVERS], numbers[SLOT_NS], numbers[SLOT], numbers[USED]
    begin, end = slot * length, (slot + 1) * length
    n, state = np.int64(0), DONE
    while head < tail and limit != 0:
        time = next_open(windows, max(queue[head, 0], now))
        if limit > 0 and time < until:
            if time >= end or used >= limit:
                if time < end:
                    time = next_open(windows, end)
                if time >= until:
                    break
                if n < most:
                    slot, used = time // length, 0
                    begin, end = slot * length, (slot + 1) * length
            time = max(time, begin)
        if time >= until:
            break
        if n >= most:
            state = OUT_FULL
            break
        used += 1
        out[n, 0] = time
        out[n, 1] = queue[head, 1]
        n += 1
        head += 1
    numbers[STARTED] += n
    if state == DONE:
        if limit > 0:
            numbers[CAPACITY_NS] += limit * (until - now) // length
        numbers[NOW] = until
    numbers[HEAD], numbers[SLOT], numbers[USED] = head, slot, used
    return n, state
