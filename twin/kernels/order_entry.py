"""The first leg of the way out: messages get their luck, and cross the network to the broker's access gateway."""

from __future__ import annotations

import numpy as np

from twin.kernels import njit, philox
from twin.kernels.borrowing import borrow, prefetch
from twin.kernels.order_codes import CANCEL, IN_PATH, KIND_SHIFT, LOGIN, NETWORK, NIL, ORDER, ROW_SHIFT
from twin.kernels.order_reports import words
from twin.kernels.sorting import sort_by_time
from twin.kernels.stations import TAIL, demand_of, put

_SHIFT = np.int64(ROW_SHIFT)
_EIGHT, _ONE, _HALF = np.uint64(8), np.uint64(1), np.uint64(32)
_AHEAD = 12
"""How many rows ahead memory is fetched."""


@njit(cache=True)
def write_orders(orders, first, time, row, account, instrument, side, kind, price, quantity):
    """Write new orders into their rows: `row`[i], or first + i where that is negative."""
    for i in range(time.shape[0]):
        o = orders[row[i] if row[i] >= 0 else first + i]
        o.account, o.instrument, o.side, o.kind = account[i], instrument[i], side[i], kind[i]
        o.price, o.quantity, o.filled, o.freeze_price, o.value = price[i], quantity[i], 0, price[i], 0
        o.state, o.reason, o.parked, o.luck = IN_PATH, 0, 0, 0
        o.submitted = time[i]
        o.gateway = o.checked = o.core = o.sent = o.accepted = o.acknowledged = o.done = 0


@njit(cache=True)
def enter(seed, replication, orders, requests, flight, numbers, laws, kind, times, rows, accounts):
    """Send messages of one kind on their way to the broker (any order of time).

    Logins are written into `rows` of the requests; `flight`, the queue of the network, must have room.
    """
    orders, requests, flight = borrow(orders), borrow(requests), borrow(flight)
    n, law = borrow(numbers[NETWORK]), borrow(laws[NETWORK])
    for i in range(times.shape[0]):
        row = np.int64(rows[i])
        account, sent, what = np.int64(accounts[i]), np.int64(times[i]), np.int64(kind) * 2
        if kind <= CANCEL:
            if kind == CANCEL and i + _AHEAD < rows.shape[0]:
                prefetch(orders, rows[i + _AHEAD])
            o = orders[row]
            account, sent = np.int64(o.account), np.int64(o.submitted)
            what = np.int64(o.instrument) * 16 + np.int64(kind) * 2 + (1 if o.side > 0 else 0)
        a, b, c, d = words(seed, replication, account, sent, what)
        if kind == ORDER:
            orders[row].luck = (c << _HALF | d) >> _ONE
        elif kind == LOGIN:
            r = requests[row]
            r.account, r.submitted, r.luck = account, sent, c
        item = (np.int64(kind) << KIND_SHIFT) | (row << _SHIFT) | np.int64(b >> _EIGHT)
        put(flight, n, times[i] + demand_of(law, philox.unit32(a)), item, NIL)
    return 0


@njit(cache=True)
def land(flight, n, until, queue, n_queue, a, b, counts):
    """Move what the network delivers before `until`, in order of (time, item), to a queue, which must have room."""
    due = kept = np.int64(0)
    for k in range(n[TAIL]):
        if flight[k, 0] < until:
            a[due, 0] = flight[k, 0]
            a[due, 1] = flight[k, 1]
            due += 1
        else:
            flight[kept, 0] = flight[k, 0]
            flight[kept, 1] = flight[k, 1]
            kept += 1
    n[TAIL] = kept
    sort_by_time(a, b, due, counts)
    for k in range(due):
        put(queue, n_queue, a[k, 0], a[k, 1], NIL)
