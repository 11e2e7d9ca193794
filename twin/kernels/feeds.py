"""What an exchange received, derived from what it published."""

from __future__ import annotations

import numpy as np

from twin.kernels import kernel

NEW, WITHDRAWN, TRADED_BUY, TRADED_SELL, TRADED_CALL = range(5)
"""Kinds of published rows: a resting order, a cancel, a trade by its aggressor, a trade of a call auction."""


@kernel
def received(kind, side, price, quantity, order, other, out, last):
    """Derive the incoming messages from published rows, which are in the order of the channel (all int64).

    A trade is published before the row of its aggressor, which carries only what is left; an order that is filled at
    once has no row. Where the order's row comes first, as the last row before its trades, it is whole. `out` has shape
    (5, rows): row that the message stands at, side, price, quantity, whether the price is only a bound. `last` is the
    order of the last new row before. Returns the messages, the first row of an aggressor that may go on after the last
    row (else the number of rows), and the new `last`.
    """
    n = kind.shape[0]
    count = 0
    pending = np.int64(-1)  # row of `out` of the aggressor whose trades are being read
    number = np.int64(0)
    start = n
    for m in range(n):
        k = kind[m]
        if k in (TRADED_BUY, TRADED_SELL):
            taker = order[m] if k == TRADED_BUY else other[m]
            if pending >= 0 and taker == number:
                out[3, pending] += quantity[m]
                out[2, pending] = price[m]
                continue
            pending = np.int64(-1)
            start = n
            if taker == last:
                continue
            pending = np.int64(count)
            start = m
            number = taker
            out[0, count] = m
            out[1, count] = 1 if k == TRADED_BUY else -1
            out[2, count] = price[m]
            out[3, count] = quantity[m]
            out[4, count] = 1
            count += 1
            continue
        if k == NEW:
            last = order[m]
            if pending >= 0 and order[m] == number:
                out[2, pending] = price[m]
                out[3, pending] += quantity[m]
                out[4, pending] = 0
            else:
                out[0, count] = m
                out[1, count] = side[m]
                out[2, count] = price[m]
                out[3, count] = quantity[m]
                out[4, count] = 0
                count += 1
        pending = np.int64(-1)
        start = n
        if k == WITHDRAWN:
            out[0, count] = m
            out[1, count] = side[m]
            out[2, count] = price[m]
            out[3, count] = quantity[m]
            out[4, count] = 2
            count += 1
    return count, start, last
