"""Compiled timers of the clients: when a sender gives an order up, and when he looks what has become of it.

Each quote interval has a slot with a linked list of the orders that fall due in it, so that setting and running a timer
costs the same however many there are. Times are int64 ns.
"""

from __future__ import annotations

import math

from agents.kernels.clients import normal_pair
from twin.kernels import kernel
from twin.kernels.philox import block, uniform, unit32

FLAG_LOGIN_SLOW, FLAG_STUCK, FLAG_REFUSED, FLAG_CALLED = 1, 2, 4, 8
"""Bits of a client's bad experiences of the day."""
_MOST_LOOKS = 6


@kernel
def _push(row, due, start, tick, head, link, offset):
    k = (due - start) // tick
    if 0 <= k < head.shape[0]:
        link[row] = head[k]
        head[k] = row
        offset[row] = due - start - k * tick


@kernel
def start_timers(
    seed,
    replication,
    stream,
    base,
    orders,
    open_from,
    willing,
    cancel_mu,
    cancel_sigma,
    patience,
    start,
    tick,
    cancel_head,
    cancel_link,
    cancel_offset,
    check_head,
    check_link,
    check_offset,
    checks,
):
    """Set the two timers of new orders: when the client cancels what is left, and when he first looks for an answer.

    Args:
        base: row of the first order; orders: int64 [n, 8] as `act` wrote them; open_from: the exchange takes orders
            from this instant (ns), timers of orders sent while it is closed start there. willing: share of orders whose
            sender cancels at all; cancel_mu, cancel_sigma: of the logarithm of his patience in ns. patience: ns to the
            first look. start, tick: origin and width of the wheels. *_head, *_link, *_offset: linked lists per tick.
    """
    for i in range(orders.shape[0]):
        row = base + i
        t = max(orders[i, 0], open_from)
        w0, w1, w2, _ = block(seed, replication, stream, orders[i, 1], orders[i, 7])
        z0, z1 = normal_pair(w1, w2)
        if unit32(w0) < willing:
            _push(
                row,
                t + int(min(math.exp(cancel_mu + cancel_sigma * z0), 9e13)),
                start,
                tick,
                cancel_head,
                cancel_link,
                cancel_offset,
            )
        checks[row] = 0
        _push(row, t + int(patience * math.exp(0.5 * z1)), start, tick, check_head, check_link, check_offset)


@kernel
def ready_at(submitted, windows):
    """Instant from which an order could reach the exchange: when it was sent, or the next opening (int64 [n, 2])."""
    for w in range(windows.shape[0]):
        if submitted < windows[w, 1]:
            return max(submitted, windows[w, 0])
    return submitted


@kernel
def due_cancels(k, start, tick, head, link, offset, state, live_states, account, out):
    """Orders whose sender gives up in tick k and which are, as far as he knows, alive; returns their number.

    `out` is int64 [capacity, 3]: time, order, account. When it is full the caller calls again.
    """
    n = 0
    row = head[k]
    while row >= 0 and n < out.shape[0]:
        if state[row] < live_states:
            out[n, 0] = start + k * tick + offset[row]
            out[n, 1] = row
            out[n, 2] = account[row]
            n += 1
        row = link[row]
    head[k] = row
    return n


@kernel
def due_checks(
    seed,
    replication,
    stream,
    k,
    start,
    tick,
    head,
    link,
    offset,
    state,
    live_states,
    acknowledged,
    done,
    submitted,
    windows,
    account,
    checks,
    active_of,
    flags,
    looks,
    retries,
    patience,
    backoff,
    stuck_after,
    call_share,
    due,
    out,
    calls,
    counts,
):
    """Clients look for an answer to their orders in tick k; returns (queries, calls, done).

    As long as an order stands its sender comes back to it, each time after `backoff` times the wait before. He then
    asks the broker's system, with probability `looks` if the order has been acknowledged, `retries` if not; an order
    that has ended is looked at once more at most. Without an answer for `stuck_after` ns the client counts as stuck
    and telephones with probability `call_share` (once a day).
    out, calls: int64 [capacity, 2]: time, account; due: int64 scratch of that length. counts: int64 [1], clients stuck.
    """
    n = 0
    m = 0
    found = 0
    row = head[k]
    room = min(out.shape[0], calls.shape[0])
    while row >= 0 and found < room:
        due[found] = row
        found += 1
        row = link[row]
    head[k] = row
    touched = 0
    for i in range(found):
        # Ask for all the memory at once: a tight loop of independent reads.
        touched += state[due[i]]
    for i in range(found if touched >= 0 else 0):
        r = due[i]
        t = start + k * tick + offset[r]
        c = account[r]
        j = checks[r]
        u = uniform(seed, replication, stream, r, j)
        ended = state[r] >= live_states
        answered = acknowledged[r] > 0 or done[r] > 0
        if u < (looks if answered else retries) and not (ended and j > 0):
            out[n, 0] = t
            out[n, 1] = c
            n += 1
        if not answered and t - ready_at(submitted[r], windows) > stuck_after:
            a = active_of[c] - 1
            if flags[a] & FLAG_STUCK == 0:
                flags[a] |= FLAG_STUCK
                counts[0] += 1
                if flags[a] & FLAG_CALLED == 0 and uniform(seed, replication, stream, r, 1000) < call_share:
                    flags[a] |= FLAG_CALLED
                    calls[m, 0] = t
                    calls[m, 1] = c
                    m += 1
        if not ended and j < _MOST_LOOKS:
            checks[r] = j + 1
            later = max(t + int(patience * backoff ** (j + 1)), start + (k + 1) * tick)
            _push(r, later, start, tick, head, link, offset)
    return n, m, row < 0
