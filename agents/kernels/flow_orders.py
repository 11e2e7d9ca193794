"""Drawing of one background order: when it comes, on which side, at what price, how large, how patient.

New orders form a self-exciting process (Hawkes 1971) in business time: the integral of the instrument's expected rate.
Its intensity is 1 - n plus two parts that jump by n x share x decay at each order and decay exponentially; between
two orders each part's next event is drawn by inversion (Dassios and Zhao 2013). Arrays: `agents.kernels.flow_layout`.
"""

from __future__ import annotations

import math

import numpy as np

from agents.kernels.flow_layout import (
    ARRIVAL_STREAM,
    BEHIND_EXPONENT,
    BEHIND_SCALE,
    BEST,
    BRANCHING,
    DUE_IN,
    FAST,
    FAST_DECAY,
    FAST_SHARE,
    GAP,
    HEED,
    IMBALANCE,
    INFORMED_FROM,
    INFORMED_SLOPE,
    INSIDE,
    INSIDE_POWER,
    LARGEST,
    LOG_PATIENCE,
    LOG_PATIENCE_SD,
    LOG_VALUE,
    LOG_VALUE_SD,
    LOT,
    MARKETABLE,
    OPINION,
    ORDER_STREAM,
    PER_DAY,
    ROOT,
    ROUND_SHARE,
    RUN_EXPONENT,
    RUN_LEFT,
    RUN_SIGN,
    RUN_STREAM,
    RUNS,
    SELECTIVE,
    SIGN_LOGIT,
    SIGNAL,
    SIGNAL_DECAY,
    SLOW,
    SLOW_DECAY,
    SMALLEST,
    SPIKE_SHARE,
    TAIL_END,
    TAIL_EXPONENT,
    TAIL_FROM,
    TAIL_SHARE,
    TAKEN,
    TELLING,
    THROUGH_EXPONENT,
    THROUGH_SCALE,
    THROUGH_SHARE,
    TILT,
    TILT_PASSIVE,
    UNIT_SLOPE,
    USUAL,
    WIDE,
    WILLING_SHARE,
)
from twin.kernels import inlined, kernel, philox
from twin.kernels.ladders import (
    CALL,
    CONTINUOUS,
    I_BITS,
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
)

_MAX_RUN = 100_000
_MOST_OPINION = 40.0
"""Largest distance of the opinion from the value, natural spreads."""
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
def excite(i, a, b, c, numbers, clock):
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
def heard(i, sizes, numbers, own, clock):
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
def multiple(z, numbers):
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
    shares = factor * multiple(z, numbers) * (math.exp(numbers[LOG_VALUE]) * 100.0 / price + lot)
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
def draw_order(i, seed, replication, fair, k, spare, state, sides, levels, ids, sizes, cages,
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
    told = heard(i, sizes, numbers, own, clock)
    centre = fair if told == 0.0 else min(max(fair + told * unit, np.float64(down)), np.float64(up))
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
        worth = min(max(fair + (clock[i, OPINION] + told) * unit, np.float64(down)), np.float64(up))
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
