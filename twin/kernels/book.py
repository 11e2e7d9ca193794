"""Price-time-priority order books of many instruments: every message of the exchange, in continuous trading and calls.

`handle` does one message and is copied into the kernel that calls it; `process` is the loop over a batch. The arrays
are those of `twin.kernels.ladders`; the rules of admission are in `book_rules`, call auctions in `auction`.

A kernel that runs out of tape or pool returns TAPE_FULL or POOL_FULL with its place kept in `ctl`; called again with
the same message and more room, it goes on exactly there. Rules: domain rows M20 to M24, M50 to M58.
"""

from __future__ import annotations

from twin.kernels import inlined, kernel
from twin.kernels.auction import resume
from twin.kernels.book_rules import (
    ALL_LEVELS,
    AMEND,
    CANCEL,
    ENTRY,
    FIXED_PRICE,
    LATEST,
    LIMIT,
    REASON_LIMIT,
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
    BAD_HANDLE,
    BAD_INSTRUMENT,
    BAD_KIND,
    BAD_SIDE,
    C_BOUND,
    C_CURSOR,
    C_DEPTH,
    C_FOLLOW,
    C_FREE,
    C_HANDLE,
    C_INDEX,
    C_LEAVES,
    C_PARKED,
    C_PARKS,
    C_ROWS,
    C_RULES,
    C_SEQUENCE,
    C_SHOWN,
    C_SIDE,
    C_STAGE,
    C_STYLE,
    C_USED,
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
    P_INSTRUMENT,
    P_LEAVES,
    P_SEQUENCE,
    P_SIDE,
    POOL_FULL,
    S_ACCEPTED,
    S_BASE,
    S_BEST,
    S_BITS,
    S_LEVELS,
    S_OTHER,
    S_SIGN,
    S_SIZE,
    S_SUMMARY,
    S_WITHDRAWN,
    S_WORDS,
    TAPE_FULL,
    emit,
    next_level,
    remove,
    rest,
)

_ACCEPTED, _TRADE, _CANCELLED, _REJECTED, _EXPIRED, _REDUCED, _REPLACED, _HALTED = range(8)
_FRESH, _ENTERED, _FOLLOWING, _FOLLOWER = range(4)
"""C_STAGE: between messages; an order of the message trades; orders that waited may enter; one of them trades."""


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
        if ctl[C_STAGE] == _FOLLOWER:
            handle = ctl[C_HANDLE]
            sd = ctl[C_SIDE]
            leaves = ctl[C_LEAVES]
            index = ctl[C_INDEX]
        elif state[i + I_PHASE] != CONTINUOUS:
            if state[i + I_PHASE] == HALT:
                admit_waiting(ctl, sides, levels, words, summary, pool, slots, ins)
            ctl[C_STAGE] = _FRESH
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
                ctl[C_STAGE] = _FRESH
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
            ctl[C_STAGE] = _FOLLOWER
            ctl[C_HANDLE] = handle
            ctl[C_SIDE] = sd
            ctl[C_LEAVES] = leaves
            ctl[C_INDEX] = index
            return code
        ctl[C_STAGE] = _FOLLOWING
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
        sides[own + S_WITHDRAWN] += leaves - kept
        pool[p + P_LEAVES] = kept
        levels[((sides[so + S_LEVELS] + pool[p + P_INDEX]) << 2) + L_QUANTITY] -= leaves - kept
        emit(tape, row, t, _REDUCED if k == REDUCE else _REPLACED, ins, sd, at, qty, handle, -1, kept)
        return 0
    sides[own + S_WITHDRAWN] += leaves
    remove(ctl, sides, levels, words, summary, pool, slots, p)
    if in_place:
        emit(tape, row, t, _CANCELLED, ins, sd, at, leaves, handle, -1, 0)
        return 0
    emit(tape, row, t, _REPLACED, ins, sd, px, qty, handle, -1, qty)
    sides[own + S_ACCEPTED] += qty
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


@inlined
def handle(ctl, state, sides, levels, words, summary, pool, slots, tape, t, k, ins, sd, px, qty, order):
    """Handle one message of time t (ns), kind k, instrument, side, price (ticks), quantity and order handle.

    Writes its reports to `tape` from row ctl[C_ROWS] on and moves that field; the caller empties the tape by setting it
    to 0. Returns DONE; TAPE_FULL (make room, call again with the same message), POOL_FULL (likewise, with a longer
    pool); or BAD_HANDLE, BAD_INSTRUMENT, BAD_SIDE, BAD_KIND: the message is malformed and nothing has happened. A halt
    of its instrument that ends at or before t is resumed first, at its own instant. `tape` needs at least 2 rows.
    """
    row = ctl[C_ROWS]
    if row >= tape.shape[1]:
        return TAPE_FULL
    if order < 0 or order >= slots.shape[0]:
        return BAD_HANDLE
    if ins < 0 or ins >= state.shape[0] >> I_BITS:
        return BAD_INSTRUMENT
    stage = ctl[C_STAGE]
    if stage != _FRESH:
        if stage >= _FOLLOWING:
            return follow(ctl, state, sides, levels, words, summary, pool, slots, tape, t)
        ins = ctl[C_FOLLOW]
    p = 0
    if k == CANCEL or REDUCE <= k <= AMEND:
        p = int(slots[order]) << 3
        if p != 0:
            ins = pool[p + P_INSTRUMENT]
    i = ins << I_BITS
    phase = state[i + I_PHASE]
    if phase == HALT and t >= state[i + I_RESUME]:
        code = resume(ctl, state, sides, levels, words, summary, pool, slots, tape, state[i + I_RESUME], ins)
        if code != DONE:
            return code
        row = ctl[C_ROWS]
        if row >= tape.shape[1]:
            return TAPE_FULL
        phase = state[i + I_PHASE]
        if p != 0:
            p = int(slots[order]) << 3

    if k == CANCEL:
        ctl[C_ROWS] = row + 1
        leaves = pool[p + P_LEAVES]
        if state[i + I_CANCELS] == 0 or p == 0:
            reason = REASON_NO_CANCEL if state[i + I_CANCELS] == 0 else REASON_UNKNOWN
            emit(tape, row, t, _REJECTED, ins, 0, 0, 0, order, -1 - reason, leaves)
            return DONE
        so = pool[p + P_SIDE]
        px = sides[so + S_BASE] + sides[so + S_SIGN] * pool[p + P_INDEX]
        sides[so + S_WITHDRAWN] += leaves
        remove(ctl, sides, levels, words, summary, pool, slots, p)
        emit(tape, row, t, _CANCELLED, ins, 1 - ((so >> (S_BITS - 1)) & 2), px, leaves, order, -1, 0)
    else:
        if stage == _FRESH:
            if k < 0 or k > FIXED_PRICE:
                return BAD_KIND
            if REDUCE <= k <= AMEND:
                sd = modify(ctl, state, sides, levels, words, summary, pool, slots, tape, t, k, ins, px, qty, order)
                row = ctl[C_ROWS]
                leaves = qty if sd != 0 else 0
                index = ctl[C_INDEX]
                bound = ctl[C_BOUND]
                depth = ALL_LEVELS
                so = (ins << (S_BITS + 1)) + ((1 - sd) << (S_BITS - 1))
            else:
                if sd * sd != 1:
                    return BAD_SIDE
                so = (ins << (S_BITS + 1)) + ((1 - sd) << (S_BITS - 1))
                leaves = qty
                shown = px
                if k == LIMIT and phase == CONTINUOUS and ctl[C_RULES] == 0:
                    index = (px - sides[so + S_BASE]) * sides[so + S_SIGN]
                    bound = sides[so + S_SIZE] - 1 - index
                    depth = ALL_LEVELS
                    reason = 0
                    if index < 0 or bound < 0:
                        reason = REASON_LIMIT
                    if leaves <= 0:
                        reason = REASON_LOT
                    ctl[C_STYLE] = ENTRY
                else:
                    reason = admit(ctl, state, sides, levels, words, summary, pool, t, k, ins, sd, px, qty)
                    index = ctl[C_INDEX]
                    bound = ctl[C_BOUND]
                    depth = ctl[C_DEPTH]
                    shown = ctl[C_SHOWN]
                if reason <= 0 and slots[order] != 0:
                    reason = REASON_UNKNOWN
                if reason > 0:
                    known = pool[(int(slots[order]) << 3) + P_LEAVES]
                    emit(tape, row, t, _REJECTED, ins, sd, px, qty, order, -1 - reason, known)
                    ctl[C_ROWS] = row + 1
                    return DONE
                if ctl[C_FREE] == 0 and ctl[C_USED] >= pool.shape[0] >> 3:
                    return POOL_FULL
                emit(tape, row, t, _ACCEPTED, ins, sd, shown, leaves, order, -1, leaves)
                row += 1
                ctl[C_ROWS] = row
                ctl[C_SEQUENCE] += 1
                sides[so + S_ACCEPTED] += leaves
                if reason == WAIT:
                    wait(ctl, sides, levels, words, summary, pool, slots, so, ins, qty, order)
                    leaves = 0
        else:
            sd = ctl[C_SIDE]
            so = (ins << (S_BITS + 1)) + ((1 - sd) << (S_BITS - 1))
            leaves = ctl[C_LEAVES]
            depth = ctl[C_DEPTH]
            index = ctl[C_INDEX]
            bound = ctl[C_BOUND]
            ctl[C_STAGE] = _FRESH
        if leaves > 0:
            code = DONE
            if phase == CONTINUOUS:
                code, leaves, depth, last = match(
                    ctl, state, sides, levels, words, summary, pool, slots, tape,
                    t, ins, sd, so ^ S_OTHER, order, bound, leaves, depth,
                )  # fmt: skip
                if last >= 0 and ctl[C_STYLE] == LATEST:
                    index = sides[so + S_SIZE] - 1 - last
            if leaves > 0 and code == DONE:
                if index < sides[so + S_SIZE]:
                    rest(
                        ctl, sides, levels, words, summary, pool, slots, so, ins, index, leaves, order, ctl[C_SEQUENCE]
                    )
                elif ctl[C_ROWS] >= tape.shape[1]:
                    code = TAPE_FULL
                else:
                    row = ctl[C_ROWS]
                    sides[so + S_WITHDRAWN] += leaves
                    emit(tape, row, t, _CANCELLED, ins, sd, px, leaves, order, -1, 0)
                    ctl[C_ROWS] = row + 1
            if code != DONE:
                ctl[C_STAGE] = _ENTERED
                ctl[C_FOLLOW] = ins
                ctl[C_SIDE] = sd
                ctl[C_LEAVES] = leaves
                ctl[C_DEPTH] = depth
                ctl[C_INDEX] = index
                ctl[C_BOUND] = bound
                return code
    if ctl[C_PARKS] != 0:
        ctl[C_FOLLOW] = ins
        ctl[C_STAGE] = _FOLLOWING
        return follow(ctl, state, sides, levels, words, summary, pool, slots, tape, t)
    return DONE


@kernel
def process(
    ctl, state, sides, levels, words, summary, pool, slots, tape, time, kind, instrument, side, price, quantity, order
):
    """Handle the messages from ctl[C_CURSOR] on and return a code (DONE, TAPE_FULL, ...); columns are int64.

    The message at ctl[C_CURSOR] is the one that a bad code speaks of.
    """
    code = DONE
    m = ctl[C_CURSOR]
    while m < time.shape[0]:
        code = handle(
            ctl, state, sides, levels, words, summary, pool, slots, tape,
            time[m], kind[m], instrument[m], side[m], price[m], quantity[m], order[m],
        )  # fmt: skip
        if code != DONE:
            break
        m += 1
    ctl[C_CURSOR] = m
    return code


@kernel
def expire(ctl, sides, levels, words, summary, pool, slots, tape, time):
    """Withdraw every resting order, side by side from ctl[C_CURSOR] on, best price and oldest order first.

    Orders that wait outside a cage come after all others.
    """
    row = ctl[C_ROWS]
    code = DONE
    s = ctl[C_CURSOR]
    while s < sides.shape[0] >> S_BITS:
        so = s << S_BITS
        while sides[so + S_BEST] < sides[so + S_SIZE]:
            if row >= tape.shape[1]:
                code = TAPE_FULL
                break
            best = sides[so + S_BEST]
            p = levels[((sides[so + S_LEVELS] + best) << 2) + L_HEAD]
            leaves = pool[p + P_LEAVES]
            handle = pool[p + P_HANDLE]
            px = sides[so + S_BASE] + sides[so + S_SIGN] * best
            sd = -1 if so & S_OTHER else 1
            emit(tape, row, time, _EXPIRED, pool[p + P_INSTRUMENT], sd, px, leaves, handle, -1, 0)
            row += 1
            sides[so + S_WITHDRAWN] += leaves
            remove(ctl, sides, levels, words, summary, pool, slots, p)
        if code != DONE:
            break
        s += 1
    ctl[C_CURSOR] = s
    ctl[C_ROWS] = row
    return code


@kernel
def depth(sides, levels, words, summary, instrument, n_levels, out):
    """Write the best `n_levels` levels into out[0..3]: bid price, bid quantity, ask price, ask quantity (int64).

    Returns the shares in them on both sides. With an empty `out` (shape (4, 0)) nothing is written.
    """
    total = 0
    for s in range(2):
        so = (instrument << (S_BITS + 1)) + s * S_OTHER
        size = sides[so + S_SIZE]
        best = sides[so + S_BEST]
        n = 0
        while n < n_levels and best < size:
            shares = levels[((sides[so + S_LEVELS] + best) << 2) + L_QUANTITY]
            total += shares
            if n < out.shape[1]:
                out[2 * s, n] = sides[so + S_BASE] + sides[so + S_SIGN] * best
                out[2 * s + 1, n] = shares
            n += 1
            best = next_level(words, summary, sides[so + S_WORDS], sides[so + S_SUMMARY], best + 1, size)
    return total


@kernel
def depth_all(sides, levels, words, summary, n_levels, none, out):
    """Write the shares within the best `n_levels` levels of both sides of every instrument into `out` (int64).

    `none` is an int64 array of shape (4, 0).
    """
    for instrument in range(out.shape[0]):
        out[instrument] = depth(sides, levels, words, summary, instrument, n_levels, none)
