"""What one recorded event asks of the matching engine: adds, executions, cancels, levels that come and go.

Nothing here sends: each function looks at the engine as it is and appends orders for it to `r.ops`, which the loop of
`twin.kernels.replay` sends, in one place (every copy of the engine's code costs seconds of compilation). `e`
(`EngineArrays`) is the engine of `twin.kernels.ladders` with a tape of its own, `r` (`ReplayArrays`) the bookkeeping:

    st       the T_* fields: cursor, what is free, counters
    orders   8 per order handle, the O_* fields; handle 0 is the aggressor of re-created executions
    free     stack of free handles
    keys, values   identifier map of `twin.kernels.idmap`: (identifier, instrument) -> handle
    log      differences, a row of LOG columns each; those beyond its length are counted only
    per_ins  4 per instrument, the Q_* fields
    grid     prices of all ladders one after another, ascending per instrument; place in it + 1 = engine price
    spans    4 per instrument: first place in the grid, length, and a stretch of equal steps: its start, its step
    ops      8 per message for the engine, the M_* fields; room for one per handle and some more
    books    published rows: ask price, ask size, bid price, bid size, level by level; a size of 0 means empty
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from twin.kernels import kernel
from twin.kernels.idmap import erase, insert
from twin.kernels.ladders import (
    L_HEAD,
    P_HANDLE,
    P_NEXT,
    S_BASE,
    S_BEST,
    S_BITS,
    S_LEVELS,
    S_OTHER,
    S_SIGN,
    S_SIZE,
)

EngineArrays = namedtuple("EngineArrays", "ctl state sides levels words summary pool slots tape")
ReplayArrays = namedtuple("ReplayArrays", "st orders free keys values log per_ins grid spans ops books")

T_ROW, T_FREE, T_NEXT, T_KEYS, T_LEVELS, T_PAIRED, T_BASE, T_STARTED, T_PENDING, T_EXCLUDED = range(10)
T_WANT_PRICE, T_WANT_INSTRUMENT, T_PRINT_ID, T_PRINT_SIZE, T_PRINT_SIDE = range(10, 15)
T_MESSAGES, T_EXECUTIONS, T_MATCHED, T_UNNAMED, T_OUTSIDE, T_HIDDEN, T_CROSS, T_HALTS, T_PRINTS = range(15, 24)
T_BOOKS, T_EQUAL, T_LEARNED, T_UNKNOWN, T_DIFFERENCES, T_UNKNOWN_EXECUTIONS, T_OPS, T_WRONG_BOOKS, T_TURN = range(
    24, 33
)
T_SIZE = 40
O_ID, O_INSTRUMENT, O_SIDE, O_PRICE, O_LEAVES, O_FILLED, O_FLAGS, O_LIVE = range(8)
M_KIND, M_INSTRUMENT, M_SIDE, M_PRICE, M_QUANTITY, M_ORDER, M_HOW, M_SPARE = range(8)
PLAIN, CALMLY, STRIKE, STRIKE_UNNAMED = range(4)
"""M_HOW: a message; one that rests without matching; one that must trade in full with order M_SPARE."""
ANONYMOUS, EXCLUDED = 1, 2
Q_COMPLETE, Q_BEYOND_BID, Q_BEYOND_ASK, Q_HALTED = range(4)

LOG = 9
D_CROSSES, D_UNKNOWN, D_PRICE, D_SIZE, D_TURN, D_TRADE, D_BOOK = range(7)

_NEW_LIMIT, _CANCEL, _NEW_IOC, _REDUCE = 0, 2, 3, 9  # twin.contracts.MessageKind


@kernel
def place(r, ins, price):
    """Engine price of a recorded price, or 0 if the ladder does not have it."""
    start = r.spans[4 * ins]
    length = r.spans[4 * ins + 1]
    even = r.spans[4 * ins + 2]
    step = r.spans[4 * ins + 3]
    if step > 0:
        guess = (price - r.grid[start + even]) // step + even
        if 0 <= guess < length and r.grid[start + guess] == price:
            return guess + 1
    low = np.int64(0)
    high = length
    while low < high:
        middle = (low + high) >> 1
        if r.grid[start + middle] < price:
            low = middle + 1
        else:
            high = middle
    if low < length and r.grid[start + low] == price:
        return low + 1
    return np.int64(0)


@kernel
def differ(r, kind, ins, side, price, quantity, identifier, other, there):
    """Count a difference and note it while there is room."""
    n = r.st[T_DIFFERENCES]
    r.st[T_DIFFERENCES] = n + 1
    if n < r.log.shape[0]:
        r.log[n, 0] = kind
        r.log[n, 1] = r.st[T_BASE] + r.st[T_ROW]
        r.log[n, 2] = ins
        r.log[n, 3] = side
        r.log[n, 4] = price
        r.log[n, 5] = quantity
        r.log[n, 6] = identifier
        r.log[n, 7] = other
        r.log[n, 8] = there


@kernel
def send(r, kind, ins, side, price, quantity, order, how, spare):
    """Append a message for the engine."""
    o = r.st[T_OPS]
    r.st[T_OPS] = o + 1
    r.ops[o, M_KIND] = kind
    r.ops[o, M_INSTRUMENT] = ins
    r.ops[o, M_SIDE] = side
    r.ops[o, M_PRICE] = price
    r.ops[o, M_QUANTITY] = quantity
    r.ops[o, M_ORDER] = order
    r.ops[o, M_HOW] = how
    r.ops[o, M_SPARE] = spare


@kernel
def new_order(r, identifier, ins, side, price, leaves, flags):
    """A handle for an order; there must be a free one."""
    st = r.st
    if st[T_FREE] > 0:
        st[T_FREE] -= 1
        h = r.free[st[T_FREE]]
    else:
        h = st[T_NEXT]
        st[T_NEXT] += 1
    o = h << 3
    r.orders[o + O_ID] = identifier
    r.orders[o + O_INSTRUMENT] = ins
    r.orders[o + O_SIDE] = side
    r.orders[o + O_PRICE] = price
    r.orders[o + O_LEAVES] = leaves
    r.orders[o + O_FILLED] = 0
    r.orders[o + O_FLAGS] = flags
    r.orders[o + O_LIVE] = 1
    if flags & ANONYMOUS == 0:
        insert(r.keys, r.values, identifier, ins, h)
        st[T_KEYS] += 1
    return h


@kernel
def end(r, h):
    """Forget an order and give its handle back."""
    o = h << 3
    if r.orders[o + O_FLAGS] & ANONYMOUS == 0:
        erase(r.keys, r.values, r.orders[o + O_ID], r.orders[o + O_INSTRUMENT])
        r.st[T_KEYS] -= 1
    if r.orders[o + O_FLAGS] & EXCLUDED != 0:
        r.st[T_EXCLUDED] -= 1
    r.orders[o + O_LIVE] = 0
    r.free[r.st[T_FREE]] = h
    r.st[T_FREE] += 1


@kernel
def ladder_of(ins, side):
    """Offset of a side's ladder in `sides`."""
    return (ins << (S_BITS + 1)) + (0 if side == 1 else S_OTHER)


@kernel
def head_of(e, ins, side, px):
    """Pool record of the oldest order at an engine price, 0 if there is none."""
    so = ladder_of(ins, side)
    index = (px - e.sides[so + S_BASE]) * e.sides[so + S_SIGN]
    return e.levels[((e.sides[so + S_LEVELS] + index) << 2) + L_HEAD]


@kernel
def best_price(e, ins, side):
    """Best engine price of a side, 0 if it is empty."""
    so = ladder_of(ins, side)
    best = e.sides[so + S_BEST]
    if best >= e.sides[so + S_SIZE]:
        return np.int64(0)
    return e.sides[so + S_BASE] + e.sides[so + S_SIGN] * best


@kernel
def anonymous_at(e, r, ins, side, px):
    """Handle of the shares at an engine price whose orders the recording does not name, or -1."""
    if px > 0:
        p = head_of(e, ins, side, px)
        if p != 0 and r.orders[(e.pool[p + P_HANDLE] << 3) + O_FLAGS] & ANONYMOUS != 0:
            return e.pool[p + P_HANDLE]
    return np.int64(-1)


@kernel
def take(r, h, n):
    """Take n shares off an order in place; with its last share it ends."""
    o = h << 3
    left = r.orders[o + O_LEAVES] - n
    r.orders[o + O_LEAVES] = left
    if r.orders[o + O_FLAGS] & EXCLUDED == 0 and n > 0:
        kind = _CANCEL if left <= 0 else _REDUCE
        send(r, kind, r.orders[o + O_INSTRUMENT], r.orders[o + O_SIDE], 0, n, h, PLAIN, 0)
    if left <= 0 and r.orders[o + O_FILLED] <= 0:
        end(r, h)


@kernel
def enter(e, r, px, identifier, ins, side, price, quantity):
    """A recorded new order; one that would trade, which the recording does not show, is kept out of the book."""
    h = new_order(r, identifier, ins, side, price, quantity, 0)
    how = CALMLY
    if r.per_ins[4 * ins + Q_HALTED] == 0:
        how = PLAIN
        best = best_price(e, ins, -side)
        if best > 0 and (px >= best if side == 1 else px <= best):
            there = e.pool[head_of(e, ins, -side, best) + P_HANDLE] << 3
            other = r.orders[there + O_ID]
            differ(r, D_CROSSES, ins, side, price, quantity, identifier, other, r.orders[there + O_PRICE])
            r.orders[(h << 3) + O_FLAGS] |= EXCLUDED
            r.st[T_EXCLUDED] += 1
            return
    send(r, _NEW_LIMIT, ins, side, px, quantity, h, how, 0)


@kernel
def execute(e, r, px, ins, side, price, quantity, identifier, h):
    """A recorded execution of a resting order: sent as an aggressor, it must hit that order for that size."""
    st = r.st
    orders = r.orders
    st[T_EXECUTIONS] += 1
    unnamed = h < 0
    if unnamed:
        h = anonymous_at(e, r, ins, side, px)
        if h < 0:
            if r.per_ins[4 * ins + Q_COMPLETE] == 0:
                st[T_UNKNOWN_EXECUTIONS] += 1
            else:
                differ(r, D_UNKNOWN, ins, side, price, quantity, identifier, 0, 0)
            return
    o = h << 3
    paired = st[T_PAIRED] != 0 and not unnamed
    if orders[o + O_FLAGS] & EXCLUDED != 0:
        st[T_OUTSIDE] += 1
    elif orders[o + O_SIDE] != side or orders[o + O_PRICE] != price:
        differ(r, D_PRICE, ins, side, price, quantity, identifier, orders[o + O_PRICE], orders[o + O_SIDE])
    elif orders[o + O_LEAVES] < quantity:
        differ(r, D_SIZE, ins, side, price, quantity, identifier, orders[o + O_LEAVES], 0)
    else:
        first = e.pool[head_of(e, ins, side, best_price(e, ins, side)) + P_HANDLE]
        if first == h:
            send(r, _NEW_IOC, ins, -side, px, quantity, 0, STRIKE_UNNAMED if unnamed else STRIKE, h)
            orders[o + O_LEAVES] -= quantity
            if paired:
                orders[o + O_FILLED] += quantity
            elif orders[o + O_LEAVES] <= 0:
                end(r, h)
            return
        there = first << 3
        st[T_TURN] += 1
        differ(r, D_TURN, ins, side, price, quantity, identifier, orders[there + O_ID], orders[there + O_PRICE])
    if paired:
        orders[o + O_FILLED] += quantity
    take(r, h, min(quantity, orders[o + O_LEAVES]))


@kernel
def withdraw(e, r, px, ins, side, price, quantity, identifier, h, whole):
    """A recorded cancel of some shares, or of all that is left (`whole`), of a resting order."""
    orders = r.orders
    if h < 0:
        h = anonymous_at(e, r, ins, side, px)
        whole = False
        if h < 0:
            if r.per_ins[4 * ins + Q_COMPLETE] == 0:
                r.st[T_UNKNOWN] += 1
            else:
                differ(r, D_UNKNOWN, ins, side, price, quantity, identifier, 0, 0)
            return
    o = h << 3
    leaves = orders[o + O_LEAVES]
    if orders[o + O_FLAGS] & EXCLUDED == 0:
        if orders[o + O_SIDE] != side or orders[o + O_PRICE] != price:
            differ(r, D_PRICE, ins, side, price, quantity, identifier, orders[o + O_PRICE], orders[o + O_SIDE])
        elif quantity > leaves or (whole and quantity != leaves):
            differ(r, D_SIZE, ins, side, price, quantity, identifier, leaves, 0)
    take(r, h, leaves if whole else min(quantity, leaves))


@kernel
def modify(e, r, px, ins, side, price, quantity, identifier, h):
    """A recorded change of a resting order: at its price and not larger it keeps its place, else it goes to the back.

    An identifier that is not known is a new order.
    """
    orders = r.orders
    if h < 0:
        if r.per_ins[4 * ins + Q_COMPLETE] == 0:
            r.st[T_UNKNOWN] += 1
        else:
            differ(r, D_UNKNOWN, ins, side, price, quantity, identifier, 0, 0)
        enter(e, r, px, identifier, ins, side, price, quantity)
        return
    o = h << 3
    if side != orders[o + O_SIDE]:
        differ(r, D_PRICE, ins, side, price, quantity, identifier, orders[o + O_PRICE], orders[o + O_SIDE])
        side = orders[o + O_SIDE]
    leaves = orders[o + O_LEAVES]
    orders[o + O_FILLED] = 0  # this change is the book's side of fills that have been replayed already
    if price == orders[o + O_PRICE] and orders[o + O_FLAGS] & EXCLUDED == 0 and 0 < quantity <= leaves:
        take(r, h, leaves - quantity)
        return
    take(r, h, leaves)
    if quantity > 0:
        enter(e, r, px, identifier, ins, side, price, quantity)


@kernel
def cancel_row(e, r, px, ins, side, price, quantity, identifier, h, whole):
    """A cancel, which may be the book's side of a fill that has been replayed already, or stand for one."""
    st = r.st
    if h >= 0:
        o = h << 3
        if r.orders[o + O_FILLED] > 0:
            paired = min(quantity, r.orders[o + O_FILLED])
            quantity -= paired
            r.orders[o + O_FILLED] -= paired
            if r.orders[o + O_FILLED] == 0 and r.orders[o + O_LEAVES] <= 0:
                end(r, h)
                h = np.int64(-1)
            if quantity == 0:
                return
        elif st[T_PRINT_SIZE] == quantity and st[T_PRINT_ID] == identifier and st[T_PRINT_SIDE] == -side:
            # A trade that names its resting order, then the cancel, without a fill between.
            st[T_PRINT_SIZE] = 0
            execute(e, r, px, ins, side, price, quantity, identifier, h)
            if r.orders[o + O_LIVE] != 0 and r.orders[o + O_FILLED] > 0:
                r.orders[o + O_FILLED] -= quantity
                if r.orders[o + O_FILLED] <= 0 and r.orders[o + O_LEAVES] <= 0:
                    end(r, h)
            return
    withdraw(e, r, px, ins, side, price, quantity, identifier, h, whole)


@kernel
def drop_level(e, r, ins, side, px):
    """Take every order of a level out of the engine and forget it."""
    p = head_of(e, ins, side, px)
    while p != 0:
        h = e.pool[p + P_HANDLE]
        r.orders[(h << 3) + O_FILLED] = 0
        take(r, h, r.orders[(h << 3) + O_LEAVES])
        p = e.pool[p + P_NEXT]


@kernel
def forget_excluded(r, ins):
    """Forget the orders of an instrument that were kept out of its book."""
    if r.st[T_EXCLUDED] > 0:
        for h in range(1, r.st[T_NEXT]):
            o = h << 3
            if r.orders[o + O_LIVE] != 0 and r.orders[o + O_INSTRUMENT] == ins and r.orders[o + O_FLAGS] & EXCLUDED:
                end(r, h)
