"""Flat arrays that hold the order books of many instruments, and the moves on them: rest, remove, find the next level.

Every instrument has two ladders, bids (side 0) and asks (side 1), indexed from the best possible price outwards: index
0 is the upper limit for bids and the lower limit for asks, so both sides share one code path. A level is a FIFO list of
orders; a two-level bitmap finds the next occupied level. Orders outside a price cage wait in two more ladders, indexed
from the price nearest to the cage outwards. Null links are 0: the first record of the pool is never used.

Arrays (all one-dimensional and C-contiguous unless said otherwise; offsets are premultiplied):
    ctl      int64, the C_* fields: rows of tape, free list, flags, what a suspended call must remember
    state    int64, 1 << I_BITS per instrument, the I_* fields: limits, phase, day's sums, halts, rules
    sides    int64, 1 << S_BITS per (instrument, side), the S_* fields; from C_PARKED on as many for those that wait
    levels   int64, 4 per level, the L_* fields
    words    uint64, one bit per level; summary: uint64, one bit per word
    pool     int64, 8 per order (one cache line), the P_* fields
    slots    int32, pool record of each order handle, 0 when it does not rest
    tape     int64, shape (9, rows): the columns of twin.contracts.Tape

A price is S_BASE + S_SIGN x index of its ladder.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined
from twin.kernels.borrowing import trailing_zeros

(
    C_CURSOR,
    C_ROWS,
    C_USED,
    C_FREE,
    C_SEQUENCE,
    C_LIVE,
    C_STAGE,
    C_RULES,
    C_PARKS,
    C_PARKED,
    C_PRICE,
    C_LEAVES,
    C_DEPTH,
    C_INDEX,
    C_BOUND,
    C_STYLE,
    C_SHOWN,
    C_FOLLOW,
    C_HANDLE,
    C_SIDE,
) = range(20)
CTL_SIZE = 24

I_BITS = 5
# What every message looks at fills the first line of 64 bytes.
(
    I_PHASE,
    I_CANCELS,
    I_CEILING,
    I_FLOOR,
    I_LAST,
    I_VOLUME,
    I_TURNOVER,
    I_TRADES,
    I_DOWN,
    I_UP,
    I_CLOSE,
    I_OPEN,
    I_TIE,
    I_SESSION,
    I_RESUME,
    I_HALTS,
    I_SUSPENDED,
) = range(17)
# Rules in the order of twin.contracts.OrderRules (without tie_break and fixed_price).
(
    I_SMALLEST,
    I_STEP,
    I_LARGEST_LIMIT,
    I_LARGEST_MARKET,
    I_KINDS,
    I_CAGE_PPM,
    I_CAGE_TICKS,
    I_CAGE_PARKS,
    I_OPEN_LOW,
    I_OPEN_HIGH,
    I_BAND_PPM,
    I_HALT_FIRST,
    I_HALT_SECOND,
    I_HALT_NS,
    I_HALT_UNTIL,
) = range(17, 32)
S_BITS = 3
S_OTHER = 1 << S_BITS
"""Set in the offset of a sell side."""
S_BEST, S_BASE, S_SIGN, S_SIZE, S_LEVELS, S_WORDS, S_SUMMARY, S_NET = range(8)
"""S_NET: shares accepted less those withdrawn; that is, traded or resting."""
L_HEAD, L_TAIL, L_QUANTITY, L_ORDERS = range(4)
P_NEXT, P_PREV, P_LEAVES, P_INDEX, P_SIDE, P_HANDLE, P_SEQUENCE, P_INSTRUMENT = range(8)

DONE, TAPE_FULL, POOL_FULL, BAD_HANDLE, BAD_INSTRUMENT, BAD_SIDE, BAD_KIND = range(7)

SHUT, CALL, CONTINUOUS, HALT, SUSPENDED, OPEN_CALL = range(6)
"""What I_PHASE may be: nothing is taken; orders rest without matching (CALL, HALT, OPEN_CALL); orders match; orders are
refused, cancels taken (SUSPENDED)."""

_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined
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


@inlined
def next_level(words, summary, first_word, first_summary, index, size):
    """The first occupied level of a ladder at or after `index`, or `size` if there is none."""
    if index >= size:
        return size
    w = index >> 6
    word = words[first_word + w] & (_ALL << np.uint64(index & 63))
    if word != 0:
        return (w << 6) + trailing_zeros(word)
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
    w = (s << 6) + trailing_zeros(group)
    return (w << 6) + trailing_zeros(words[first_word + w])


@inlined
def rest(ctl, sides, levels, words, summary, pool, slots, so, instrument, index, leaves, handle, sequence):
    """Append an order to the queue of a level; the pool must have room."""
    p = ctl[C_FREE]
    if p != 0:
        ctl[C_FREE] = pool[p + P_NEXT]
    else:
        p = ctl[C_USED] << 3
        ctl[C_USED] += 1
    ctl[C_LIVE] += 1
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
    pool[p + P_INSTRUMENT] = instrument
    levels[lo + L_TAIL] = p
    levels[lo + L_QUANTITY] += leaves
    levels[lo + L_ORDERS] += 1
    if tail != 0:
        pool[tail + P_NEXT] = p
        return
    levels[lo + L_HEAD] = p
    w = index >> 6
    words[sides[so + S_WORDS] + w] |= _ONE << np.uint64(index & 63)
    summary[sides[so + S_SUMMARY] + (w >> 6)] |= _ONE << np.uint64(w & 63)
    if index < sides[so + S_BEST]:
        sides[so + S_BEST] = index


@inlined
def remove(ctl, sides, levels, words, summary, pool, slots, p):
    """Take an order out of its queue, with whatever is left of it, and give its record back."""
    so = pool[p + P_SIDE]
    index = pool[p + P_INDEX]
    before = pool[p + P_PREV]
    after = pool[p + P_NEXT]
    lo = (sides[so + S_LEVELS] + index) << 2
    slots[pool[p + P_HANDLE]] = 0
    levels[lo + L_QUANTITY] -= pool[p + P_LEAVES]
    levels[lo + L_ORDERS] -= 1
    pool[p + P_LEAVES] = 0
    pool[p + P_NEXT] = ctl[C_FREE]
    ctl[C_FREE] = p
    ctl[C_LIVE] -= 1
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
        sides[so + S_BEST] = next_level(
            words, summary, sides[so + S_WORDS], sides[so + S_SUMMARY], index, sides[so + S_SIZE]
        )
