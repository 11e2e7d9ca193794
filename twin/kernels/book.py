"""Price-time-priority order books of many instruments in flat arrays.

Every instrument has two ladders, bids (side 0) and asks (side 1), indexed from the best possible price outwards: index
0 is `limit_up` for bids and `limit_down` for asks, so both sides share one code path. A level is a FIFO list of orders;
a two-level bitmap finds the next occupied level. Null links are 0: the first record of the pool is never used.

Arrays (all one-dimensional and C-contiguous unless said otherwise; offsets are premultiplied):
    ctl      int64, the C_* fields below: cursor, tape rows, free list, phase, what a suspended call must remember
    state    int64, 8 per instrument, the I_* fields
    sides    int64, 8 per (instrument, side), the S_* fields
    levels   int64, 4 per level, the L_* fields
    words    uint64, one bit per level; summary: uint64, one bit per word
    pool     int64, 8 per order (one cache line), the P_* fields
    slots    int32, pool record of each order handle, 0 when it does not rest
    tape     int64, shape (9, rows): the columns of twin.contracts.Tape

A kernel that runs out of tape or pool returns TAPE_FULL or POOL_FULL with its place kept in `ctl`; called again with
more room, it goes on exactly there. Rules: domain rows M20 to M24.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import kernel

C_CURSOR, C_ROWS, C_USED, C_FREE, C_SEQUENCE, C_PHASE, C_CANCELS, C_STAGE, C_LEAVES, C_LEVELS, C_PRICE = range(11)
CTL_SIZE = 16
I_DOWN, I_UP, I_LAST, I_VOLUME, I_TURNOVER, I_CLOSE, I_EXCHANGE, I_TRADES = range(8)
S_LEVELS, S_WORDS, S_SUMMARY, S_BEST, S_RESTING, S_ACCEPTED, S_WITHDRAWN, S_ORDERS = range(8)
L_HEAD, L_TAIL, L_QUANTITY, L_ORDERS = range(4)
P_NEXT, P_PREV, P_LEAVES, P_INDEX, P_SIDE, P_HANDLE, P_SEQUENCE, P_SPARE = range(8)

DONE, TAPE_FULL, POOL_FULL, BAD_HANDLE, BAD_INSTRUMENT, BAD_SIDE, BAD_KIND, HANDLE_IN_USE = range(8)

SHUT, CALL, CONTINUOUS = range(3)
"""What C_PHASE may be: nothing is taken; orders rest without matching; orders match."""

MARKET_LEVELS = 5

_NEW_LIMIT, _NEW_MARKET, _CANCEL, _NEW_IOC = range(4)
_ACCEPTED, _TRADE, _CANCELLED, _REJECTED, _EXPIRED = range(5)
_PRICE_LIMIT, _LOT, _CLOSED, _NO_CANCEL, _UNKNOWN, _NO_COUNTERPARTY = 3, 4, 6, 7, 8, 9  # twin.contracts.Reason

_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHIFT58 = np.uint64(58)
# Position of the lowest set bit by multiplication (Leiserson, Prokop, Randall 1998): table of the de Bruijn sequence.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT = np.array([((0x03F79D71B4CB0A89 << i) & (2**64 - 1)) >> 58 for i in range(64)]).argsort()


@kernel
def lowest_bit(word):
    """Position of the lowest set bit of a uint64 that is not 0."""
    return _BIT[((word & (~word + _ONE)) * _DE_BRUIJN) >> _SHIFT58]


@kernel
def emit(tape, row, time, kind, instrument, side, price, quantity, order, counter, leaves):
    """Write one row of the tape."""
    tape[0, row] = time
    tape[1, row] = kind
    tape[2, row] = instrument
    tape[3, row] = side
    tape[4, row] = price
    tape[5, row] = quantity
    tape[6, row] = order
    tape[7, row] = counter
    tape[8, row] = leaves


@kernel
def next_level(words, summary, first_word, first_summary, index, size):
    """The first occupied level of a ladder at or after `index`, or `size` if there is none."""
    if index >= size:
        return size
    w = index >> 6
    word = words[first_word + w] & (_ALL << np.uint64(index & 63))
    if word != 0:
        return (w << 6) + lowest_bit(word)
    w += 1
    n_words = (size + 63) >> 6
    if w >= n_words:
        return size
    s = w >> 6
    group = summary[first_summary + s] & (_ALL << np.uint64(w & 63))
    n_groups = (n_words + 63) >> 6
    while group == 0:
        s += 1
        if s >= n_groups:
            return size
        group = summary[first_summary + s]
    w = (s << 6) + lowest_bit(group)
    return (w << 6) + lowest_bit(words[first_word + w])


@kernel
def rest(sides, levels, words, summary, ctl, pool, slots, so, index, leaves, handle, sequence):
    """Append an order to the queue of a level; the pool must have room."""
    p = ctl[C_FREE]
    if p != 0:
        ctl[C_FREE] = pool[p + P_NEXT]
    else:
        p = ctl[C_USED] << 3
        ctl[C_USED] += 1
    slots[handle] = p >> 3
    lo = (sides[so + S_LEVELS] + index) << 2
    tail = levels[lo + L_TAIL]
    pool[p + P_NEXT] = 0
    pool[p + P_PREV] = tail
    pool[p + P_LEAVES] = leaves
    pool[p + P_INDEX] = index
    pool[p + P_SIDE] = so
    pool[p + P_HANDLE] = handle
    pool[p + P_SEQUENCE] = sequence
    levels[lo + L_TAIL] = p
    levels[lo + L_QUANTITY] += leaves
    levels[lo + L_ORDERS] += 1
    sides[so + S_RESTING] += leaves
    sides[so + S_ORDERS] += 1
    if tail != 0:
        pool[tail + P_NEXT] = p
        return
    levels[lo + L_HEAD] = p
    w = index >> 6
    words[sides[so + S_WORDS] + w] |= _ONE << np.uint64(index & 63)
    summary[sides[so + S_SUMMARY] + (w >> 6)] |= _ONE << np.uint64(w & 63)
    if index < sides[so + S_BEST]:
        sides[so + S_BEST] = index


@kernel
def remove(state, sides, levels, words, summary, ctl, pool, slots, p):
    """Take an order out of its queue and give its record back; quantities must already be 0 or are taken off here."""
    so = pool[p + P_SIDE]
    index = pool[p + P_INDEX]
    leaves = pool[p + P_LEAVES]
    before = pool[p + P_PREV]
    after = pool[p + P_NEXT]
    lo = (sides[so + S_LEVELS] + index) << 2
    slots[pool[p + P_HANDLE]] = 0
    pool[p + P_LEAVES] = 0
    pool[p + P_NEXT] = ctl[C_FREE]
    ctl[C_FREE] = p
    levels[lo + L_QUANTITY] -= leaves
    levels[lo + L_ORDERS] -= 1
    sides[so + S_RESTING] -= leaves
    sides[so + S_ORDERS] -= 1
    if before != 0:
        pool[before + P_NEXT] = after
    else:
        levels[lo + L_HEAD] = after
    if after != 0:
        pool[after + P_PREV] = before
        return
    levels[lo + L_TAIL] = before
    if before != 0:
        return
    w = index >> 6
    at = sides[so + S_WORDS] + w
    words[at] &= ~(_ONE << np.uint64(index & 63))
    if words[at] == 0:
        summary[sides[so + S_SUMMARY] + (w >> 6)] &= ~(_ONE << np.uint64(w & 63))
    if index == sides[so + S_BEST]:
        i = (so >> 4) << 3
        size = state[i + I_UP] - state[i + I_DOWN] + 1
        sides[so + S_BEST] = next_level(words, summary, sides[so + S_WORDS], sides[so + S_SUMMARY], index, size)


@kernel
def process(
    ctl, state, sides, levels, words, summary, pool, slots, tape, time, kind, instrument, side, price, quantity, order
):
    """Handle the messages from ctl[C_CURSOR] on and return a code (DONE, TAPE_FULL, ...); columns are int64.

    The message at ctl[C_CURSOR] is the one that a bad code speaks of.
    """
    n = time.shape[0]
    room = tape.shape[1]
    n_state = state.shape[0] >> 3
    pool_size = pool.shape[0] >> 3
    row = ctl[C_ROWS]
    phase = ctl[C_PHASE]
    code = DONE
    m = ctl[C_CURSOR]
    while m < n:
        if row >= room:
            code = TAPE_FULL
            break
        t = time[m]
        k = kind[m]
        ins = instrument[m]
        handle = order[m]
        if handle < 0 or handle >= slots.shape[0]:
            code = BAD_HANDLE
            break
        if ins < 0 or ins >= n_state:
            code = BAD_INSTRUMENT
            break
        i = ins << 3
        if k == _CANCEL:
            p = np.int64(slots[handle]) << 3
            if ctl[C_CANCELS] == 0:
                emit(tape, row, t, _REJECTED, ins, 0, 0, 0, handle, -1 - _NO_CANCEL, pool[p + P_LEAVES])
            elif p == 0:
                emit(tape, row, t, _REJECTED, ins, 0, 0, 0, handle, -1 - _UNKNOWN, 0)
            else:
                so = pool[p + P_SIDE]
                leaves = pool[p + P_LEAVES]
                ins = so >> 4
                if so & 8:
                    sd = -1
                    px = state[(ins << 3) + I_DOWN] + pool[p + P_INDEX]
                else:
                    sd = 1
                    px = state[(ins << 3) + I_UP] - pool[p + P_INDEX]
                sides[so + S_WITHDRAWN] += leaves
                remove(state, sides, levels, words, summary, ctl, pool, slots, p)
                emit(tape, row, t, _CANCELLED, ins, sd, px, leaves, handle, -1, 0)
            row += 1
            m += 1
            continue

        # A new order. `so` is its own side, `other` the side that it may hit.
        sd = side[m]
        if sd == 1:
            so = ins << 4
            other = so + 8
        elif sd == -1:
            other = ins << 4
            so = other + 8
        else:
            code = BAD_SIDE
            break
        if k < 0 or k > _NEW_IOC:
            code = BAD_KIND
            break
        px = price[m]
        reach = state[i + I_UP] - state[i + I_DOWN]
        index = reach + 1
        bound = reach
        depth = MARKET_LEVELS
        if k != _NEW_MARKET:
            index = state[i + I_UP] - px if sd == 1 else px - state[i + I_DOWN]
            bound = reach - index
            depth = reach + 1
        if ctl[C_STAGE] == 0:
            leaves = quantity[m]
            reason = 0
            if phase == SHUT or (phase == CALL and k != _NEW_LIMIT):
                reason = _CLOSED
            elif leaves <= 0:
                reason = _LOT
            elif k == _NEW_MARKET:
                if sides[other + S_BEST] > reach:
                    reason = _NO_COUNTERPARTY
            elif index < 0 or index > reach:
                reason = _PRICE_LIMIT
            if reason != 0:
                emit(tape, row, t, _REJECTED, ins, sd, px, leaves, handle, -1 - reason, 0)
                row += 1
                m += 1
                continue
            if slots[handle] != 0:
                code = HANDLE_IN_USE
                break
            if ctl[C_FREE] == 0 and ctl[C_USED] >= pool_size:
                code = POOL_FULL
                break
            emit(tape, row, t, _ACCEPTED, ins, sd, px, leaves, handle, -1, leaves)
            row += 1
            ctl[C_SEQUENCE] += 1
            sides[so + S_ACCEPTED] += leaves
        else:
            leaves = ctl[C_LEAVES]
            depth = ctl[C_LEVELS]
            ctl[C_STAGE] = 0

        if phase == CONTINUOUS:
            while leaves > 0 and depth > 0:
                best = sides[other + S_BEST]
                if best > bound:
                    break
                if row >= room:
                    code = TAPE_FULL
                    break
                lo = (sides[other + S_LEVELS] + best) << 2
                p = levels[lo + L_HEAD]
                there = pool[p + P_LEAVES]
                size = min(there, leaves)
                leaves -= size
                at = state[i + I_DOWN] + best if sd == 1 else state[i + I_UP] - best
                emit(tape, row, t, _TRADE, ins, sd, at, size, handle, pool[p + P_HANDLE], leaves)
                row += 1
                state[i + I_LAST] = at
                state[i + I_VOLUME] += size
                state[i + I_TURNOVER] += at * size
                state[i + I_TRADES] += 1
                if there == size:
                    remove(state, sides, levels, words, summary, ctl, pool, slots, p)
                    if sides[other + S_BEST] != best:
                        depth -= 1
                else:
                    pool[p + P_LEAVES] = there - size
                    levels[lo + L_QUANTITY] -= size
                    sides[other + S_RESTING] -= size
        if leaves > 0 and code == DONE:
            if k == _NEW_LIMIT:
                rest(sides, levels, words, summary, ctl, pool, slots, so, index, leaves, handle, ctl[C_SEQUENCE])
            elif row >= room:
                code = TAPE_FULL
            else:
                sides[so + S_WITHDRAWN] += leaves
                emit(tape, row, t, _CANCELLED, ins, sd, px, leaves, handle, -1, 0)
                row += 1
        if code != DONE:
            ctl[C_STAGE] = 1
            ctl[C_LEAVES] = leaves
            ctl[C_LEVELS] = depth
            break
        m += 1
    ctl[C_CURSOR] = m
    ctl[C_ROWS] = row
    return code


@kernel
def expire(ctl, state, sides, levels, words, summary, pool, slots, tape, time):
    """Withdraw every resting order, side by side from ctl[C_CURSOR] on, best price and oldest order first."""
    row = ctl[C_ROWS]
    code = DONE
    s = ctl[C_CURSOR]
    while s < sides.shape[0] >> 3:
        so = s << 3
        i = (so >> 4) << 3
        reach = state[i + I_UP] - state[i + I_DOWN]
        while sides[so + S_BEST] <= reach:
            if row >= tape.shape[1]:
                code = TAPE_FULL
                break
            best = sides[so + S_BEST]
            p = levels[((sides[so + S_LEVELS] + best) << 2) + L_HEAD]
            leaves = pool[p + P_LEAVES]
            handle = pool[p + P_HANDLE]
            px = state[i + I_DOWN] + best if so & 8 else state[i + I_UP] - best
            sd = -1 if so & 8 else 1
            emit(tape, row, time, _EXPIRED, i >> 3, sd, px, leaves, handle, -1, 0)
            row += 1
            sides[so + S_WITHDRAWN] += leaves
            remove(state, sides, levels, words, summary, ctl, pool, slots, p)
        if code != DONE:
            break
        s += 1
    ctl[C_CURSOR] = s
    ctl[C_ROWS] = row
    return code


@kernel
def depth(state, sides, levels, words, summary, instrument, n_levels, out):
    """Write the best `n_levels` levels into out[0..3]: bid price, bid quantity, ask price, ask quantity (int64).

    Returns the shares in them on both sides. With an empty `out` (shape (4, 0)) nothing is written.
    """
    i = instrument << 3
    size = state[i + I_UP] - state[i + I_DOWN] + 1
    total = 0
    for s in range(2):
        so = (instrument << 4) + (s << 3)
        best = sides[so + S_BEST]
        n = 0
        while n < n_levels and best < size:
            shares = levels[((sides[so + S_LEVELS] + best) << 2) + L_QUANTITY]
            total += shares
            if n < out.shape[1]:
                out[2 * s, n] = state[i + I_DOWN] + best if s == 1 else state[i + I_UP] - best
                out[2 * s + 1, n] = shares
            n += 1
            best = next_level(words, summary, sides[so + S_WORDS], sides[so + S_SUMMARY], best + 1, size)
    return total


@kernel
def depth_all(state, sides, levels, words, summary, n_levels, none, out):
    """Write the shares within the best `n_levels` levels of both sides of every instrument into `out` (int64).

    `none` is an int64 array of shape (4, 0).
    """
    for instrument in range(out.shape[0]):
        out[instrument] = depth(state, sides, levels, words, summary, instrument, n_levels, none)
