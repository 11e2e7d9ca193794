"""Luck of messages, and reports on their way from the broker to the client.

Entity = account, counter = a hash of the instant of submission and of what was asked, so that the same order has the
same service demand in every scenario.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.kernels.order_codes import (
    BACK_SALT,
    CANCEL,
    CANCEL_REJECT,
    KIND_SHIFT,
    LOGGED_IN,
    LOGIN,
    NIL,
    PARKED,
    QUERY,
    R_UNKNOWN,
    REFUSED,
    REJECT,
    REPORT_BASE,
    REPORT_COUNT,
    ROW_MASK,
    S_NETWORK,
)
from twin.kernels.stations import (
    BUSY,
    FULL,
    STARTED,
    demand_of,
    heap_push,
)


@njit(cache=True)
def luck(time, what):
    """A 32-bit hash (int64) of an instant and of what was asked."""
    x = np.uint64(time) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(what) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
    return np.int64(x >> np.uint64(32))


@njit(cache=True)
def luck_of(orders, requests, item):
    """Entity and counter of the random draws of an item."""
    kind, row = item >> KIND_SHIFT, item & ROW_MASK
    if kind <= CANCEL:
        o = orders[row]
        what = np.int64(o.instrument) * 16 + kind * 2 + (1 if o.side > 0 else 0)
        return np.int64(o.account), luck(o.submitted, what)
    r = requests[row]
    return np.int64(r.account), luck(r.submitted, kind * 2)


@njit(cache=True)
def demand_at(law, seed, replication, stream, orders, requests, item, salt):
    """Service demand of an item at a station."""
    entity, counter = luck_of(orders, requests, item)
    return demand_of(law, seed, replication, stream, entity, counter ^ salt)


@njit(cache=True)
def report(reports, stats, kind, row, time, price, quantity, reason):
    """Write a report; returns its sequence number, or FULL."""
    k = stats[REPORT_COUNT]
    if k >= reports.shape[0]:
        return np.int64(FULL)
    r = reports[k]
    r.kind, r.row, r.time, r.price, r.quantity, r.reason = kind, row, time, price, quantity, reason
    stats[REPORT_COUNT] = k + 1
    return stats[REPORT_BASE] + k


@njit(cache=True)
def send_back(seed, replication, orders, requests, reports, heap, n, law, stats, sequence, time):
    """Put a report on the network to the client. Reports of an order arrive in order, as on one connection."""
    r = reports[sequence - stats[REPORT_BASE]]
    if n[BUSY] >= heap.shape[0]:
        return FULL
    if r.kind >= LOGGED_IN:
        item = (np.int64(LOGIN if r.kind == LOGGED_IN else QUERY) << KIND_SHIFT) | r.row
        arrival = time + demand_at(law, seed, replication, S_NETWORK, orders, requests, item, BACK_SALT)
    else:
        o = orders[r.row]
        salt = BACK_SALT + np.int64(o.reports)
        arrival = time + demand_at(law, seed, replication, S_NETWORK, orders, requests, r.row, salt)
        o.reports += 1
        if r.kind != CANCEL_REJECT:
            arrival = max(arrival, o.done)
            o.done = arrival
    heap_push(heap, n[BUSY], arrival, sequence)
    n[BUSY] += 1
    n[STARTED] += 1
    return 0


@njit(cache=True)
def tell(seed, replication, orders, requests, reports, heap, n, law, stats, kind, row, time, quantity, reason):
    """Write a report of the broker's own and send it straight back; 0 or FULL."""
    sequence = report(reports, stats, kind, row, time, NIL, quantity, reason)
    if sequence < 0:
        return FULL
    return send_back(seed, replication, orders, requests, reports, heap, n, law, stats, sequence, time)


@njit(cache=True)
def refuse(seed, replication, orders, requests, reports, heap, n, law, stats, refusals, row, reason, time):
    """The broker refuses an order, and a cancel that waits for it; both answers go straight back. 0 or FULL."""
    o = orders[row]
    o.state, o.reason = REFUSED, reason
    refusals[reason] += 1
    quantity = np.int64(o.quantity)
    code = tell(seed, replication, orders, requests, reports, heap, n, law, stats, REJECT, row, time, quantity, reason)
    if code == 0 and o.parked:
        o.parked = 0
        stats[PARKED] -= 1
        code = tell(
            seed,
            replication,
            orders,
            requests,
            reports,
            heap,
            n,
            law,
            stats,
            CANCEL_REJECT,
            row,
            time,
            NIL,
            R_UNKNOWN,
        )
    return code
