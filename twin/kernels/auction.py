"""Call auctions over the books of `twin.kernels.book`: price, trades at one price, and quotes in every phase.

Price (domain rows M20 to M23): the most volume, every better-priced order filled, one side filled at the price itself.
Among several, Shanghai takes the order price with the least unmatched volume and then the middle of the tied range,
rounded half-up to the tick; Shenzhen takes, of all prices, those where cumulative bids and asks differ least, and then
the one nearest to the last trade (to the previous close before the first trade).
"""

from __future__ import annotations

from twin.kernels import kernel
from twin.kernels.book import (
    C_CURSOR,
    C_PHASE,
    C_PRICE,
    C_ROWS,
    CALL,
    DONE,
    I_CLOSE,
    I_DOWN,
    I_EXCHANGE,
    I_LAST,
    I_TRADES,
    I_TURNOVER,
    I_UP,
    I_VOLUME,
    L_HEAD,
    L_QUANTITY,
    P_HANDLE,
    P_LEAVES,
    P_SEQUENCE,
    S_BEST,
    S_LEVELS,
    S_RESTING,
    S_SUMMARY,
    S_WORDS,
    TAPE_FULL,
    emit,
    next_level,
    remove,
)

_TRADE = 1


@kernel
def auction_price(state, sides, levels, words, summary, instrument):
    """Price (0 if nothing trades), matched and unmatched shares of a call auction held now.

    Walks both ladders from their best prices as if matching level by level. When it stops, `high` and `low` are the
    worst bid and ask that traded: the prices between them are those of the greatest volume. If a level was left half
    filled, its price is the only one at which every better order fills; otherwise the next levels bound the range.
    """
    i = instrument << 3
    up = state[i + I_UP]
    down = state[i + I_DOWN]
    size = up - down + 1
    bo = instrument << 4
    ao = bo + 8
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
    if state[i + I_EXCHANGE] == 1:
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
def uncross(ctl, state, sides, levels, words, summary, pool, slots, tape, time):
    """Trade every instrument from ctl[C_CURSOR] on at its auction price, in price-time priority; leftovers stay.

    ctl[C_PRICE] keeps the price of an instrument that was suspended for want of tape; it is 0 otherwise.
    """
    row = ctl[C_ROWS]
    code = DONE
    instrument = ctl[C_CURSOR]
    while instrument < state.shape[0] >> 3:
        i = instrument << 3
        bo = instrument << 4
        ao = bo + 8
        price = ctl[C_PRICE]
        if price == 0:
            price, _, _ = auction_price(state, sides, levels, words, summary, instrument)
        if price > 0:
            worst_bid = state[i + I_UP] - price
            worst_ask = price - state[i + I_DOWN]
            while sides[bo + S_BEST] <= worst_bid and sides[ao + S_BEST] <= worst_ask:
                if row >= tape.shape[1]:
                    code = TAPE_FULL
                    break
                blo = (sides[bo + S_LEVELS] + sides[bo + S_BEST]) << 2
                alo = (sides[ao + S_LEVELS] + sides[ao + S_BEST]) << 2
                p = levels[blo + L_HEAD]
                q = levels[alo + L_HEAD]
                shares = min(pool[p + P_LEAVES], pool[q + P_LEAVES])
                pool[p + P_LEAVES] -= shares
                pool[q + P_LEAVES] -= shares
                levels[blo + L_QUANTITY] -= shares
                levels[alo + L_QUANTITY] -= shares
                sides[bo + S_RESTING] -= shares
                sides[ao + S_RESTING] -= shares
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
                    remove(state, sides, levels, words, summary, ctl, pool, slots, p)
                if pool[q + P_LEAVES] == 0:
                    remove(state, sides, levels, words, summary, ctl, pool, slots, q)
        if code != DONE:
            ctl[C_PRICE] = price
            break
        ctl[C_PRICE] = 0
        instrument += 1
    ctl[C_CURSOR] = instrument
    ctl[C_ROWS] = row
    return code


@kernel
def quotes(ctl, state, sides, levels, words, summary, out):
    """Write level-1 data of every instrument into `out` (int64, shape (7, instruments)): the columns of Quotes.

    In a call auction bid and ask are the indicative price, their quantities the matched and unmatched shares (M07).
    """
    call = ctl[C_PHASE] == CALL
    for instrument in range(out.shape[1]):
        i = instrument << 3
        out[0, instrument] = state[i + I_LAST]
        out[5, instrument] = state[i + I_VOLUME]
        out[6, instrument] = state[i + I_TURNOVER]
        if call:
            price, matched, unmatched = auction_price(state, sides, levels, words, summary, instrument)
            out[1, instrument] = price
            out[2, instrument] = price
            out[3, instrument] = matched
            out[4, instrument] = unmatched
            continue
        reach = state[i + I_UP] - state[i + I_DOWN]
        for s in range(2):
            so = (instrument << 4) + (s << 3)
            best = sides[so + S_BEST]
            out[1 + s, instrument] = 0
            out[3 + s, instrument] = 0
            if best <= reach:
                out[1 + s, instrument] = state[i + I_DOWN] + best if s == 1 else state[i + I_UP] - best
                out[3 + s, instrument] = levels[((sides[so + S_LEVELS] + best) << 2) + L_QUANTITY]
    return DONE
