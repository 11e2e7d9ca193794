"""Compiled order flow of the rest of the market, fused with the matching of `twin.kernels.book`.

Instrument by instrument, so that one book stays in the cache, the loop takes the earliest of three: the next message of
others, the next new order, the next cancel; a new order is placed relative to the book as it is at that instant.

New orders form a self-exciting process (Hawkes 1971) in business time: the integral of the instrument's expected rate.
Its intensity is 1 - n plus two parts that jump by n x share x decay at each order and decay exponentially; between
two orders each part's next event is drawn by inversion (Dassios and Zhao 2013). Cancels wait in patience time
(nanoseconds of the windows in which cancels are taken) on a wheel of buckets per instrument; those of buckets that have
begun are in a pairing heap (Fredman et al. 1986), so that the heap stays as small as what is due soon.

An order is a node; its handle is base + node. A node is free again when its order has ended and nothing waits for it.
Layout of the state (all arrays C-contiguous):
    place   int64[PLACES]: where a suspended call goes on, free nodes, live orders
    own     int64[n, OWN_WORDS]: orders drawn, heap root, metaorder under way, cancels, digest of the tape, shares that
            others bought (sold: negative) at once since the last order
    clock   float64[n, CLOCK_WORDS]: business time to the next order, the gap it belongs to, two excitations, ns
            reached, two parts of what the market takes the instrument to be worth
    nodes   int64[nodes, 4]: due (patience ns), child | sibling << 32 in the heap or the next on the wheel (node + 1,
            0 = none), number << 2 | flags, spare
    wheel   int32[n, buckets + 1]: first node + 1 of each bucket; at the end how many buckets have begun
    stack   int32[nodes]: free nodes, the first place[FREE] of them
"""

from __future__ import annotations

import math

import numpy as np

from twin.kernels import inlined, kernel, philox
from twin.kernels.book import handle
from twin.kernels.ladders import (
    C_ROWS,
    CALL,
    CONTINUOUS,
    DONE,
    I_BITS,
    I_CANCELS,
    I_DOWN,
    I_PHASE,
    I_UP,
    L_QUANTITY,
    S_BASE,
    S_BEST,
    S_BITS,
    S_LEVELS,
    S_OTHER,
    S_SIGN,
    S_SIZE,
    SHUT,
    SUSPENDED,
    TAPE_FULL,
)

NODES_FULL, LOG_FULL = 100, 101
ARRIVAL_STREAM, ORDER_STREAM, RUN_STREAM = 20, 21, 26
"""Equal to Stream.BACKGROUND_ARRIVAL, BACKGROUND_ORDER and BACKGROUND_RUN (a test checks it)."""

INSTRUMENT, TICK, OTHER, PENDING, ENTERED, KEPT, FREE, LIVE, LOGGED, PLACES = range(10)
ORDERS, ROOT, RUN_LEFT, RUN_SIGN, RUNS, CANCELS, DIGEST, TRADES, TAKEN, OWN_WORDS = range(10)
TIME, KIND, SIDE, PRICE, QUANTITY, HANDLE = range(6)
DUE_IN, GAP, FAST, SLOW, SINCE, OPINION, IMBALANCE, CLOCK_WORDS = 0, 1, 2, 3, 4, 5, 6, 8
DUE, LINKS, TAG, NODE_WORDS = 0, 1, 2, 4
IS_LIVE, IS_QUEUED = 1, 2
BUCKET = 3_000_000_000
"""Width of a bucket of the wheel in ns of patience time."""
KEEP_OTHERS, KEEP_ALL, KEEP_NUMBERED = 0, 1, 2
"""Which rows of the tape stay: those of others; all; all, with order numbers of the instrument instead of handles."""
MARKETABLE, INSIDE, BEST = 0, 1, 2
LOT, SMALLEST, LARGEST, TELLING, USUAL, PER_DAY, SIZES = 0, 1, 2, 3, 4, 5, 6

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
    SELECTIVE,
    BRANCHING,
    FAST_SHARE,
    FAST_DECAY,
    SLOW_DECAY,
    SIGNAL,
    SIGNAL_DECAY,
    INSIDE_POWER,
    TAIL_FROM,
    TAIL_SHARE,
    TAIL_EXPONENT,
    TAIL_END,
    HEED,
    NUMBERS,
) = range(34)
"""Positions of the fitted and assumed numbers in the parameter vector (see agents/background.py)."""

_MAX_RUN = 100_000
_MOST_OPINION = 40.0
"""Largest distance of the opinion from the value, natural spreads."""
_END = 1 << 62
"""An instant after all others."""
_NEW, _CANCEL = 0, 2
_TRADE, _REJECTED = 1, 3
_S16, _MASK16 = np.uint64(16), np.uint64(0xFFFF)
_LOW = 0xFFFFFFFF
_MIX = np.int64(-0x61C8864680B583EB)


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
def gap_after(u0, u1, u2, fast, slow, numbers):
    """Business time to the next order, given three uniforms and the two excitations now."""
    gap = -math.log(u0) / (1.0 - numbers[BRANCHING])
    reach = -math.log(u1) * numbers[FAST_DECAY]
    if reach < fast:
        gap = min(gap, -math.log1p(-reach / fast) / numbers[FAST_DECAY])
    reach = -math.log(u2) * numbers[SLOW_DECAY]
    if reach < slow:
        gap = min(gap, -math.log1p(-reach / slow) / numbers[SLOW_DECAY])
    return gap


@kernel
def begin(seed, replication, ids, numbers, own, clock):
    """Put every instrument at the start of the day, with the mean excitation; draw its first order's time."""
    for i in range(ids.shape[0]):
        own[i, ROOT] = 0
        clock[i, FAST] = numbers[BRANCHING] * numbers[FAST_SHARE]
        clock[i, SLOW] = numbers[BRANCHING] * (1.0 - numbers[FAST_SHARE])
        a, b, c, _ = philox.block(seed, replication, ARRIVAL_STREAM, ids[i], 0)
        gap = gap_after(philox.unit32(a), philox.unit32(b), philox.unit32(c), clock[i, FAST], clock[i, SLOW], numbers)
        clock[i, GAP] = clock[i, DUE_IN] = gap


@kernel
def _excite(i, a, b, c, numbers, clock):
    """An order has arrived: let the excitations decay over its gap and jump; draw the next gap."""
    gap = clock[i, GAP]
    n = numbers[BRANCHING]
    fast, slow = clock[i, FAST], clock[i, SLOW]
    fast = fast * math.exp(-numbers[FAST_DECAY] * gap) + n * numbers[FAST_SHARE] * numbers[FAST_DECAY]
    slow = slow * math.exp(-numbers[SLOW_DECAY] * gap) + n * (1.0 - numbers[FAST_SHARE]) * numbers[SLOW_DECAY]
    clock[i, FAST], clock[i, SLOW] = fast, slow
    clock[i, OPINION] *= math.exp(-numbers[SIGNAL_DECAY] * gap)
    gap = gap_after(philox.unit32(a), philox.unit32(b), philox.unit32(c), fast, slow, numbers)
    clock[i, GAP] = clock[i, DUE_IN] = gap


@kernel
def _link(a, b, nodes):
    """Join two heaps (roots as node + 1, not 0); return the root: the earlier due, at equal times the older order."""
    p, q = a - 1, b - 1
    if nodes[q, DUE] < nodes[p, DUE] or (nodes[q, DUE] == nodes[p, DUE] and nodes[q, TAG] < nodes[p, TAG]):
        a, b, p, q = b, a, q, p
    nodes[q, LINKS] = (nodes[q, LINKS] & _LOW) | ((nodes[p, LINKS] & _LOW) << 32)
    nodes[p, LINKS] = (nodes[p, LINKS] & ~_LOW) | b
    return a


@kernel
def heap_add(root, node, due, nodes):
    """Add a node to a heap; return the root."""
    nodes[node, DUE] = due
    nodes[node, LINKS] = 0
    return node + 1 if root == 0 else _link(root, node + 1, nodes)


@kernel
def heap_drop(root, nodes):
    """Take the root off a heap (two passes over its children); return the new root, 0 if the heap is empty."""
    child = nodes[root - 1, LINKS] & _LOW
    done = np.int64(0)
    while child != 0:
        pair = nodes[child - 1, LINKS] >> 32
        nodes[child - 1, LINKS] &= _LOW
        if pair != 0:
            after = nodes[pair - 1, LINKS] >> 32
            nodes[pair - 1, LINKS] &= _LOW
            child, pair = _link(child, pair, nodes), after
        nodes[child - 1, LINKS] |= done << 32
        done, child = child, pair
    new = np.int64(0)
    while done != 0:
        after = nodes[done - 1, LINKS] >> 32
        nodes[done - 1, LINKS] &= _LOW
        new = done if new == 0 else _link(new, done, nodes)
        done = after
    return new


@kernel
def _begin_buckets(i, until, place, own, nodes, stack, wheel):
    """Bring what is due before `until` (patience ns) from the wheel into the heap; free the nodes of ended orders."""
    counter = wheel.shape[1] - 1
    b = np.int64(wheel[i, counter])
    last = min((until + BUCKET - 1) // BUCKET, counter)
    while b < last:
        entry = np.int64(wheel[i, b])
        wheel[i, b] = 0
        while entry != 0:
            after = nodes[entry - 1, LINKS]
            if nodes[entry - 1, TAG] & IS_LIVE:
                own[i, ROOT] = heap_add(own[i, ROOT], entry - 1, nodes[entry - 1, DUE], nodes)
            else:
                _free(entry - 1, place, stack)
            entry = after
        b += 1
    wheel[i, counter] = max(b, np.int64(wheel[i, counter]))


@kernel
def _await(i, node, due, own, nodes, wheel):
    """Let an order's cancel wait until `due` (patience ns, on the wheel)."""
    b = due // BUCKET
    if b < wheel[i, wheel.shape[1] - 1]:
        own[i, ROOT] = heap_add(own[i, ROOT], node, due, nodes)
    else:
        nodes[node, DUE] = due
        nodes[node, LINKS] = wheel[i, b]
        wheel[i, b] = node + 1


@kernel
def _free(node, place, stack):
    stack[place[FREE]] = node
    place[FREE] += 1


@kernel
def _end(node, place, nodes, stack):
    """An order has ended; its node stays in the heap if it is there."""
    if nodes[node, TAG] & IS_LIVE:
        nodes[node, TAG] &= ~IS_LIVE
        place[LIVE] -= 1
        if nodes[node, TAG] & IS_QUEUED == 0:
            _free(node, place, stack)


@inlined
def _end_if_gone(order, base, place, nodes, stack, slots):
    """A background order that the exchange does not hold any more has ended."""
    if order >= base and slots[order] == 0:
        _end(order - base, place, nodes, stack)


@kernel
def note(base, current, first, last, keep, place, own, nodes, stack, slots, tape):
    """Take note of the rows first..last-1 of the tape; `current` is the handle of the message under way, -1 = none."""
    for row in range(first, last):
        kind, i = tape[1, row], tape[2, row]
        order, counter = tape[6, row], tape[7, row]
        mixed = own[i, DIGEST] ^ tape[0, row]
        mixed = (mixed ^ (kind << 1) ^ tape[3, row]) * _MIX
        mixed ^= (mixed >> 29) ^ (tape[4, row] << 32) ^ tape[5, row]
        own[i, DIGEST] = mixed * _MIX + tape[8, row]
        if kind == _TRADE:
            own[i, TRADES] += 1
            if order < base:
                own[i, TAKEN] += tape[3, row] * tape[5, row]
        if keep == KEEP_NUMBERED:
            if order >= base:
                tape[6, row] = nodes[order - base, TAG] >> 2
            if counter >= base:
                tape[7, row] = nodes[counter - base, TAG] >> 2
        if counter != current:
            _end_if_gone(counter, base, place, nodes, stack, slots)
        if order != current:
            _end_if_gone(order, base, place, nodes, stack, slots)


@kernel
def follow(base, kind, instrument, side, price, quantity, order, counter, place, nodes, stack, slots, shares, cash):
    """Book the background's part in the tape's rows (columns of Tape): orders that ended, shares and cash.

    May be told of rows that `advance` has seen already: an order that it has replaced is held by the exchange.

    Args:
        shares: int64[n] net shares bought; cash: int64[1] net cash in fen.
    """
    for row in range(kind.shape[0]):
        if kind[row] == _TRADE:
            amount = side[row] * quantity[row]
            if order[row] >= base:
                shares[instrument[row]] += amount
                cash[0] -= amount * price[row]
            if counter[row] >= base:
                shares[instrument[row]] -= amount
                cash[0] += amount * price[row]
        _end_if_gone(counter[row], base, place, nodes, stack, slots)
        _end_if_gone(order[row], base, place, nodes, stack, slots)


@kernel
def _keep_others(base, first, last, place, tape):
    """Move the rows that concern others to the front of the tape; return how many rows remain."""
    kept = place[KEPT]
    for row in range(first, last):
        if tape[6, row] < base or 0 <= tape[7, row] < base:
            for column in range(9):
                tape[column, kept] = tape[column, row]
            kept += 1
    place[KEPT] = kept
    return kept


@inlined
def best_price(so, sides):
    """Best price of a side (offset in `sides`) in ticks, 0 = none."""
    best = sides[so + S_BEST]
    return sides[so + S_BASE] + sides[so + S_SIGN] * best if best < sides[so + S_SIZE] else 0


@inlined
def best_shares(so, sides, levels):
    """Shares at the best price of a side that is not empty."""
    return levels[((sides[so + S_LEVELS] + sides[so + S_BEST]) << 2) + L_QUANTITY]


@kernel
def _look(i, j, sides, levels, sample):
    """Write best bid, ask and their shares after interval j."""
    for s in range(2):
        so = (i << (S_BITS + 1)) + s * S_OTHER
        price = best_price(so, sides)
        sample[j, i, s] = price
        sample[j, i, 2 + s] = best_shares(so, sides, levels) if price > 0 else 0


@kernel
def _run_sign(i, seed, replication, ids, sizes, numbers, own, clock):
    """Sign of the metaorder to which the next marketable order belongs; Pareto lengths (Lillo, Mike, Farmer 2005).

    A new metaorder tells the others something: what they take the instrument to be worth moves with the square root of
    its length (Gabaix et al. 2003: with lengths of tail exponent 1.5 this gives returns one of 3).
    """
    if own[i, RUN_LEFT] <= 0:
        a, b, _, _ = philox.block(seed, replication, RUN_STREAM, ids[i], own[i, RUNS])
        length = philox.unit32(a) ** (-1.0 / numbers[RUN_EXPONENT])
        own[i, RUN_LEFT] = np.int64(min(length, np.float64(_MAX_RUN)))
        own[i, RUN_SIGN] = 1 if b & np.uint64(1) else -1
        own[i, RUNS] += 1
        told = sizes[TELLING, i] * numbers[SIGNAL] * math.sqrt(own[i, RUN_LEFT])
        moved = clock[i, OPINION] + own[i, RUN_SIGN] * told
        clock[i, OPINION] = min(max(moved, -_MOST_OPINION), _MOST_OPINION)
    own[i, RUN_LEFT] -= 1
    return own[i, RUN_SIGN]


@kernel
def _heard(i, sizes, numbers, own, clock):
    """Natural spreads by which others' trades move what the instrument is taken to be worth; 0 without any.

    Nobody sees who sends: the net volume that others took, in usual orders, tells what a metaorder of that length does
    (`_run_sign`), linearly while it is below one order. It is forgotten over one day's orders of the instrument.
    """
    if own[i, TAKEN] == 0 and clock[i, IMBALANCE] == 0.0:
        return 0.0
    x = clock[i, IMBALANCE] * math.exp(-clock[i, GAP] / sizes[PER_DAY, i]) + own[i, TAKEN] / sizes[USUAL, i]
    own[i, TAKEN] = 0
    clock[i, IMBALANCE] = x
    return sizes[TELLING, i] * numbers[HEED] * numbers[SIGNAL] * x / math.sqrt(1.0 + abs(x))


@kernel
def _multiple(z, numbers):
    """Size of an order over the usual one: lognormal, beyond TAIL_FROM the same quantile of a bounded Pareto law."""
    if z <= numbers[TAIL_FROM]:
        return math.exp(numbers[LOG_VALUE_SD] * z)
    beyond = 0.5 * math.erfc(z / math.sqrt(2.0)) / numbers[TAIL_SHARE]
    beyond = numbers[TAIL_END] + (1.0 - numbers[TAIL_END]) * beyond
    return math.exp(numbers[LOG_VALUE_SD] * numbers[TAIL_FROM]) * beyond ** (-1.0 / numbers[TAIL_EXPONENT])


@kernel
def _size(z, u, factor, price, lot, smallest, largest, numbers):
    """Order size: a multiple of a value plus one lot, whole lots, spikes at one and at ten lots (u: uniform).

    Who has less than a lot's money does not trade the stock, so that the usual order grows with the price of a lot.
    """
    if u < numbers[SPIKE_SHARE] and factor == 1.0:
        return max(lot, smallest)
    shares = factor * _multiple(z, numbers) * (math.exp(numbers[LOG_VALUE]) * 100.0 / price + lot)
    lots = max(1, np.int64(min(shares, 1e9) / lot + 0.5))
    if lots >= 5 and u > 1.0 - numbers[ROUND_SHARE]:
        lots = (lots + 5) // 10 * 10
    return min(max(lots * lot, smallest), largest)


@kernel
def _call_order(u_side, u_place, fair, which, calls):
    """Side and price in a call auction: a recorded quantile of the distance from the value, on the waiting side."""
    side = 1 if u_side < 0.5 else -1
    point = u_place * (calls.shape[1] - 1)
    low = min(np.int64(point), calls.shape[1] - 2)
    x = calls[which, low] + (point - low) * (calls[which, low + 1] - calls[which, low])
    return side, np.int64(math.floor(fair * (1.0 - side * x) + 0.5))


@kernel
def _gap_to_value(fair, mid, unit, up, down):
    """Natural spreads from mid to value, bounded; at a price limit the crowd queues."""
    gap = min(max((fair - mid) / unit, -50.0), 50.0)
    if fair >= up:
        return max(gap, 2.0)
    if fair <= down:
        return min(gap, -2.0)
    return gap


@kernel
def _marketable(side, u, opposite, gap, unit, fair, up, down, cage, numbers):
    """Price and size factor of an order that trades at once; it stays within the price cage."""
    factor = 1.0
    price = np.float64(opposite)
    if gap * side > numbers[INFORMED_FROM]:
        # informed: the further the price is from the value the more is wanted, up to the value itself
        factor = 1.0 + numbers[INFORMED_SLOPE] * (gap * side - numbers[INFORMED_FROM])
        price = math.floor(fair) if side > 0 else math.ceil(fair)
    elif u < numbers[THROUGH_SHARE]:
        room = (up - opposite if side > 0 else opposite - down) / unit
        x = lomax(u / numbers[THROUGH_SHARE], numbers[THROUGH_SCALE], numbers[THROUGH_EXPONENT], room)
        price += side * (1 + math.floor(x * unit))
    if cage > 0:
        price = min(price, np.float64(opposite + cage)) if side > 0 else max(price, np.float64(opposite - cage))
    return np.int64(min(max(price, np.float64(down)), np.float64(up))), factor


@kernel
def _order(i, seed, replication, fair, k, spare, state, sides, levels, ids, sizes, cages,
           placement, numbers, calls, own, clock, drawn):  # fmt: skip
    """Draw order k of an instrument against its book; drawn = side, price, quantity, patience in ns (0 = never).

    Args:
        spare: uint64 word that the arrival left over.
    """
    w0, w1, x0, x1 = philox.block(seed, replication, ORDER_STREAM, ids[i], k)
    u_side, u = philox.unit32(w0), philox.unit32(w1)
    up, down = state[(i << I_BITS) + I_UP], state[(i << I_BITS) + I_DOWN]
    bo = i << (S_BITS + 1)
    bid, ask = best_price(bo, sides), best_price(bo + S_OTHER, sides)
    unit = 1.0 + numbers[UNIT_SLOPE] * fair
    heard = _heard(i, sizes, numbers, own, clock)
    centre = fair if heard == 0.0 else min(max(fair + heard * unit, np.float64(down)), np.float64(up))
    factor = 1.0
    depth = np.int64(0)
    phase = state[(i << I_BITS) + I_PHASE]
    if phase != CONTINUOUS or (bid == 0 and ask == 0):
        side, price = _call_order(u_side, u, centre, 1 if phase == CALL else 0, calls)
    else:
        if bid == 0 or ask == 0:
            kind, mid = 0, np.float64(bid + ask)
        else:
            kind, mid = 0 if ask - bid <= 1 else (1 if ask - bid <= numbers[WIDE] * unit else 2), 0.5 * (bid + ask)
        share = placement[kind, MARKETABLE]
        sign = 0
        if u < share:
            sign = _run_sign(i, seed, replication, ids, sizes, numbers, own, clock)
        worth = min(max(fair + (clock[i, OPINION] + heard) * unit, np.float64(down)), np.float64(up))
        gap = _gap_to_value(worth, mid, unit, up, down)
        if u < share:
            u /= share
            side = 1 if u_side < _logistic(numbers[TILT] * gap + numbers[SIGN_LOGIT] * sign) else -1
            opposite = ask if side > 0 else bid
            price = bid if side > 0 else ask
            if opposite > 0:
                cage = np.int64(0)
                if cages[0, i] > 0:
                    cage = max(opposite * cages[0, i] // 1_000_000, cages[1, i])
                price, factor = _marketable(side, u, opposite, gap, unit, worth, up, down, cage, numbers)
                if factor == 1.0 and u > 1.0 - numbers[SELECTIVE]:
                    depth = best_shares(bo + S_OTHER if side > 0 else bo, sides, levels)
        else:
            u = (u - share) / (1.0 - share)
            side = 1 if u_side < _logistic(numbers[TILT_PASSIVE] * gap) else -1
            own_best = bid if side > 0 else ask
            if own_best == 0:
                own_best = (ask if side > 0 else bid) - side * max(1, np.int64(unit + 0.5))
            inside = placement[kind, INSIDE] / (1.0 - share)
            best = placement[kind, BEST] / (1.0 - share)
            if u < inside:
                way = (u / inside) ** numbers[INSIDE_POWER]
                price = own_best + side * (1 + np.int64(way * max(ask - bid - 1, 0)))
            elif u < inside + best:
                price = own_best
            else:
                u = min((u - inside - best) / (1.0 - inside - best), 1.0)
                room = (own_best - down if side > 0 else up - own_best) - 1
                x = lomax(u, numbers[BEHIND_SCALE], numbers[BEHIND_EXPONENT], room / unit)
                price = own_best - side * (1 + np.int64(x * unit))
    price = min(max(price, down), up)
    radius = math.sqrt(-2.0 * math.log(philox.unit32(x0)))
    angle = 2.0 * math.pi * philox.unit32(x1)
    u_round = (np.float64(spare >> _S16) + 0.5) / 65536.0
    u_willing = (np.float64(spare & _MASK16) + 0.5) / 65536.0
    lot, smallest, largest = sizes[LOT, i], sizes[SMALLEST, i], sizes[LARGEST, i]
    quantity = _size(radius * math.cos(angle), u_round, factor, fair, lot, smallest, largest, numbers)
    if depth > 0:
        quantity = min(quantity, max(depth // lot * lot, smallest))
    wait = 0.0
    if u_willing < numbers[WILLING_SHARE]:
        wait = math.exp(numbers[LOG_PATIENCE] + numbers[LOG_PATIENCE_SD] * radius * math.sin(angle)) * 1e9
    drawn[0], drawn[1], drawn[2] = side, price, quantity
    drawn[3] = np.int64(min(wait, 1e15)) + 1 if wait > 0.0 else 0


@kernel
def advance(
    ctl, state, sides, levels, words, summary, pool, slots, tape,
    message, seed, replication, base, last_patience, keep,
    edges, patience, pace, value, weight, ids, sizes, cages, placement, numbers, calls,
    place, own, clock, nodes, stack, wheel, drawn,
    starts, o_time, o_kind, o_side, o_price, o_quantity, o_order, log, sample,
):  # fmt: skip
    """Run every instrument through all ticks, in which its phase changes only by halts.

    Returns DONE, what is full, or a bad code.

    Call again with more room after TAPE_FULL (rows taken away, ctl[C_ROWS] = place[KEPT] = 0), POOL_FULL, NODES_FULL or
    LOG_FULL (place[LOGGED] = 0): it goes on exactly there. A bad code of the book cannot be resumed.

    Args:
        ctl .. tape: the arrays of `twin.kernels.ladders`; message: int64[6], the message under way.
        base: first handle of the background.
        last_patience: patience time at the end of the day, int64 ns; keep: KEEP_OTHERS, KEEP_ALL, KEEP_NUMBERED.
        edges: int64[ticks + 1] ns; patience: int64[ticks + 1] patience time at them.
        pace: float64[ticks] orders per ns of an instrument of weight 1; value: float64[ticks, n] ticks.
        weight: float64[n]; ids: int64[n] identity for randomness; sizes: int64[SIZES, n] lot, smallest, largest order,
            1 if orders tell something of the value, shares of the usual order, orders of a day.
        cages: int64[2, n] ppm of the opposite best price and least ticks, 0 = none.
        placement: float64[3, 4]; numbers: float64[NUMBERS]; calls: float64[2, points] quantiles of the distance from
            the value in an opening and a closing call, as shares of it; drawn: int64[4].
        starts: int64[n + 1] where an instrument's messages of others start; o_*: those, by time within an instrument.
        log: int64[7, capacity] the messages as sent, instrument by instrument; capacity 0 = not wanted.
        sample: int64[ticks, n, 4] best bid, ask and their shares at the end of each tick; no ticks = not wanted.
    """
    n, ticks = own.shape[0], edges.shape[0] - 1
    logging = log.shape[1] > 0
    while place[INSTRUMENT] < n:
        i = place[INSTRUMENT]
        if place[OTHER] < starts[i]:
            place[OTHER] = starts[i]
        while place[TICK] < ticks:
            j = place[TICK]
            t0, t1 = edges[j], edges[j + 1]
            phase = state[(i << I_BITS) + I_PHASE]
            rate = pace[j] * weight[i] if phase != SHUT and phase != SUSPENDED else 0.0
            patience_moves = state[(i << I_BITS) + I_CANCELS]
            if place[ENTERED] == 0:
                place[ENTERED] = 1
                clock[i, SINCE] = np.float64(t0)
                if patience_moves:
                    _begin_buckets(i, patience[j + 1], place, own, nodes, stack, wheel)
            while True:
                if place[PENDING] == 0:
                    at = _END
                    what = 0
                    if patience_moves:
                        root = own[i, ROOT]
                        while (
                            root != 0 and nodes[root - 1, TAG] & IS_LIVE == 0 and nodes[root - 1, DUE] < patience[j + 1]
                        ):
                            own[i, ROOT] = heap_drop(root, nodes)
                            _free(root - 1, place, stack)
                            root = own[i, ROOT]
                        if root != 0 and nodes[root - 1, DUE] < patience[j + 1]:
                            at, what = t0 + max(nodes[root - 1, DUE] - patience[j], 0), 1
                    if rate > 0.0:
                        arrival = clock[i, SINCE] + clock[i, DUE_IN] / rate
                        if arrival < t1 and np.int64(arrival) <= at:
                            at, what = np.int64(arrival), 2
                    o = place[OTHER]
                    if o < starts[i + 1] and o_time[o] < t1 and o_time[o] <= at:
                        at, what = o_time[o], 3
                    if what == 0:
                        break
                    if logging and place[LOGGED] == log.shape[1]:
                        return LOG_FULL
                    message[TIME] = at
                    if what == 3:
                        message[KIND], message[SIDE], message[PRICE] = o_kind[o], o_side[o], o_price[o]
                        message[QUANTITY], message[HANDLE] = o_quantity[o], o_order[o]
                        place[OTHER] = o + 1
                        number = message[HANDLE]
                    elif what == 2:
                        if place[FREE] == 0:
                            return NODES_FULL
                        k = own[i, ORDERS]
                        a, b, c, spare = philox.block(seed, replication, ARRIVAL_STREAM, ids[i], k + 1)
                        _order(i, seed, replication, value[j, i], k, spare, state, sides, levels, ids, sizes,
                               cages, placement, numbers, calls, own, clock, drawn)  # fmt: skip
                        clock[i, SINCE] += clock[i, DUE_IN] / rate
                        _excite(i, a, b, c, numbers, clock)
                        own[i, ORDERS] = k + 1
                        place[FREE] -= 1
                        node = np.int64(stack[place[FREE]])
                        place[LIVE] += 1
                        nodes[node, TAG] = k << 2 | IS_LIVE
                        if drawn[3] > 0:
                            entered = patience[j] + (at - t0 if patience_moves else 0)
                            if entered + drawn[3] < last_patience:
                                nodes[node, TAG] |= IS_QUEUED
                                _await(i, node, entered + drawn[3], own, nodes, wheel)
                        message[KIND], message[SIDE], message[PRICE] = _NEW, drawn[0], drawn[1]
                        message[QUANTITY], message[HANDLE] = drawn[2], base + node
                        number = k
                    else:
                        node = own[i, ROOT] - 1
                        own[i, ROOT] = heap_drop(node + 1, nodes)
                        nodes[node, TAG] &= ~IS_QUEUED
                        own[i, CANCELS] += 1
                        message[KIND], message[SIDE], message[PRICE], message[QUANTITY] = _CANCEL, 0, 0, 0
                        message[HANDLE] = base + node
                        number = nodes[node, TAG] >> 2
                    if logging:
                        q = place[LOGGED]
                        log[0, q], log[1, q], log[2, q], log[3, q] = at, message[KIND], i, message[SIDE]
                        log[4, q], log[5, q] = message[PRICE], message[QUANTITY]
                        log[6, q] = number if keep == KEEP_NUMBERED else message[HANDLE]
                        place[LOGGED] = q + 1
                place[PENDING] = 1
                first = ctl[C_ROWS]
                code = handle(
                    ctl, state, sides, levels, words, summary, pool, slots, tape, message[TIME], message[KIND], i,
                    message[SIDE], message[PRICE], message[QUANTITY], message[HANDLE],
                )  # fmt: skip
                last = ctl[C_ROWS]
                note(base, message[HANDLE], first, last, keep, place, own, nodes, stack, slots, tape)
                if keep == KEEP_OTHERS:
                    ctl[C_ROWS] = _keep_others(base, first, last, place, tape)
                if code == TAPE_FULL and ctl[C_ROWS] < last:
                    continue
                if code != DONE:
                    return code
                place[PENDING] = 0
                _end_if_gone(message[HANDLE], base, place, nodes, stack, slots)
            clock[i, DUE_IN] = max(clock[i, DUE_IN] - (t1 - clock[i, SINCE]) * rate, 0.0)
            place[ENTERED] = 0
            if sample.shape[0] > 0:
                _look(i, j, sides, levels, sample)
            place[TICK] = j + 1
        place[TICK] = 0
        place[INSTRUMENT] = i + 1
    place[INSTRUMENT] = place[OTHER] = 0
    return DONE
