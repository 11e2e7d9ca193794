"""Recorded rows against the matching engine, one at a time: what each row says must be what the engine does.

Every row becomes messages to the engine: an execution becomes an immediate-or-cancel order of its size and price, which
must hit exactly the recorded resting order; a published book must equal the engine's. Where they differ, the difference
is counted and the engine's book put right as recorded, so that one wrong row is one difference. Arrays:
`twin.kernels.replay_orders` and `twin.kernels.ladders`.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import kernel
from twin.kernels.book import handle
from twin.kernels.idmap import find
from twin.kernels.ladders import (
    C_ROWS,
    C_USED,
    CALL,
    DONE,
    I_BITS,
    I_PHASE,
    L_QUANTITY,
    S_BASE,
    S_BEST,
    S_LEVELS,
    S_SIGN,
    S_SIZE,
    S_SUMMARY,
    S_WORDS,
    next_level,
)
from twin.kernels.replay_orders import (
    ANONYMOUS,
    CALMLY,
    D_BOOK,
    D_TRADE,
    M_HOW,
    M_INSTRUMENT,
    M_KIND,
    M_ORDER,
    M_PRICE,
    M_QUANTITY,
    M_SIDE,
    M_SPARE,
    O_LEAVES,
    Q_BEYOND_ASK,
    Q_BEYOND_BID,
    Q_COMPLETE,
    Q_HALTED,
    STRIKE,
    STRIKE_UNNAMED,
    T_BOOKS,
    T_CROSS,
    T_EQUAL,
    T_EXECUTIONS,
    T_FREE,
    T_HALTS,
    T_HIDDEN,
    T_KEYS,
    T_LEARNED,
    T_LEVELS,
    T_MATCHED,
    T_MESSAGES,
    T_NEXT,
    T_OPS,
    T_PENDING,
    T_PRINT_ID,
    T_PRINT_SIDE,
    T_PRINT_SIZE,
    T_PRINTS,
    T_ROW,
    T_STARTED,
    T_UNKNOWN_EXECUTIONS,
    T_UNNAMED,
    T_WANT_INSTRUMENT,
    T_WANT_PRICE,
    T_WRONG_BOOKS,
    cancel_row,
    differ,
    drop_level,
    end,
    enter,
    execute,
    forget_excluded,
    ladder_of,
    modify,
    new_order,
    place,
    send,
)

_NEW_LIMIT = 0  # twin.contracts.MessageKind
_TRADE = 1  # twin.contracts.TapeKind

ADD, REDUCE, DELETE, EXECUTE, MODIFY, TRADE, CLEAR, HIDDEN, CROSS, HALT, QUOTE, RESUME, NOTE = range(13)
"""Actions: twin.matching.feeds.base.Action."""

OK, WANT_HANDLES, WANT_MAP, WANT_POOL, WANT_PRICE, DUPLICATE, ENGINE_REFUSED = range(7)


@kernel
def after(e, ins, side, index):
    """The next occupied level of a side at or after an index."""
    so = ladder_of(ins, side)
    return next_level(e.words, e.summary, e.sides[so + S_WORDS], e.sides[so + S_SUMMARY], index, e.sides[so + S_SIZE])


@kernel
def level_at(e, ins, side, index):
    """Engine price and shares of a level by its index; 0 and 0 past the end."""
    so = ladder_of(ins, side)
    if index >= e.sides[so + S_SIZE]:
        return np.int64(0), np.int64(0)
    shares = e.levels[((e.sides[so + S_LEVELS] + index) << 2) + L_QUANTITY]
    return e.sides[so + S_BASE] + e.sides[so + S_SIGN] * index, shares


@kernel
def compare_side(e, r, row, ins, side):
    """Compare a side of a published row with the engine's book: the first level that differs, its price and shares.

    The level is -1 if none does. Levels that the engine lacks may be in view for the first time, which the recording
    alone decides, unless all orders of the side were in view before.
    """
    column = 2 if side == 1 else 0
    index = e.sides[ladder_of(ins, side) + S_BEST]
    for k in range(r.st[T_LEVELS]):
        px, shares = level_at(e, ins, side, index)
        size = r.books[row, 4 * k + column + 1]
        if px == 0:
            beyond = r.per_ins[4 * ins + (Q_BEYOND_BID if side == 1 else Q_BEYOND_ASK)]
            if size != 0 and beyond == 0:
                return np.int64(k), np.int64(0), np.int64(0)
            break
        price = r.grid[r.spans[4 * ins] + px - 1]
        if size != shares or r.books[row, 4 * k + column] != price:
            return np.int64(k), price, shares
        index = after(e, ins, side, index + 1)
    return np.int64(-1), np.int64(0), np.int64(0)


@kernel
def drop_side(e, r, ins, side, keep):
    """Forget all levels of a side but the best `keep`; returns how many there are within those."""
    k = 0
    index = e.sides[ladder_of(ins, side) + S_BEST]
    px, _ = level_at(e, ins, side, index)
    while px != 0:
        if k >= keep:
            drop_level(e, r, ins, side, px)
        k += 1
        index = after(e, ins, side, index + 1)
        px, _ = level_at(e, ins, side, index)
    return k


@kernel
def scroll(e, r, row, ins, side, learning, anew):
    """Forget the levels behind the view and take over those that the row shows for the first time.

    With `anew` the whole side is taken over from the row.
    """
    depth = r.st[T_LEVELS]
    column = 2 if side == 1 else 0
    beyond = 4 * ins + (Q_BEYOND_BID if side == 1 else Q_BEYOND_ASK)
    k = drop_side(e, r, ins, side, 0 if anew else depth)
    if anew:
        k = 0
    # What is entered behind a full view is not in the files; a view with room shows the whole side.
    r.per_ins[beyond] = 1
    while k < depth:
        shares = r.books[row, 4 * k + column + 1]
        if shares == 0:
            r.per_ins[beyond] = 0
            break
        price = r.books[row, 4 * k + column]
        h = new_order(r, 0, ins, side, price, shares, ANONYMOUS)
        send(r, _NEW_LIMIT, ins, side, place(r, ins, price), shares, h, CALMLY, 0)
        if learning:
            r.st[T_LEARNED] += 1
        k += 1


@kernel
def match_row(e, r, row, ins):
    """Compare the published book after a row with the engine's, then follow the view.

    The first row is where the engine's book begins. After a row that differs the engine's book stays as it is; if the
    next row differs too, the engine takes over the published book and the second row is not counted again.
    """
    st = r.st
    anew = False
    learning = True
    if st[T_STARTED] == 0:
        st[T_STARTED] = 1
        r.per_ins[4 * ins + Q_BEYOND_BID] = 1
        r.per_ins[4 * ins + Q_BEYOND_ASK] = 1
        learning = False
    else:
        st[T_BOOKS] += 1
        wrong = False
        for side in (1, -1):
            k, price, shares = compare_side(e, r, row, ins, side)
            if k >= 0 and not wrong:
                wrong = True
                if st[T_PENDING] == 0:
                    st[T_WRONG_BOOKS] += 1
                    column = 4 * k + (2 if side == 1 else 0)
                    size = r.books[row, column + 1]
                    differ(r, D_BOOK, k + 1, side, r.books[row, column] if size else 0, size, 0, price, shares)
        if wrong and st[T_PENDING] == 0:
            st[T_PENDING] = 1
            return
        st[T_PENDING] = 0
        anew = wrong
        learning = not wrong
        if not wrong:
            st[T_EQUAL] += 1
    for side in (1, -1):
        scroll(e, r, row, ins, side, learning, anew)


@kernel
def missing_price(r, row, ins):
    """First price of a published row that the ladder does not have, or 0."""
    for k in range(2 * r.st[T_LEVELS]):
        if r.books[row, 2 * k + 1] != 0 and place(r, ins, r.books[row, 2 * k]) == 0:
            return r.books[row, 2 * k]
    return np.int64(0)


@kernel
def wanted(e, r, a, row, ins, price):
    """What must be provided before a row can be handled."""
    st = r.st
    margin = 4 * st[T_LEVELS] + 4
    n_handles = r.orders.shape[0] >> 3
    n_pool = e.pool.shape[0] >> 3
    if n_handles - st[T_NEXT] + st[T_FREE] < margin or r.ops.shape[0] < n_handles + 2 * margin:
        return WANT_HANDLES
    if 2 * (st[T_KEYS] + 2) > r.values.shape[0]:
        return WANT_MAP
    if n_pool - e.ctl[C_USED] < margin and n_pool - st[T_NEXT] < margin:
        return WANT_POOL
    missing = missing_price(r, row, ins)
    if missing == 0 and a in (ADD, MODIFY) and place(r, ins, price) == 0:
        missing = price
    if missing != 0:
        st[T_WANT_PRICE] = missing
        st[T_WANT_INSTRUMENT] = ins
        return WANT_PRICE
    return OK


@kernel
def event_row(e, r, a, ins, side, price, quantity, identity):
    """An event of an order; returns OK or DUPLICATE."""
    px = place(r, ins, price)
    h = find(r.keys, r.values, identity, ins)
    if a == ADD:
        if h >= 0 and r.orders[(h << 3) + O_LEAVES] <= 0:
            end(r, h)
        elif h >= 0:
            return DUPLICATE
        enter(e, r, px, identity, ins, side, price, quantity)
    elif a == EXECUTE:
        r.st[T_PRINT_SIZE] = 0
        execute(e, r, px, ins, side, price, quantity, identity, h)
    elif a == MODIFY:
        modify(e, r, px, ins, side, price, quantity, identity, h)
    else:
        cancel_row(e, r, px, ins, side, price, quantity, identity, h, a == DELETE)
    return OK


@kernel
def other_row(e, r, a, ins, side, quantity, identity):
    """A row that is no event of an order."""
    st = r.st
    if a == EXECUTE:  # the book of the first row has its execution in it
        st[T_EXECUTIONS] += 1
        st[T_UNKNOWN_EXECUTIONS] += 1
    elif a == TRADE:
        st[T_PRINTS] += 1
        st[T_PRINT_ID] = identity
        st[T_PRINT_SIZE] = quantity
        st[T_PRINT_SIDE] = side
    elif a == HIDDEN:
        st[T_HIDDEN] += 1
    elif a == CROSS:
        st[T_CROSS] += 1
    elif a == CLEAR:
        r.per_ins[4 * ins + Q_COMPLETE] = 1
        drop_side(e, r, ins, 1, 0)
        drop_side(e, r, ins, -1, 0)
        forget_excluded(r, ins)
    elif a == HALT:
        st[T_HALTS] += 1
        r.per_ins[4 * ins + Q_HALTED] = 1
    elif a == QUOTE:
        r.per_ins[4 * ins + Q_HALTED] = 1
    elif a == RESUME:
        r.per_ins[4 * ins + Q_HALTED] = 0


@kernel
def replay_rows(e, r, action, instrument, side, price, quantity, identifier):
    """Handle rows from st[T_ROW] on and return OK or what is wanted before the row at st[T_ROW] can go on."""
    st = r.st
    n = action.shape[0]
    m = st[T_ROW]
    compared = True
    now = np.int64(0)
    while True:
        for j in range(st[T_OPS]):
            ins = r.ops[j, M_INSTRUMENT]
            how = r.ops[j, M_HOW]
            i = ins << I_BITS
            phase = e.state[i + I_PHASE]
            if how == CALMLY:
                e.state[i + I_PHASE] = CALL
            e.ctl[C_ROWS] = 0
            code = handle(
                e.ctl, e.state, e.sides, e.levels, e.words, e.summary, e.pool, e.slots, e.tape,
                now, r.ops[j, M_KIND], ins, r.ops[j, M_SIDE], r.ops[j, M_PRICE], r.ops[j, M_QUANTITY],
                r.ops[j, M_ORDER],
            )  # fmt: skip
            e.state[i + I_PHASE] = phase
            if code != DONE:
                st[T_WANT_PRICE] = code
                return ENGINE_REFUSED
            if how >= STRIKE:
                t = e.tape
                shares = r.ops[j, M_QUANTITY]
                hit = t[7, 1] == r.ops[j, M_SPARE] and t[4, 1] == r.ops[j, M_PRICE] and t[5, 1] == shares
                if e.ctl[C_ROWS] == 2 and t[1, 1] == _TRADE and hit:
                    st[T_MATCHED] += 1
                    st[T_UNNAMED] += how == STRIKE_UNNAMED
                else:
                    differ(r, D_TRADE, ins, -r.ops[j, M_SIDE], r.ops[j, M_PRICE], shares, 0, t[5, 1], t[4, 1])
        st[T_MESSAGES] += st[T_OPS]
        st[T_OPS] = 0
        if not compared:
            compared = True
            match_row(e, r, m - 1, instrument[m - 1])
            continue
        st[T_ROW] = m
        if m >= n:
            return OK
        a = action[m]
        ins = instrument[m]
        code = wanted(e, r, a, m, ins, price[m])
        if code != OK:
            return code
        if a <= MODIFY and (st[T_LEVELS] == 0 or st[T_STARTED] != 0):
            code = event_row(e, r, a, ins, side[m], price[m], quantity[m], identifier[m])
            if code != OK:
                return code
        else:
            other_row(e, r, a, ins, side[m], quantity[m], identifier[m])
        compared = st[T_LEVELS] == 0
        m += 1
