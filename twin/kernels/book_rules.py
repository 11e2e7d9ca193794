"""What the exchange demands of an order (kinds, sizes, limits, price cage) and which trades halt an instrument.

Rounding: edges of the cage and of the band are percentages of a reference price rounded half up to the tick and at
least one tick away from it, as for the day's limits (domain M35); recorded Shenzhen days are matched by this rounding.
A halt is due at a price "at or beyond" its percentage of the open, so that threshold is compared exactly.
"""

from __future__ import annotations

from twin.kernels import kernel
from twin.kernels.ladders import (
    C_BOUND,
    C_DEPTH,
    C_INDEX,
    C_RULES,
    C_SHOWN,
    C_STYLE,
    CONTINUOUS,
    I_BAND_PPM,
    I_BITS,
    I_CAGE_PARKS,
    I_CAGE_PPM,
    I_CAGE_TICKS,
    I_CEILING,
    I_CLOSE,
    I_FLOOR,
    I_HALT_FIRST,
    I_HALT_NS,
    I_HALT_SECOND,
    I_HALT_UNTIL,
    I_HALTS,
    I_KINDS,
    I_LARGEST_LIMIT,
    I_LARGEST_MARKET,
    I_LAST,
    I_OPEN,
    I_OPEN_HIGH,
    I_OPEN_LOW,
    I_PHASE,
    I_SMALLEST,
    I_STEP,
    L_HEAD,
    L_QUANTITY,
    OPEN_CALL,
    P_LEAVES,
    S_BASE,
    S_BEST,
    S_BITS,
    S_LEVELS,
    S_OTHER,
    S_SIGN,
    S_SIZE,
    S_SUMMARY,
    S_WORDS,
    SHUT,
    SUSPENDED,
    next_level,
)

LIMIT, MARKET, CANCEL, IOC, BEST5_LIMIT, OWN_BEST, COUNTER_BEST, SWEEP, FOK, REDUCE, REPLACE, AMEND, FIXED_PRICE = (
    range(13)
)
"""twin.contracts.MessageKind."""
REASON_LIMIT, REASON_LOT, REASON_CLOSED, REASON_NO_CANCEL, REASON_UNKNOWN, REASON_NO_COUNTERPARTY = 3, 4, 6, 7, 8, 9
REASON_CAGE, REASON_KIND, REASON_SIZE, REASON_SUSPENDED, REASON_UNFILLABLE = 11, 12, 13, 14, 15
WAIT = -1
"""Verdict on an order that is taken but waits outside the price cage."""

ENTRY, LATEST = range(2)
"""C_STYLE: the remainder rests at C_INDEX (one beyond the ladder: it is cancelled), or where the last trade was."""

MARKET_LEVELS = 5
ALL_LEVELS = 1 << 40
FAR = 1 << 62
"""A ceiling that no price reaches."""
PPM = 1_000_000


@kernel
def half_up(price, ppm):
    """`ppm` millionths of a price in ticks, rounded half up."""
    return (price * ppm + PPM // 2) // PPM


@kernel
def cage_edge(state, sides, instrument, sd):
    """The worst price (in ticks) that continuous trading takes from a limit order; domain M50 to M52."""
    i = instrument << I_BITS
    so = (instrument << (S_BITS + 1)) + (S_OTHER if sd < 0 else 0)
    other = so ^ S_OTHER
    if sides[other + S_BEST] < sides[other + S_SIZE]:
        near = sides[other + S_BASE] + sides[other + S_SIGN] * sides[other + S_BEST]
    elif sides[so + S_BEST] < sides[so + S_SIZE]:
        near = sides[so + S_BASE] + sides[so + S_SIGN] * sides[so + S_BEST]
    elif state[i + I_LAST] > 0:
        near = state[i + I_LAST]
    else:
        near = state[i + I_CLOSE]
    ppm = state[i + I_CAGE_PPM]
    ticks = max(state[i + I_CAGE_TICKS], 1)
    if sd > 0:
        return max(half_up(near, PPM + ppm), near + ticks)
    return min(half_up(near, PPM - ppm), near - ticks)


@kernel
def caged(state, i):
    """Whether an instrument (its offset in `state`) has a price cage."""
    return state[i + I_CAGE_PPM] > 0 or state[i + I_CAGE_TICKS] > 0


@kernel
def outside_band(state, i, phase, px):
    """Whether a limit price violates the band of an instrument without price limits (domain M54)."""
    if phase == OPEN_CALL:
        low = state[i + I_OPEN_LOW]
        high = state[i + I_OPEN_HIGH]
        return (low > 0 and px < low) or (high > 0 and px > high)
    band = state[i + I_BAND_PPM]
    if band == 0:
        return False
    near = state[i + I_LAST] if state[i + I_LAST] > 0 else state[i + I_CLOSE]
    return px > max(half_up(near, PPM + band), near + 1) or px < min(half_up(near, PPM - band), near - 1)


@kernel
def set_thresholds(state, i):
    """Prices that halt an instrument next, from its open and the halts it has had (I_HALTS: up 1, 2; down 4, 8)."""
    day_open = state[i + I_OPEN]
    had = state[i + I_HALTS]
    first = state[i + I_HALT_FIRST]
    second = state[i + I_HALT_SECOND]
    up = 0 if had & 2 else second if had & 1 else first
    down = 0 if had & 8 else second if had & 4 else first
    state[i + I_CEILING] = (day_open * (PPM + up) + PPM - 1) // PPM if up > 0 else FAR
    state[i + I_FLOOR] = day_open * (PPM - down) // PPM if 0 < down < PPM else -1


@kernel
def note_price(state, i, price, time):
    """Note a trade at or beyond I_CEILING or I_FLOOR; returns until when (ns) it halts the instrument, 0 for not.

    The day's first trade sets the open; before it the ceiling is 0. A price beyond both thresholds uses up both.
    """
    if state[i + I_OPEN] == 0:
        state[i + I_OPEN] = price
        set_thresholds(state, i)
        return 0
    had = state[i + I_HALTS]
    day_open = state[i + I_OPEN]
    up = price >= state[i + I_CEILING]
    state[i + I_HALTS] = had | (1 if up else 4)
    set_thresholds(state, i)
    if (
        (up and price >= state[i + I_CEILING])
        or (not up and price <= state[i + I_FLOOR])
        or state[i + I_HALT_SECOND] == 0
        or had & (1 if up else 4)
    ):
        state[i + I_HALTS] |= 2 if up else 8
    set_thresholds(state, i)
    until = min(time + state[i + I_HALT_NS], state[i + I_HALT_UNTIL])
    return until if until > time and day_open > 0 else 0


@kernel
def fillable(state, sides, levels, words, summary, pool, instrument, other, bound, quantity, time):
    """Whether `quantity` shares would trade at once against a side up to index `bound`; a halt would cut it short."""
    i = instrument << I_BITS
    halts = state[i + I_HALT_FIRST] > 0 and min(time + state[i + I_HALT_NS], state[i + I_HALT_UNTIL]) > time
    ceiling = state[i + I_CEILING] if halts else FAR
    floor = state[i + I_FLOOR] if halts else -1
    index = sides[other + S_BEST]
    if halts and state[i + I_OPEN] == 0:  # the first level would set the open
        near = sides[other + S_BASE] + sides[other + S_SIGN] * index
        ceiling = (near * (PPM + state[i + I_HALT_FIRST]) + PPM - 1) // PPM
        floor = near * (PPM - state[i + I_HALT_FIRST]) // PPM
    found = 0
    while index <= bound and found < quantity:
        lo = (sides[other + S_LEVELS] + index) << 2
        price = sides[other + S_BASE] + sides[other + S_SIGN] * index
        if price >= ceiling or price <= floor:
            return found + pool[levels[lo + L_HEAD] + P_LEAVES] >= quantity
        found += levels[lo + L_QUANTITY]
        index = next_level(
            words, summary, sides[other + S_WORDS], sides[other + S_SUMMARY], index + 1, sides[other + S_SIZE]
        )
    return found >= quantity


@kernel
def open_to(state, i, k):
    """The reason (0: none) why the phase or the list of kinds keeps a message of kind `k` out of an instrument."""
    phase = state[i + I_PHASE]
    if phase == SUSPENDED:
        return REASON_SUSPENDED
    if k == FIXED_PRICE:
        return REASON_KIND
    if phase == SHUT or (phase != CONTINUOUS and k != LIMIT and k < REDUCE):
        return REASON_CLOSED
    kinds = state[i + I_KINDS]
    if kinds != 0 and (phase == CONTINUOUS or k >= REDUCE) and (kinds >> k) & 1 == 0:
        return REASON_KIND
    return 0


@kernel
def admit(ctl, state, sides, levels, words, summary, pool, time, k, instrument, sd, px, qty):
    """Judge an order: 0 = taken, WAIT = taken but outside the cage, else the Reason to refuse it.

    Leaves in `ctl` what matching needs: C_BOUND, the worst index of the other side that it may hit; C_DEPTH, levels
    it may go through; C_INDEX and C_STYLE, where the remainder rests; C_SHOWN, the price that the tape shows.
    """
    i = instrument << I_BITS
    so = (instrument << (S_BITS + 1)) + (S_OTHER if sd < 0 else 0)
    other = so ^ S_OTHER
    rules = ctl[C_RULES] != 0
    phase = state[i + I_PHASE]
    reason = open_to(state, i, k)
    if reason != 0:
        return reason
    if qty <= 0:
        return REASON_LOT
    market = k == MARKET or (BEST5_LIMIT <= k <= SWEEP) or (k == FOK and px <= 0)
    if rules:
        step = state[i + I_STEP]
        smallest = state[i + I_SMALLEST]
        if sd > 0 and (qty < smallest or (step > 0 and (qty - smallest) % step != 0)):
            return REASON_LOT
        largest = state[i + (I_LARGEST_MARKET if market else I_LARGEST_LIMIT)]
        if largest > 0 and qty > largest:
            return REASON_SIZE
    size = sides[so + S_SIZE]
    verdict = 0
    index = size
    depth = ALL_LEVELS
    style = ENTRY
    if market:
        bound = size - 1
        if px > 0:
            bound = min(bound, (px - sides[other + S_BASE]) * sides[other + S_SIGN])
            if bound < 0:
                return REASON_LIMIT
        best = sides[other + S_BEST]
        if k in (MARKET, BEST5_LIMIT):
            depth = MARKET_LEVELS
        if k in (OWN_BEST, BEST5_LIMIT):
            index = sides[so + S_BEST]
            if index < size:
                index = max(index, size - 1 - bound)
            if k == OWN_BEST:
                depth = 0
            else:
                style = LATEST
        elif best >= size:
            return REASON_UNFILLABLE if k == FOK else REASON_NO_COUNTERPARTY
        elif k == COUNTER_BEST:
            bound = min(bound, best)
            index = size - 1 - bound
        if index < size and (k != BEST5_LIMIT or best > bound):
            px = sides[so + S_BASE] + sides[so + S_SIGN] * index
    else:
        index = (px - sides[so + S_BASE]) * sides[so + S_SIGN]
        if index < 0 or index >= size:
            return REASON_LIMIT
        bound = size - 1 - index
        if rules:
            in_cage = phase == CONTINUOUS and caged(state, i)  # which then stands in place of the band
            if not in_cage and outside_band(state, i, phase, px):
                return REASON_LIMIT
            if in_cage and (px - cage_edge(state, sides, instrument, sd)) * sd > 0:
                if state[i + I_CAGE_PARKS] == 0 or k in (IOC, FOK):
                    return REASON_CAGE
                verdict = WAIT
        if k in (IOC, FOK):
            index = size
    if k == FOK and not fillable(state, sides, levels, words, summary, pool, instrument, other, bound, qty, time):
        return REASON_UNFILLABLE
    ctl[C_BOUND] = bound
    ctl[C_DEPTH] = depth
    ctl[C_INDEX] = index
    ctl[C_STYLE] = style
    ctl[C_SHOWN] = px
    return verdict
