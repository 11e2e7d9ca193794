"""What a message does to one book: trades, orders that wait outside the price cage, changes of resting orders.

Helpers of `twin.kernels.book`; the arrays are those of `twin.kernels.ladders`.
"""

from __future__ import annotations

from twin.kernels import inlined, kernel
from twin.kernels.book_rules import (
    ALL_LEVELS,
    AMEND,
    REASON_LOT,
    REASON_NO_CANCEL,
    REASON_UNKNOWN,
    REDUCE,
    WAIT,
    admit,
    cage_edge,
    note_price,
    open_to,
)
from twin.kernels.ladders import (
    C_FOLLOW,
    C_HANDLE,
    C_INDEX,
    C_LEAVES,
    C_PARKED,
    C_ROWS,
    C_SEQUENCE,
    C_SIDE,
    C_STAGE,
    CONTINUOUS,
    DONE,
    HALT,
    I_BITS,
    I_CANCELS,
    I_CEILING,
    I_FLOOR,
    I_LAST,
    I_PHASE,
    I_RESUME,
    I_TRADES,
    I_TURNOVER,
    I_VOLUME,
    L_HEAD,
    L_QUANTITY,
    P_HANDLE,
    P_INDEX,
    P_LEAVES,
    P_SEQUENCE,
    P_SIDE,
    S_BASE,
    S_BEST,
    S_BITS,
    S_LEVELS,
    S_NET,
    S_OTHER,
    S_SIGN,
    S_SIZE,
    TAPE_FULL,
    emit,
    remove,
    rest,
)

_ACCEPTED, _TRADE, _CANCELLED, _REJECTED, _EXPIRED, _REDUCED, _REPLACED, _HALTED = range(8)
FRESH, ENTERED, RESUMING, FOLLOWING, FOLLOWER = range(5)
"""C_STAGE: between messages; an order of the message trades; a halt that has ended gives way to the message; orders
that waited may enter; one of them trades."""


@inlined
def match(
    ctl, state, sides, levels, words, summary, pool, slots, tape, t, ins, sd, other, handle, bound, leaves, depth
):
    """Trade an order against the other side up to index `bound`, through at most `depth` levels.

    Returns the code, what is left, the levels left and the index of the last trade (-1: none). Assumes that an order
    whose trade halts the instrument stops there: a limit order's remainder rests, any other is cancelled.
    """
    row = ctl[C_ROWS]
    room = tape.shape[1]
    i = ins << I_BITS
    base = sides[other + S_BASE]
    sign = sides[other + S_SIGN]
    last = -1
    code = DONE
    while leaves > 0 and depth > 0:
        best = sides[other + S_BEST]
        if best > bound:
            break
        if row + 2 > room:
            code = TAPE_FULL
            break
        lo = (sides[other + S_LEVELS] + best) << 2
        p = levels[lo + L_HEAD]
        there = pool[p + P_LEAVES]
        size = min(there, leaves)
        leaves -= size
        at = base + sign * best
        emit(tape, row, t, _TRADE, ins, sd, at, size, handle, pool[p + P_HANDLE], leaves)
        row += 1
        last = best
        state[i + I_LAST] = at
        state[i + I_VOLUME] += size
        state[i + I_TURNOVER] += at * size
        state[i + I_TRADES] += 1
        if there == size:
            remove(ctl, sides, levels, words, summary, pool, slots, p)
            if sides[other + S_BEST] != best:
                depth -= 1
        else:
            pool[p + P_LEAVES] = there - size
            levels[lo + L_QUANTITY] -= size
        if at >= state[i + I_CEILING] or at <= state[i + I_FLOOR]:
            until = note_price(state, i, at, t)
            if until > 0:
                emit(tape, row, t, _HALTED, ins, 0, at, until, -1, -1, 0)
                row += 1
                state[i + I_PHASE] = HALT
                state[i + I_RESUME] = until
                break
    ctl[C_ROWS] = row
    return code, leaves, depth, last


@kernel
def admit_waiting(ctl, sides, levels, words, summary, pool, slots, ins):
    """Move every order that waits outside the cage of an instrument into its book, without a trade.

    Done when a call or a halt begins, where no cage holds (assumed): the nearest to the cage first, then the oldest.
    """
    for s in range(2):
        so = (ins << (S_BITS + 1)) + s * S_OTHER
        ps = ctl[C_PARKED] + so
        while sides[ps + S_BEST] < sides[ps + S_SIZE]:
            p = levels[((sides[ps + S_LEVELS] + sides[ps + S_BEST]) << 2) + L_HEAD]
            leaves = pool[p + P_LEAVES]
            handle = pool[p + P_HANDLE]
            index = sides[ps + S_SIZE] - 1 - pool[p + P_INDEX]
            remove(ctl, sides, levels, words, summary, pool, slots, p)
            ctl[C_SEQUENCE] += 1
            rest(ctl, sides, levels, words, summary, pool, slots, so, ins, index, leaves, handle, ctl[C_SEQUENCE])


@kernel
def admit_all_waiting(ctl, sides, levels, words, summary, pool, slots, chosen):
    """`admit_waiting` of the instruments in `chosen` (int64)."""
    for k in range(chosen.shape[0]):
        admit_waiting(ctl, sides, levels, words, summary, pool, slots, chosen[k])


@kernel
def follow(ctl, state, sides, levels, words, summary, pool, slots, tape, t):
    """Let orders that wait outside the cage of instrument ctl[C_FOLLOW] enter while the cage reaches them.

    Of a buy and a sell that it reaches the one that came first enters first; on one side the price nearest to the cage,
    then the oldest (assumed: the rule says only that the host takes out an order once its price is valid).
    """
    ins = ctl[C_FOLLOW]
    i = ins << I_BITS
    while True:
        if ctl[C_STAGE] == FOLLOWER:
            handle = ctl[C_HANDLE]
            sd = ctl[C_SIDE]
            leaves = ctl[C_LEAVES]
            index = ctl[C_INDEX]
        elif state[i + I_PHASE] != CONTINUOUS:
            if state[i + I_PHASE] == HALT:
                admit_waiting(ctl, sides, levels, words, summary, pool, slots, ins)
            ctl[C_STAGE] = FRESH
            return DONE
        else:
            first = 0
            for s in range(2):
                ps = ctl[C_PARKED] + (ins << (S_BITS + 1)) + s * S_OTHER
                if sides[ps + S_BEST] >= sides[ps + S_SIZE]:
                    continue
                edge = cage_edge(state, sides, ins, 1 - 2 * s)
                if (sides[ps + S_BASE] + sides[ps + S_SIGN] * sides[ps + S_BEST] - edge) * (1 - 2 * s) > 0:
                    continue
                p = levels[((sides[ps + S_LEVELS] + sides[ps + S_BEST]) << 2) + L_HEAD]
                if first == 0 or pool[p + P_SEQUENCE] < pool[first + P_SEQUENCE]:
                    first = p
            if first == 0:
                ctl[C_STAGE] = FRESH
                return DONE
            ps = pool[first + P_SIDE]
            handle = pool[first + P_HANDLE]
            leaves = pool[first + P_LEAVES]
            index = sides[ps + S_SIZE] - 1 - pool[first + P_INDEX]
            sd = -1 if ps & S_OTHER else 1
            remove(ctl, sides, levels, words, summary, pool, slots, first)
            ctl[C_SEQUENCE] += 1
        so = (ins << (S_BITS + 1)) + (S_OTHER if sd < 0 else 0)
        bound = sides[so + S_SIZE] - 1 - index
        code, leaves, _, _ = match(
            ctl, state, sides, levels, words, summary, pool, slots, tape,
            t, ins, sd, so ^ S_OTHER, handle, bound, leaves, ALL_LEVELS,
        )  # fmt: skip
        if code != DONE:
            ctl[C_STAGE] = FOLLOWER
            ctl[C_HANDLE] = handle
            ctl[C_SIDE] = sd
            ctl[C_LEAVES] = leaves
            ctl[C_INDEX] = index
            return code
        ctl[C_STAGE] = FOLLOWING
        if leaves > 0:
            rest(ctl, sides, levels, words, summary, pool, slots, so, ins, index, leaves, handle, ctl[C_SEQUENCE])


@kernel
def modify(ctl, state, sides, levels, words, summary, pool, slots, tape, t, k, ins, px, qty, handle):
    """REDUCE, REPLACE or AMEND of a resting order; there must be a row of tape. Returns its side if it enters anew.

    Refused (NO_CANCEL, UNKNOWN_ORDER, or as a new order would be), the order stays as it is. A REDUCE by all that is
    left cancels. 0 is returned where the message is done with.
    """
    row = ctl[C_ROWS]
    ctl[C_ROWS] = row + 1
    p = int(slots[handle]) << 3
    i = ins << I_BITS
    leaves = pool[p + P_LEAVES]
    reason = 0
    if state[i + I_CANCELS] == 0:
        reason = REASON_NO_CANCEL
    elif p == 0:
        reason = REASON_UNKNOWN
    if reason != 0:
        emit(tape, row, t, _REJECTED, ins, 0, px, qty, handle, -1 - reason, leaves)
        return 0
    so = pool[p + P_SIDE]
    own = (ins << (S_BITS + 1)) + (so & S_OTHER)
    sd = -1 if so & S_OTHER else 1
    at = sides[so + S_BASE] + sides[so + S_SIGN] * pool[p + P_INDEX]
    in_place = k == REDUCE or (k == AMEND and px == at and 0 < qty <= leaves)
    if in_place:
        reason = open_to(state, i, k)
        if reason == 0 and qty <= 0:
            reason = REASON_LOT
    else:
        reason = admit(ctl, state, sides, levels, words, summary, pool, t, k, ins, sd, px, qty)
    if reason > 0:
        emit(tape, row, t, _REJECTED, ins, sd, px, qty, handle, -1 - reason, leaves)
        return 0
    if in_place and not (k == REDUCE and qty >= leaves):
        kept = leaves - qty if k == REDUCE else qty
        sides[own + S_NET] -= leaves - kept
        pool[p + P_LEAVES] = kept
        levels[((sides[so + S_LEVELS] + pool[p + P_INDEX]) << 2) + L_QUANTITY] -= leaves - kept
        emit(tape, row, t, _REDUCED if k == REDUCE else _REPLACED, ins, sd, at, qty, handle, -1, kept)
        return 0
    sides[own + S_NET] -= leaves
    remove(ctl, sides, levels, words, summary, pool, slots, p)
    if in_place:
        emit(tape, row, t, _CANCELLED, ins, sd, at, leaves, handle, -1, 0)
        return 0
    emit(tape, row, t, _REPLACED, ins, sd, px, qty, handle, -1, qty)
    sides[own + S_NET] += qty
    ctl[C_SEQUENCE] += 1
    if reason == WAIT:
        wait(ctl, sides, levels, words, summary, pool, slots, own, ins, qty, handle)
        return 0
    return sd


@kernel
def wait(ctl, sides, levels, words, summary, pool, slots, so, ins, qty, handle):
    """Put an order that `admit` has just judged to WAIT among those outside the cage."""
    index = sides[so + S_SIZE] - 1 - ctl[C_INDEX]
    ps = ctl[C_PARKED] + so
    rest(ctl, sides, levels, words, summary, pool, slots, ps, ins, index, qty, handle, ctl[C_SEQUENCE])
