"""Compiled loops of the background flow: draw orders, cancel by a timer wheel, follow the tape.

An order lives in a slot (its handle is base + slot). Cancels are due in patience time: nanoseconds elapsed in the
windows in which the exchange accepts cancels. The wheel has one linked list of slots per bucket of that clock. An order
that ends before its cancel is due stays on its list, with no shares left, and its slot is free again when the wheel
comes by: unlinking at once would cost several cache misses per fill.

Layout of the state (all arrays C-contiguous):
    counters   int64[COUNTERS]: arrivals drawn, free slots, new orders and cancels of this step, next bucket to look at,
               orders that have not ended
    hazard     float64[2]: [0] hazard left until the next arrival, [1] ns of this step already generated
    slots      int32[slots, 4]: shares left (0 = ended), instrument, next on the list, ns of the cancel after the start
               of its bucket (-1 = not on the wheel)
    stack      int32[slots]: free slots, the first counters[FREE] of them
    heads      int32[buckets]: first slot of each list, -1 = empty
    runs       int64[2, instruments]: orders left in the present metaorder, its sign
"""

from __future__ import annotations

import math

import numpy as np

from twin.kernels import kernel, philox

ARRIVALS, FREE, NEW, CANCELS, BUCKET, LIVE, COUNTERS = 0, 1, 2, 3, 4, 5, 6
LEFT, INSTRUMENT, NEXT, OFFSET, SLOT_WORDS = 0, 1, 2, 3, 4
DONE, ROWS_FULL, SLOTS_FULL = 0, 1, 2
ARRIVAL_STREAM, ORDER_STREAM = 20, 21
"""Equal to Stream.BACKGROUND_ARRIVAL and Stream.BACKGROUND_ORDER (a test checks it)."""

BUCKET_NS = 50_000_000
CONTINUOUS, CALL = 0, 1
MARKETABLE, INSIDE, BEST = 0, 1, 2

(
    WIDE,
    UNIT_SLOPE,
    BEHIND_SCALE,
    BEHIND_EXPONENT,
    THROUGH_SHARE,
    THROUGH_SCALE,
    THROUGH_EXPONENT,
    LOG_VALUE,
    LOG_VALUE_SD,
    SPIKE_SHARE,
    ROUND_SHARE,
    WILLING_SHARE,
    LOG_PATIENCE,
    LOG_PATIENCE_SD,
    RUN_EXPONENT,
    SIGN_LOGIT,
    TILT,
    TILT_PASSIVE,
    INFORMED_FROM,
    INFORMED_SLOPE,
    NUMBERS,
) = range(21)
"""Positions of the fitted and assumed numbers in the parameter vector (see agents/background.py)."""

_MAX_RUN = 100_000
_END = 1 << 62
"""An instant after all others."""
_S16, _MASK16 = np.uint64(16), np.uint64(0xFFFF)


@kernel
def lomax(u, scale, exponent, most):
    """Quantile u of a Lomax (Pareto II) distance with the given tail exponent, truncated at `most` (all float64)."""
    if most <= 0.0:
        return 0.0
    beyond = (1.0 + most / scale) ** -exponent
    return scale * ((1.0 - u * (1.0 - beyond)) ** (-1.0 / exponent) - 1.0)


@kernel
def _logistic(x):
    return 1.0 / (1.0 + math.exp(-x))


@kernel
def _side_and_price(i, mode, words, quotes, value, limits, placement, numbers, call, runs):
    """Side (+1, -1), limit price and size factor of one order.

    The side leans to the value and, for marketable orders, follows the metaorder under way.
    """
    w0, w1, w2 = words
    bid, ask = quotes[0, i], quotes[1, i]
    down, up = limits[0, i], limits[1, i]
    fair = value[i]
    unit = 1.0 + numbers[UNIT_SLOPE] * fair
    u_side, u_class, u_place = philox.unit32(w0), philox.unit32(w1), philox.unit32(w2)
    if mode == CALL or (bid == 0 and ask == 0):
        side = 1 if u_side < 0.5 else -1
        place = u_place * (call.shape[0] - 1)
        low = min(np.int64(place), call.shape[0] - 2)
        x = call[low] + (place - low) * (call[low + 1] - call[low])
        price = math.floor(fair * (1.0 - side * x) + 0.5)
        return side, np.int64(min(max(price, down), up)), 1.0

    if bid == 0:
        kind, mid = 0, np.float64(ask)
    elif ask == 0:
        kind, mid = 0, np.float64(bid)
    else:
        spread = ask - bid
        mid = 0.5 * (bid + ask)
        kind = 0 if spread <= 1 else (1 if spread <= numbers[WIDE] * unit else 2)
    gap = min(max((fair - mid) / unit, -50.0), 50.0)
    if fair >= up:
        gap = max(gap, 2.0)  # locked at the limit: buyers queue
    elif fair <= down:
        gap = min(gap, -2.0)

    if u_class < placement[kind, MARKETABLE]:
        if runs[0, i] <= 0:
            # the place word is free here: whether this order goes through the best price is drawn from the class word
            runs[0, i] = np.int64(min(((u_place + 1e-10) % 0.5 * 2.0) ** (-1.0 / numbers[RUN_EXPONENT]), _MAX_RUN))
            runs[1, i] = 1 if u_place < 0.5 else -1
        runs[0, i] -= 1
        side = 1 if u_side < _logistic(numbers[TILT] * gap + numbers[SIGN_LOGIT] * runs[1, i]) else -1
        opposite = ask if side > 0 else bid
        if opposite > 0:
            price = np.float64(opposite)
            factor = 1.0
            if gap * side > numbers[INFORMED_FROM]:
                # informed: the further the price is from the value the more is wanted, up to the value itself
                factor = 1.0 + numbers[INFORMED_SLOPE] * (gap * side - numbers[INFORMED_FROM])
                price = math.floor(fair) if side > 0 else math.ceil(fair)
            elif u_class < placement[kind, MARKETABLE] * numbers[THROUGH_SHARE]:
                u = u_class / (placement[kind, MARKETABLE] * numbers[THROUGH_SHARE])
                room = (up - ask if side > 0 else bid - down) / unit
                x = lomax(u, numbers[THROUGH_SCALE], numbers[THROUGH_EXPONENT], room)
                price += side * (1 + math.floor(x * unit))
            return side, np.int64(min(max(price, down), up)), factor
        own = bid if side > 0 else ask
        return side, np.int64(own), 1.0

    side = 1 if u_side < _logistic(numbers[TILT_PASSIVE] * gap) else -1
    own = bid if side > 0 else ask
    if own == 0:
        own = (ask if side > 0 else bid) - side * max(1, np.int64(unit + 0.5))
    u_inside = placement[kind, MARKETABLE] + placement[kind, INSIDE]
    if u_class < u_inside:
        price = own + side * (1 + np.int64(u_place * (ask - bid - 1)))
    elif u_class < u_inside + placement[kind, BEST]:
        price = own
    else:
        room = (own - down if side > 0 else up - own) - 1
        x = lomax(u_place, numbers[BEHIND_SCALE], numbers[BEHIND_EXPONENT], room / unit)
        price = own - side * (1 + np.int64(x * unit))
    return side, np.int64(min(max(price, down), up)), 1.0


@kernel
def _shares(z, u, factor, value, smallest, largest, numbers):
    """Order size: lognormal in CNY, whole lots of 100, spikes at one lot and at thousands (u: uniform)."""
    if u < numbers[SPIKE_SHARE] and factor == 1.0:
        return max(100, smallest)
    shares = factor * math.exp(numbers[LOG_VALUE] + numbers[LOG_VALUE_SD] * z) * 100.0 / value
    lots = max(1, np.int64(min(shares, 1e9) / 100.0 + 0.5))
    if lots >= 5 and u > 1.0 - numbers[ROUND_SHARE]:
        lots = (lots + 5) // 10 * 10
    return min(max(lots * 100, smallest), largest)


@kernel
def _hold(slot, at, slots, heads):
    """Put a slot's cancel on the wheel at patience time `at` (int64 ns)."""
    bucket = at // BUCKET_NS
    slots[slot, NEXT], slots[slot, OFFSET] = heads[bucket], at - bucket * BUCKET_NS
    heads[bucket] = slot


@kernel
def _fire(bucket, t0, patience0, patience1, base, counters, slots, stack, heads, cancel_rows):
    """Empty one bucket up to patience time `patience1` into cancel_rows, sorted; return DONE or ROWS_FULL."""
    code = DONE
    kept = np.int32(-1)
    while heads[bucket] >= 0:
        slot = heads[bucket]
        due = bucket * BUCKET_NS + slots[slot, OFFSET]
        fires = slots[slot, LEFT] > 0 and due < patience1
        m = counters[CANCELS]
        if fires and m == cancel_rows.shape[1]:
            code = ROWS_FULL
            break
        heads[bucket] = slots[slot, NEXT]
        if fires:
            slots[slot, OFFSET] = -1
            t, handle = t0 + max(due - patience0, 0), base + slot
            while m > 0 and (
                cancel_rows[0, m - 1] > t or (cancel_rows[0, m - 1] == t and cancel_rows[1, m - 1] > handle)
            ):
                cancel_rows[0, m], cancel_rows[1, m] = cancel_rows[0, m - 1], cancel_rows[1, m - 1]
                m -= 1
            cancel_rows[0, m], cancel_rows[1, m] = t, handle
            counters[CANCELS] += 1
        elif slots[slot, LEFT] > 0:
            slots[slot, NEXT] = kept
            kept = slot
        else:
            stack[counters[FREE]] = slot
            counters[FREE] += 1
    while kept >= 0:
        after = slots[kept, NEXT]
        slots[kept, NEXT] = heads[bucket]
        heads[bucket] = kept
        kept = after
    return code


@kernel
def generate(
    seed,
    replication,
    base,
    t0,
    t1,
    rate,
    mode,
    patience0,
    patience1,
    patience_moves,
    quotes,
    value,
    limits,
    sizes,
    alias_share,
    alias_other,
    placement,
    numbers,
    call,
    counters,
    hazard,
    slots,
    stack,
    heads,
    runs,
    rows,
    cancel_rows,
):
    """Draw the orders that arrive in [t0, t1) and collect the cancels that fall due; return DONE or what is full.

    Call again with larger arrays after ROWS_FULL or SLOTS_FULL: it goes on where it stopped.

    Args:
        seed: uint64; replication, base (first handle), t0, t1 (ns): int64; rate: arrivals per ns, float64.
        mode: CONTINUOUS or CALL, int64; patience0, patience1: patience time at t0 and t1, int64 ns.
        patience_moves: 1 while patience elapses, 0 in a no-cancel window, int64.
        quotes: int64[2, n] bid and ask in ticks, 0 = none; value: float64[n]; limits: int64[2, n] down and up.
        sizes: int64[2, n] smallest and largest order; alias_share float64[n], alias_other int64[n]: Walker's table.
        placement: float64[3, 4]; numbers: float64[NUMBERS]; call: float64[points], quantiles of the distance from the
            value in a call auction, as shares of it.
        rows: int64[capacity, 6]: time, instrument, side, price, quantity, handle of new orders (result).
        cancel_rows: int64[2, capacity]: time, handle (result).
    """
    n = alias_share.shape[0]
    while rate > 0.0:
        if counters[NEW] == rows.shape[0]:
            return ROWS_FULL
        if counters[FREE] == 0:
            return SLOTS_FULL
        step = hazard[0] / rate
        if hazard[1] + step >= t1 - t0:
            hazard[0] -= rate * (t1 - t0 - hazard[1])
            break
        hazard[1] += step
        t = t0 + np.int64(hazard[1])
        k = counters[ARRIVALS]
        counters[ARRIVALS] = k + 1
        a, b, w0, w1 = philox.block(seed, replication, ARRIVAL_STREAM, k, 0)
        x0, x1, x2, w2 = philox.block(seed, replication, ORDER_STREAM, k, 0)
        hazard[0] = -math.log(philox.unit32(a))
        pick = philox.unit32(b) * n
        i = min(np.int64(pick), n - 1)
        if pick - i >= alias_share[i]:
            i = alias_other[i]
        words = (w0, w1, w2)
        side, price, factor = _side_and_price(i, mode, words, quotes, value, limits, placement, numbers, call, runs)
        radius = math.sqrt(-2.0 * math.log(philox.unit32(x0)))
        angle = 2.0 * math.pi * philox.unit32(x1)
        u_round = (np.float64(x2 >> _S16) + 0.5) / 65536.0
        u_willing = (np.float64(x2 & _MASK16) + 0.5) / 65536.0
        quantity = _shares(radius * math.cos(angle), u_round, factor, value[i], sizes[0, i], sizes[1, i], numbers)

        counters[FREE] -= 1
        slot = np.int64(stack[counters[FREE]])
        counters[LIVE] += 1
        slots[slot, LEFT], slots[slot, INSTRUMENT], slots[slot, OFFSET] = quantity, i, -1
        if u_willing < numbers[WILLING_SHARE]:
            wait = math.exp(numbers[LOG_PATIENCE] + numbers[LOG_PATIENCE_SD] * radius * math.sin(angle)) * 1e9
            entered = patience0 + (t - t0 if patience_moves else 0)
            if wait < 1e15 and entered + np.int64(wait) < heads.shape[0] * BUCKET_NS:
                _hold(slot, entered + np.int64(wait) + 1, slots, heads)
        m = counters[NEW]
        rows[m, 0], rows[m, 1], rows[m, 2] = t, i, side
        rows[m, 3], rows[m, 4], rows[m, 5] = price, quantity, base + slot
        counters[NEW] = m + 1

    while patience_moves and counters[BUCKET] * BUCKET_NS < patience1:
        bucket = counters[BUCKET]
        if _fire(bucket, t0, patience0, patience1, base, counters, slots, stack, heads, cancel_rows) != DONE:
            return ROWS_FULL
        if (bucket + 1) * BUCKET_NS > patience1:
            break
        counters[BUCKET] = bucket + 1
    return DONE


@kernel
def merge(base, counters, slots, rows, cancel_rows, time, kind, instrument, side, price, quantity, order, out):
    """Merge the messages of others, new orders and cancels by time into out, int64[7, all of them] (Messages).

    At equal times the others go first, then new orders, then cancels.

    Args:
        time, kind, instrument, side, price, quantity, order: messages of others, sorted by time, int64.
    """
    a, c, o = 0, 0, 0
    new, cancels, others = counters[NEW], counters[CANCELS], time.shape[0]
    for m in range(out.shape[1]):
        own = _END
        if a < new:
            own = rows[a, 0]
        if c < cancels:
            own = min(own, cancel_rows[0, c])
        if o < others and time[o] <= own:
            out[0, m], out[1, m], out[2, m], out[3, m] = time[o], kind[o], instrument[o], side[o]
            out[4, m], out[5, m], out[6, m] = price[o], quantity[o], order[o]
            o += 1
        elif a < new and rows[a, 0] == own:
            out[0, m], out[1, m], out[2, m], out[3, m] = own, 0, rows[a, 1], rows[a, 2]
            out[4, m], out[5, m], out[6, m] = rows[a, 3], rows[a, 4], rows[a, 5]
            a += 1
        else:
            handle = cancel_rows[1, c]
            out[0, m], out[1, m], out[2, m], out[3, m] = own, 2, slots[handle - base, INSTRUMENT], 0
            out[4, m], out[5, m], out[6, m] = 0, 0, handle
            c += 1


@kernel
def _reduce(slot, quantity, counters, slots, stack):
    """Take shares off an order; when none is left it has ended, and its slot is free unless it is on the wheel."""
    slots[slot, LEFT] -= quantity
    if slots[slot, LEFT] <= 0:
        slots[slot, LEFT] = 0
        counters[LIVE] -= 1
        if slots[slot, OFFSET] < 0:
            stack[counters[FREE]] = slot
            counters[FREE] += 1


@kernel
def follow(base, kind, instrument, side, price, quantity, order, counter, counters, slots, stack, shares, cash):
    """Book the tape's rows that concern the background (columns of Tape, int64); return the row that contradicts or -1.

    Kinds: 0 accepted, 1 trade, 2 cancelled, 3 rejected, 4 expired. A refused cancel (reason 7 or 8) changes nothing.

    Args:
        shares: int64[n] net shares bought today; cash: int64[1] net cash in fen.
    """
    end = base + slots.shape[0]
    for row in range(kind.shape[0]):
        what = kind[row]
        if what == 0:
            continue
        mine = base <= order[row] < end
        if what == 1:
            amount = side[row] * quantity[row]
            if mine:
                slot = order[row] - base
                if quantity[row] > slots[slot, LEFT]:
                    return row
                shares[instrument[row]] += amount
                cash[0] -= amount * price[row]
                _reduce(slot, quantity[row], counters, slots, stack)
            if base <= counter[row] < end:
                slot = counter[row] - base
                if quantity[row] > slots[slot, LEFT]:
                    return row
                shares[instrument[row]] -= amount
                cash[0] += amount * price[row]
                _reduce(slot, quantity[row], counters, slots, stack)
        elif mine and slots[order[row] - base, LEFT] > 0:
            if what == 3 and (counter[row] == -8 or counter[row] == -9):
                continue
            slot = order[row] - base
            _reduce(slot, np.int64(slots[slot, LEFT]), counters, slots, stack)
    return -1
