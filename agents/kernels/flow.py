"""Compiled order flow of the rest of the market, fused with the matching of `twin.kernels.book`.

Instrument by instrument, so that one book stays in the cache, the loop takes the earliest of three: the next message of
others, the next new order (`flow_orders`), the next cancel (`flow_cancels`); a new order is placed relative to the book
as it is at that instant. Arrays: `agents.kernels.flow_layout`.
"""

from __future__ import annotations

import numpy as np

from agents.kernels.flow_cancels import await_cancel, begin_buckets, end_if_gone, free_node, heap_drop
from agents.kernels.flow_layout import (
    ARRIVAL_STREAM,
    CANCELS,
    DIGEST,
    DUE,
    DUE_IN,
    ENTERED,
    FREE,
    HANDLE,
    INSTRUMENT,
    IS_LIVE,
    IS_QUEUED,
    KEEP_NUMBERED,
    KEEP_OTHERS,
    KEPT,
    KIND,
    LIVE,
    LOG_FULL,
    LOGGED,
    NODES_FULL,
    ORDERS,
    OTHER,
    PENDING,
    PRICE,
    QUANTITY,
    ROOT,
    SIDE,
    SINCE,
    TAG,
    TAKEN,
    TICK,
    TIME,
    TRADES,
)
from agents.kernels.flow_orders import best_price, best_shares, draw_order, excite
from twin.kernels import kernel, philox
from twin.kernels.book import handle
from twin.kernels.ladders import C_ROWS, DONE, I_BITS, I_CANCELS, I_PHASE, S_BITS, S_OTHER, SHUT, SUSPENDED, TAPE_FULL

_END = 1 << 62
"""An instant after all others."""
_NEW, _CANCEL = 0, 2
_TRADE = 1
_MIX = np.int64(-0x61C8864680B583EB)


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
            end_if_gone(counter, base, place, nodes, stack, slots)
        if order != current:
            end_if_gone(order, base, place, nodes, stack, slots)


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
        end_if_gone(counter[row], base, place, nodes, stack, slots)
        end_if_gone(order[row], base, place, nodes, stack, slots)


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


@kernel
def _look(i, j, sides, levels, sample):
    """Write best bid, ask and their shares after interval j."""
    for s in range(2):
        so = (i << (S_BITS + 1)) + s * S_OTHER
        price = best_price(so, sides)
        sample[j, i, s] = price
        sample[j, i, 2 + s] = best_shares(so, sides, levels) if price > 0 else 0


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
                    begin_buckets(i, patience[j + 1], place, own, nodes, stack, wheel)
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
                            free_node(root - 1, place, stack)
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
                        draw_order(i, seed, replication, value[j, i], k, spare, state, sides, levels, ids, sizes,
                               cages, placement, numbers, calls, own, clock, drawn)  # fmt: skip
                        clock[i, SINCE] += clock[i, DUE_IN] / rate
                        excite(i, a, b, c, numbers, clock)
                        own[i, ORDERS] = k + 1
                        place[FREE] -= 1
                        node = np.int64(stack[place[FREE]])
                        place[LIVE] += 1
                        nodes[node, TAG] = k << 2 | IS_LIVE
                        if drawn[3] > 0:
                            entered = patience[j] + (at - t0 if patience_moves else 0)
                            if entered + drawn[3] < last_patience:
                                nodes[node, TAG] |= IS_QUEUED
                                await_cancel(i, node, entered + drawn[3], own, nodes, wheel)
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
                end_if_gone(message[HANDLE], base, place, nodes, stack, slots)
            clock[i, DUE_IN] = max(clock[i, DUE_IN] - (t1 - clock[i, SINCE]) * rate, 0.0)
            place[ENTERED] = 0
            if sample.shape[0] > 0:
                _look(i, j, sides, levels, sample)
            place[TICK] = j + 1
        place[TICK] = 0
        place[INSTRUMENT] = i + 1
    place[INSTRUMENT] = place[OTHER] = 0
    return DONE
