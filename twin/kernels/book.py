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
)
from twin.kernels.borrowing import (
    prefetch_line,
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
    C_INDEX,
    C_LEAVES,
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
    I_PHASE,
    I_RESUME,
    L_HEAD,
    L_QUANTITY,
    L_TAIL,
    P_HANDLE,
    P_INDEX,
    P_INSTRUMENT,
    P_LEAVES,
    P_NEXT,
    P_PREV,
    P_SIDE,
    POOL_FULL,
    S_BASE,
    S_BEST,
    S_BITS,
    S_LEVELS,
    S_NET,
    S_OTHER,
    S_SIGN,
    S_SIZE,
    S_SUMMARY,
    S_WORDS,
    TAPE_FULL,
    emit,
    next_level,
    remove,
    rest,
)
from twin.kernels.matching import (
    ENTERED,
    FOLLOWING,
    FRESH,
    RESUMING,
    follow,
    match,
    modify,
    wait,
)

_ACCEPTED, _TRADE, _CANCELLED, _REJECTED, _EXPIRED, _REDUCED, _REPLACED, _HALTED = range(8)
FEW = 8
"""Books of at most so many instruments stay in the cache, so that nothing is fetched ahead."""
FAR_AHEAD, NEAR_AHEAD, LAST_AHEAD = 24, 16, 8
"""How many messages ahead memory is fetched."""


@inlined
def handle(ctl, state, sides, levels, words, summary, pool, slots, tape, t, k, ins, sd, px, qty, order):
    """Handle one message of time t (ns), kind k, instrument, side, price (ticks), quantity and order handle.

    The arrays come from `MatchingEngine.arrays`; a loop over many instruments gains much by `fetch_far`, `fetch_near`
    and `fetch_last` for the messages ahead, as in `process`.

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
    if stage != FRESH:
        if stage >= FOLLOWING:
            return follow(ctl, state, sides, levels, words, summary, pool, slots, tape, t)
        ins = ctl[C_FOLLOW]
    p = 0
    if k == CANCEL or REDUCE <= k <= AMEND:
        p = int(slots[order]) << 3
        if p != 0:
            ins = pool[p + P_INSTRUMENT]
    i = ins << I_BITS
    phase = state[i + I_PHASE]
    if phase == HALT or stage == RESUMING:
        while phase == HALT and t >= state[i + I_RESUME]:
            stage = RESUMING
            ctl[C_STAGE] = RESUMING
            ctl[C_FOLLOW] = ins
            code = resume(ctl, state, sides, levels, words, summary, pool, slots, tape, state[i + I_RESUME], ins)
            if code != DONE:
                return code
            phase = state[i + I_PHASE]
        if stage == RESUMING:
            row = ctl[C_ROWS]
            if row >= tape.shape[1]:
                return TAPE_FULL
            stage = FRESH
            ctl[C_STAGE] = FRESH
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
        sides[so + S_NET] -= leaves
        remove(ctl, sides, levels, words, summary, pool, slots, p)
        emit(tape, row, t, _CANCELLED, ins, 1 - ((so >> (S_BITS - 1)) & 2), px, leaves, order, -1, 0)
    else:
        if stage == FRESH:
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
                sides[so + S_NET] += leaves
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
            ctl[C_STAGE] = FRESH
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
                    sides[so + S_NET] -= leaves
                    emit(tape, row, t, _CANCELLED, ins, sd, px, leaves, order, -1, 0)
                    ctl[C_ROWS] = row + 1
            if code != DONE:
                ctl[C_STAGE] = ENTERED
                ctl[C_FOLLOW] = ins
                ctl[C_SIDE] = sd
                ctl[C_LEAVES] = leaves
                ctl[C_DEPTH] = depth
                ctl[C_INDEX] = index
                ctl[C_BOUND] = bound
                return code
    if ctl[C_PARKS] != 0:
        ctl[C_FOLLOW] = ins
        ctl[C_STAGE] = FOLLOWING
        return follow(ctl, state, sides, levels, words, summary, pool, slots, tape, t)
    return DONE


@inlined
def fetch_far(state, sides, slots, ins, order):
    """Ask the processor for what a message a good way ahead will touch first."""
    if 0 <= order < slots.shape[0] and 0 <= ins < state.shape[0] >> I_BITS:
        so = ins << (S_BITS + 1)
        prefetch_line(slots, order)
        prefetch_line(state, ins << I_BITS)
        prefetch_line(sides, so)
        prefetch_line(sides, so + S_OTHER)


@inlined
def fetch_near(state, sides, levels, words, summary, pool, slots, k, ins, sd, px, order):
    """Ask for what it will touch next: the order's record, or the levels that a new order meets."""
    if 0 <= order < slots.shape[0] and 0 <= ins < state.shape[0] >> I_BITS:
        if k == CANCEL or k >= REDUCE:
            prefetch_line(pool, int(slots[order]) << 3)
        elif sd * sd == 1:
            so = (ins << (S_BITS + 1)) + ((1 - sd) << (S_BITS - 1))
            index = min(max((px - sides[so + S_BASE]) * sides[so + S_SIGN], 0), sides[so + S_SIZE] - 1)
            prefetch_line(levels, (sides[so + S_LEVELS] + index) << 2)
            prefetch_line(words, sides[so + S_WORDS] + (index >> 6))
            prefetch_line(summary, sides[so + S_SUMMARY] + (index >> 12))
            other = so ^ S_OTHER
            prefetch_line(
                levels, (sides[other + S_LEVELS] + min(sides[other + S_BEST], sides[other + S_SIZE] - 1)) << 2
            )


@inlined
def fetch_last(sides, levels, words, pool, slots, k, ins, sd, px, order):
    """Ask for what lies behind these: the level and the neighbours of an order, the first order that a new one hits."""
    if 0 <= order < slots.shape[0] and 0 <= ins < sides.shape[0] >> (S_BITS + 2):
        if k == CANCEL or k >= REDUCE:
            p = int(slots[order]) << 3
            so = pool[p + P_SIDE]
            prefetch_line(levels, (sides[so + S_LEVELS] + pool[p + P_INDEX]) << 2)
            prefetch_line(words, sides[so + S_WORDS] + (pool[p + P_INDEX] >> 6))
            prefetch_line(pool, pool[p + P_NEXT])
            prefetch_line(pool, pool[p + P_PREV])
        elif sd * sd == 1:
            other = (ins << (S_BITS + 1)) + ((1 + sd) << (S_BITS - 1))
            best = min(sides[other + S_BEST], sides[other + S_SIZE] - 1)
            so = other ^ S_OTHER
            index = min(max((px - sides[so + S_BASE]) * sides[so + S_SIGN], 0), sides[so + S_SIZE] - 1)
            prefetch_line(pool, levels[((sides[so + S_LEVELS] + index) << 2) + L_TAIL])
            prefetch_line(pool, levels[((sides[other + S_LEVELS] + best) << 2) + L_HEAD])


@kernel
def process(
    ctl, state, sides, levels, words, summary, pool, slots, tape, time, kind, instrument, side, price, quantity, order
):
    """Handle the messages from ctl[C_CURSOR] on and return a code (DONE, TAPE_FULL, ...); columns are int64.

    The message at ctl[C_CURSOR] is the one that a bad code speaks of.
    """
    code = DONE
    m = ctl[C_CURSOR]
    n = time.shape[0]
    many = state.shape[0] >> I_BITS > FEW
    while m < n:
        if many and m + FAR_AHEAD < n:
            f = m + FAR_AHEAD
            fetch_far(state, sides, slots, instrument[f], order[f])
            f = m + NEAR_AHEAD
            fetch_near(
                state, sides, levels, words, summary, pool, slots, kind[f], instrument[f], side[f], price[f], order[f]
            )
            f = m + LAST_AHEAD
            fetch_last(sides, levels, words, pool, slots, kind[f], instrument[f], side[f], price[f], order[f])
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
            sides[so + S_NET] -= leaves
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
