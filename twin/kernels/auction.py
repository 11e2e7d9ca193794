"""Call auctions over the books of `twin.kernels.ladders`: price, trades at one price, and quotes in every phase.

Price (domain rows M20 to M23): the most volume, every better-priced order filled, one side filled at the price itself.
Among several, rule 0 (Shanghai) takes the order price with the least unmatched volume and then the middle of the tied
range, rounded half-up to the tick; rule 1 (Shenzhen; Beijing's is taken to be the same) takes, of all prices, those
where cumulative bids and asks differ least, and then the one nearest to the last trade (to the previous close before
the first trade).
"""

from __future__ import annotations

from twin.kernels import kernel
from twin.kernels.book_rules import note_price
from twin.kernels.ladders import (
    C_CURSOR,
    C_PRICE,
    C_ROWS,
    CALL,
    CONTINUOUS,
    DONE,
    HALT,
    I_BITS,
    I_CEILING,
    I_CLOSE,
    I_DOWN,
    I_FLOOR,
    I_LAST,
    I_PHASE,
    I_RESUME,
    I_SESSION,
    I_TIE,
    I_TRADES,
    I_TURNOVER,
    I_UP,
    I_VOLUME,
    L_HEAD,
    L_QUANTITY,
    OPEN_CALL,
    P_HANDLE,
    P_LEAVES,
    P_SEQUENCE,
    S_BASE,
    S_BEST,
    S_BITS,
    S_LEVELS,
    S_OTHER,
    S_SIGN,
    S_SUMMARY,
    S_WORDS,
    SUSPENDED,
    TAPE_FULL,
    emit,
    next_level,
    remove,
)

_TRADE, _HALTED, _RESUMED = 1, 7, 8


@kernel
def auction_price(state, sides, levels, words, summary, instrument):
    """Price (0 if nothing trades), matched and unmatched shares of a call auction held now.

    Walks both ladders from their best prices as if matching level by level. When it stops, `high` and `low` are the
    worst bid and ask that traded: the prices between them are those of the greatest volume. If a level was left half
    filled, its price is the only one at which every better order fills; otherwise the next levels bound the range.
    """
    i = instrument << I_BITS
    up = state[i + I_UP]
    down = state[i + I_DOWN]
    size = up - down + 1
    bo = instrument << (S_BITS + 1)
    ao = bo + S_OTHER
    b = sides[bo + S_BEST]
    a = sides[ao + S_BEST]
    if b >= size or a >= size or up - b < down + a:
        return 0, 0, 0
    bid_left = levels[((sides[bo + S_LEVELS] + b) << 2) + L_QUANTITY]
    ask_left = levels[((sides[ao + S_LEVELS] + a) << 2) + L_QUANTITY]
    bid_cut = False  # whether the level at the pointer has traded in part
    ask_cut = False
    matched = 0
    high = 0
    low = 0
    while b < size and a < size and up - b >= down + a:
        shares = min(bid_left, ask_left)
        matched += shares
        high = up - b
        low = down + a
        bid_left -= shares
        ask_left -= shares
        bid_cut = bid_left > 0
        ask_cut = ask_left > 0
        if not bid_cut:
            b = next_level(words, summary, sides[bo + S_WORDS], sides[bo + S_SUMMARY], b + 1, size)
            if b < size:
                bid_left = levels[((sides[bo + S_LEVELS] + b) << 2) + L_QUANTITY]
        if not ask_cut:
            a = next_level(words, summary, sides[ao + S_WORDS], sides[ao + S_SUMMARY], a + 1, size)
            if a < size:
                ask_left = levels[((sides[ao + S_LEVELS] + a) << 2) + L_QUANTITY]
    if bid_cut:
        return high, matched, bid_left
    if ask_cut:
        return low, matched, ask_left
    # Every order that traded is filled: bids and asks balance between the next bid and the next ask.
    low_excess = 0
    high_excess = 0
    if b < size and up - b >= low:
        low = up - b
        low_excess = bid_left
    if a < size and down + a <= high:
        high = down + a
        high_excess = ask_left
    if state[i + I_TIE] == 1:
        first = low + 1 if low_excess > 0 else low
        last = high - 1 if high_excess > 0 else high
        if first > last:  # no price of balance between two neighbouring levels
            first = low if low_excess <= high_excess else high
            last = high if high_excess <= low_excess else low
        near = state[i + I_LAST] if state[i + I_LAST] > 0 else state[i + I_CLOSE]
        if first == low and last == high and low_excess > 0:
            price = low if near <= low else high  # two neighbouring prices tie, nothing lies between
        else:
            price = min(max(near, first), last)
    elif low_excess == high_excess:
        price = (low + high + 1) >> 1
    else:
        price = low if low_excess < high_excess else high
    unmatched = 0
    if price == low and low_excess > 0:
        unmatched = low_excess
    elif price == high:
        unmatched = high_excess
    return price, matched, unmatched


@kernel
def hold(ctl, state, sides, levels, words, summary, pool, slots, tape, time, instrument):
    """Trade an instrument at its auction price, in price-time priority; leftovers stay. DONE or TAPE_FULL.

    ctl[C_PRICE] is the price from the first call on; whoever called sets it back to 0 once the auction is done.
    """
    i = instrument << I_BITS
    bo = instrument << (S_BITS + 1)
    ao = bo + S_OTHER
    row = ctl[C_ROWS]
    price = ctl[C_PRICE]
    if price == 0:
        price, _, _ = auction_price(state, sides, levels, words, summary, instrument)
        ctl[C_PRICE] = price
        if price == 0:
            return DONE
    worst_bid = state[i + I_UP] - price
    worst_ask = price - state[i + I_DOWN]
    while sides[bo + S_BEST] <= worst_bid and sides[ao + S_BEST] <= worst_ask:
        if row >= tape.shape[1]:
            ctl[C_ROWS] = row
            return TAPE_FULL
        p = levels[((sides[bo + S_LEVELS] + sides[bo + S_BEST]) << 2) + L_HEAD]
        q = levels[((sides[ao + S_LEVELS] + sides[ao + S_BEST]) << 2) + L_HEAD]
        shares = min(pool[p + P_LEAVES], pool[q + P_LEAVES])
        pool[p + P_LEAVES] -= shares
        pool[q + P_LEAVES] -= shares
        levels[((sides[bo + S_LEVELS] + sides[bo + S_BEST]) << 2) + L_QUANTITY] -= shares
        levels[((sides[ao + S_LEVELS] + sides[ao + S_BEST]) << 2) + L_QUANTITY] -= shares
        bid = pool[p + P_HANDLE]
        ask = pool[q + P_HANDLE]
        if pool[p + P_SEQUENCE] > pool[q + P_SEQUENCE]:
            emit(tape, row, time, _TRADE, instrument, 1, price, shares, bid, ask, pool[p + P_LEAVES])
        else:
            emit(tape, row, time, _TRADE, instrument, -1, price, shares, ask, bid, pool[q + P_LEAVES])
        row += 1
        state[i + I_LAST] = price
        state[i + I_VOLUME] += shares
        state[i + I_TURNOVER] += price * shares
        state[i + I_TRADES] += 1
        if pool[p + P_LEAVES] == 0:
            remove(ctl, sides, levels, words, summary, pool, slots, p)
        if pool[q + P_LEAVES] == 0:
            remove(ctl, sides, levels, words, summary, pool, slots, q)
    ctl[C_ROWS] = row
    return DONE


@kernel
def uncross(ctl, state, sides, levels, words, summary, pool, slots, tape, time, chosen):
    """Hold the call auction of the instruments in `chosen` (int64) from ctl[C_CURSOR] on, save those that are halted.

    The day's open is the price of an instrument's first trade, here or later; these calls themselves halt nothing.
    """
    while ctl[C_CURSOR] < chosen.shape[0]:
        instrument = chosen[ctl[C_CURSOR]]
        i = instrument << I_BITS
        if state[i + I_PHASE] != HALT and state[i + I_PHASE] != SUSPENDED:
            code = hold(ctl, state, sides, levels, words, summary, pool, slots, tape, time, instrument)
            if code != DONE:
                return code
            if ctl[C_PRICE] > 0 and state[i + I_CEILING] == 0:
                note_price(state, i, ctl[C_PRICE], time)
        ctl[C_PRICE] = 0
        ctl[C_CURSOR] += 1
    return DONE


@kernel
def resume(ctl, state, sides, levels, words, summary, pool, slots, tape, time, instrument):
    """End a halt or suspension: a call auction, its trades, RESUMED, then the session's phase. DONE or TAPE_FULL.

    The auction is held where the session is in continuous trading; in a call the orders join that call. Its price may
    halt the instrument again (domain M58: the second threshold), which the tape shows after RESUMED.
    """
    i = instrument << I_BITS
    if state[i + I_SESSION] == CONTINUOUS:
        code = hold(ctl, state, sides, levels, words, summary, pool, slots, tape, time, instrument)
        if code != DONE:
            return code
    row = ctl[C_ROWS]
    if row + 2 > tape.shape[1]:
        return TAPE_FULL
    price = ctl[C_PRICE]
    ctl[C_PRICE] = 0
    state[i + I_RESUME] = 0
    state[i + I_PHASE] = state[i + I_SESSION]
    emit(tape, row, time, _RESUMED, instrument, 0, price, 0, -1, -1, 0)
    row += 1
    if price > 0 and (price >= state[i + I_CEILING] or price <= state[i + I_FLOOR]):
        until = note_price(state, i, price, time)
        if until > 0:
            state[i + I_PHASE] = HALT
            state[i + I_RESUME] = until
            emit(tape, row, time, _HALTED, instrument, 0, price, until, -1, -1, 0)
            row += 1
    ctl[C_ROWS] = row
    return DONE


@kernel
def wake(ctl, state, sides, levels, words, summary, pool, slots, tape, time):
    """Resume every instrument whose halt ends at or before `time`, in the order of those instants."""
    while True:
        found = -1
        for instrument in range(state.shape[0] >> I_BITS):
            i = instrument << I_BITS
            if (
                state[i + I_PHASE] == HALT
                and state[i + I_RESUME] <= time
                and (found < 0 or state[i + I_RESUME] < state[(found << I_BITS) + I_RESUME])
            ):
                found = instrument
        if found < 0:
            return DONE
        at = state[(found << I_BITS) + I_RESUME]
        code = resume(ctl, state, sides, levels, words, summary, pool, slots, tape, at, found)
        if code != DONE:
            return code


@kernel
def release(ctl, state, sides, levels, words, summary, pool, slots, tape, time, chosen):
    """Resume the instruments in `chosen` (int64) from ctl[C_CURSOR] on at `time`. DONE or TAPE_FULL."""
    while ctl[C_CURSOR] < chosen.shape[0]:
        instrument = chosen[ctl[C_CURSOR]]
        code = resume(ctl, state, sides, levels, words, summary, pool, slots, tape, time, instrument)
        if code != DONE:
            return code
        ctl[C_CURSOR] += 1
    return DONE


@kernel
def quotes(state, sides, levels, words, summary, out):
    """Write level-1 data of every instrument into `out` (int64, shape (7, instruments)): the columns of Quotes.

    In a call auction bid and ask are the indicative price, their quantities the matched and unmatched shares (M07);
    while an instrument is halted or suspended they are 0.
    """
    for instrument in range(out.shape[1]):
        i = instrument << I_BITS
        phase = state[i + I_PHASE]
        out[0, instrument] = state[i + I_LAST]
        out[5, instrument] = state[i + I_VOLUME]
        out[6, instrument] = state[i + I_TURNOVER]
        if phase in (CALL, OPEN_CALL):
            price, matched, unmatched = auction_price(state, sides, levels, words, summary, instrument)
            out[1, instrument] = price
            out[2, instrument] = price
            out[3, instrument] = matched
            out[4, instrument] = unmatched
            continue
        reach = state[i + I_UP] - state[i + I_DOWN]
        for s in range(2):
            so = (instrument << (S_BITS + 1)) + s * S_OTHER
            best = sides[so + S_BEST]
            out[1 + s, instrument] = 0
            out[3 + s, instrument] = 0
            if best <= reach and phase != HALT and phase != SUSPENDED:
                out[1 + s, instrument] = sides[so + S_BASE] + sides[so + S_SIGN] * best
                out[3 + s, instrument] = levels[((sides[so + S_LEVELS] + best) << 2) + L_QUANTITY]
    return DONE
