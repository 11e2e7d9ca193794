"""Luck of messages, and what goes straight back to the client.

One random block per message gives all its draws: the network, each station on the way, the way back. Entity = account,
counter = a hash of the instant of submission and of what was asked, so the same order has the same service demand in
every scenario. All answers to an order take the same time back, as on one connection, and so arrive in order.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import njit, philox
from twin.kernels.order_codes import (
    CANCEL_REJECT,
    NIL,
    PARKED,
    R_UNKNOWN,
    REFUSED,
    REJECT,
    S_NETWORK,
    TOLD_FROM,
    WORD_MASK,
)
from twin.kernels.stations import TAIL, demand_of

_PART = np.uint64((1 << 21) - 1)
CHECK_PART, CORE_PART, BACK_PART = np.uint64(0), np.uint64(21), np.uint64(42)
"""Bit from which an order's luck (63 bits) gives the draw of a stage."""


@njit(cache=True)
def luck(time, what):
    """A 32-bit hash (int64) of an instant and of what was asked."""
    x = np.uint64(time) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(what) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
    return np.int64(x >> np.uint64(32))


@njit(cache=True)
def words(seed, replication, account, time, what):
    """The four 32-bit words (uint64) of a message sent at `time`."""
    return philox.block(seed, replication, S_NETWORK, account, luck(time, what))


@njit(cache=True)
def part(bits, first):
    """Uniform number strictly between 0 and 1 from the 21 bits of an order's luck that start at bit `first`."""
    return (np.float64((bits >> first) & _PART) + 0.5) / 2097152.0


@njit(cache=True)
def part_of_item(item):
    """Uniform number strictly between 0 and 1 from the random bits of an item."""
    return (np.float64(item & WORD_MASK) + 0.5) / 16777216.0


@njit(cache=True)
def send(back, n, arrival, kind, row, account, detail, side, price, quantity):
    """Put a reply (columns as in N_REPLY) on the network to the client; the caller has made sure that there is room."""
    k = n[TAIL]
    back[k, 0] = arrival
    back[k, 1] = kind
    back[k, 2] = row
    back[k, 3] = account
    back[k, 4] = detail
    back[k, 5] = side
    back[k, 6] = price
    back[k, 7] = quantity
    n[TAIL] = k + 1


@njit(cache=True)
def tell(orders, back, n, law, settings, kind, row, reason, time):
    """Send a refusal of the broker's own (of an order or of a cancel) straight back; returns when it arrives."""
    o = orders[row]
    arrival = time + demand_of(law, part(o.luck, BACK_PART))
    if kind == REJECT or o.account >= settings[TOLD_FROM]:
        send(back, n, arrival, kind, row, np.int64(o.account), np.int64(reason), np.int64(o.side), NIL, NIL)
    return arrival


@njit(cache=True)
def refuse(orders, back, n, law, settings, stats, refusals, row, reason, time):
    """The broker refuses an order, and a cancel that waits for it; both answers go straight back (room for two)."""
    o = orders[row]
    o.state, o.reason = REFUSED, reason
    refusals[reason] += 1
    o.done = tell(orders, back, n, law, settings, REJECT, row, np.int64(reason), time)
    if o.parked:
        o.parked = 0
        stats[PARKED] -= 1
        tell(orders, back, n, law, settings, CANCEL_REJECT, row, np.int64(R_UNKNOWN), time)
