"""The way back: the exchange's answers are queued, booked, and told to the clients, in one call per tick."""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.kernels import histogram, ledger
from twin.kernels.borrowing import borrow
from twin.kernels.order_codes import (
    ACK,
    BACK,
    CANCEL_REJECT,
    CANCELLED,
    END,
    EXPIRED,
    FILL,
    FILLED,
    H_CHECKS,
    H_CORE,
    H_EXCHANGE,
    H_GATE_OUT,
    H_GATEWAY,
    H_REPORT,
    H_TOTAL,
    IN_PATH,
    LOGGED_IN,
    N_ACKNOWLEDGED,
    N_ANSWERED,
    NETWORK,
    NIL,
    R_CLOSED,
    R_NO_CANCEL,
    R_UNKNOWN,
    REJECT,
    REJECTED,
    REPORT,
    REPORT_BASE,
    REPORT_COUNT,
    REPORT_FRONT,
    TRADE_COUNT,
    WORKING,
)
from twin.kernels.order_reports import report, send_back
from twin.kernels.stations import (
    BUSY,
    FULL,
    HEAD,
    NEVER,
    TAIL,
    heap_drop,
    next_open,
    put,
    serve,
)


@njit(cache=True)
def take_tape(orders, n_orders, reports, queue, numbers, stats, demand, time, kind, price, quantity, order, counter):
    """Turn the exchange's answers to the broker's orders into reports at the report station; 0 or FULL."""
    n = numbers[REPORT]
    for i in range(time.shape[0]):
        for side in range(2):
            row = order[i] if side == 0 else counter[i]
            if row < 0 or row >= n_orders or (side == 1 and kind[i] != 1):
                continue
            o = orders[row]
            reason = NIL
            if kind[i] == 0:
                what = ACK
                o.accepted = time[i]
            elif kind[i] == 1:
                what = FILL
                if o.accepted == 0:
                    o.accepted = time[i]
            elif kind[i] == 3:
                reason = -1 - counter[i]
                refused_cancel = quantity[i] == 0 or reason in (R_NO_CANCEL, R_UNKNOWN)
                what = CANCEL_REJECT if refused_cancel else REJECT
            else:
                what = END
                # An expiry is marked by the reason, as the books tell it from a cancel.
                reason = R_CLOSED if kind[i] == 4 else 0
            sequence = report(reports, stats, what, row, time[i], price[i], quantity[i], reason)
            arrival = time[i]
            if n[TAIL] > n[HEAD]:
                arrival = max(arrival, queue[n[TAIL] - 1, 0])
            if sequence < 0 or not put(queue, n, arrival, sequence, demand):
                return FULL
    return 0


@njit(cache=True)
def post(orders, reports, k, accounts, slots, top, rates, trades, stats):
    """Book one report: state of the order, cash, shares, log of trades.

    Returns 0, FULL, -2 if the report contradicts the books, or -3 if the ledger has no slot left.
    """
    r = reports[k]
    o = orders[r.row]
    account, instrument, side = np.int64(o.account), np.int64(o.instrument), np.int64(o.side)
    freeze, quantity, filled = np.int64(o.freeze_price), np.int64(o.quantity), np.int64(o.filled)
    if r.kind == ACK:
        if o.state == IN_PATH:
            o.state = WORKING
    elif r.kind == FILL:
        price, shares = np.int64(r.price), np.int64(r.quantity)
        if o.state > WORKING or filled + shares > quantity:
            return -2
        t = stats[TRADE_COUNT]
        if t >= trades.shape[0]:
            return FULL
        if not ledger.post_fill(
            accounts, slots, top, rates, account, instrument, side, freeze, quantity, filled, o.value, price, shares
        ):
            return -3
        o.filled += shares
        o.value += price * shares
        o.state = FILLED if o.filled == quantity else WORKING
        w = trades[t]
        w.time, w.row, w.price, w.quantity = r.time, r.row, price, shares
        stats[TRADE_COUNT] = t + 1
    elif r.kind in (END, REJECT):
        if o.state > WORKING:
            return -2
        ledger.release_rest(accounts, slots, rates, account, instrument, side, freeze, quantity, filled, o.value)
        if r.kind == REJECT:
            o.state, o.reason = REJECTED, r.reason
        else:
            o.state, o.reason = EXPIRED if r.reason == R_CLOSED else CANCELLED, r.reason
    return 0


@njit(cache=True)
def measure_acknowledged(orders, row, windows, segments, stages, by_segment, by_minute):
    """Latencies of an acknowledged order. Time in which the exchange was shut does not count."""
    o = orders[row]
    ready = next_open(windows, o.submitted)
    histogram.record(stages, H_GATEWAY, o.gateway - o.submitted)
    histogram.record(stages, H_CHECKS, o.checked - o.gateway)
    histogram.record(stages, H_CORE, o.core - o.checked)
    histogram.record(stages, H_GATE_OUT, o.sent - next_open(windows, o.core))
    histogram.record(stages, H_EXCHANGE, o.accepted - o.sent)
    histogram.record(stages, H_REPORT, o.acknowledged - o.accepted)
    if ready < NEVER:
        total = o.acknowledged - ready
        histogram.record(stages, H_TOTAL, total)
        histogram.record(by_segment, segments[o.account], total)
        histogram.record(by_minute, min(ready // 60_000_000_000, by_minute.shape[0] - 1), total)


@njit(cache=True)
def backward(
    until,
    seed,
    replication,
    orders,
    requests,
    reports,
    segments,
    accounts,
    slots,
    top,
    rates,
    queue,
    report_heap,
    back,
    numbers,
    laws,
    windows,
    scratch,
    stats,
    trades,
    rejections,
    stages,
    by_segment,
    by_minute,
    login_by_minute,
    counts,
    out,
):
    """Advance everything on the way back to `until`: book the exchange's answers, then tell the clients.

    `out` is int64 (7 kinds of report, 7 columns, n): time, row, account, instrument or reason, side, price, quantity;
    `counts` int64 (7) the number of each kind. Returns 0, FULL, or the code of `post`.
    """
    counts[:] = 0
    orders, requests, reports, stats = borrow(orders), borrow(requests), borrow(reports), borrow(stats)
    accounts, slots, top, rates = borrow(accounts), borrow(slots), borrow(top), borrow(rates)
    windows, segments, trades, back = borrow(windows), borrow(segments), borrow(trades), borrow(back)
    stages, by_segment, by_minute = borrow(stages), borrow(by_segment), borrow(by_minute)
    n, n_report, law = borrow(numbers[BACK]), borrow(numbers[REPORT]), borrow(laws[NETWORK])
    done = serve(queue, report_heap, n_report, until, scratch)
    if done < 0:
        return FULL
    for k in range(done):
        time, sequence = scratch[k, 0], scratch[k, 1]
        code = post(orders, reports, sequence - stats[REPORT_BASE], accounts, slots, top, rates, trades, stats)
        if code == 0:
            code = send_back(seed, replication, orders, requests, reports, back, n, law, stats, sequence, time)
        if code < 0:
            return code
    while n[BUSY] > 0 and back[0, 0] < until:
        time, k = back[0, 0], back[0, 1] - stats[REPORT_BASE]
        heap_drop(back, n[BUSY])
        n[BUSY] -= 1
        r = reports[k]
        kind = np.int64(r.kind)
        r.kind = -1
        j = counts[kind]
        if j >= out.shape[2]:
            return FULL
        counts[kind] = j + 1
        out[kind, 0, j] = time
        out[kind, 1, j] = r.row
        if kind >= LOGGED_IN:
            q = requests[r.row]
            out[kind, 2, j] = q.account
            if kind == LOGGED_IN:
                minute = min(q.submitted // 60_000_000_000, login_by_minute.shape[0] - 1)
                histogram.record(login_by_minute, minute, time - q.submitted)
            else:
                stats[N_ANSWERED] += 1
            continue
        o = orders[r.row]
        out[kind, 2, j] = o.account
        out[kind, 3, j] = o.instrument if kind == FILL else r.reason
        out[kind, 4, j] = o.side
        out[kind, 5, j] = r.price
        out[kind, 6, j] = r.quantity
        if kind == REJECT and o.state == REJECTED:
            rejections[r.reason] += 1
        if kind in (ACK, FILL) and o.acknowledged == 0:
            o.acknowledged = time
            stats[N_ACKNOWLEDGED] += 1
            measure_acknowledged(orders, r.row, windows, segments, stages, by_segment, by_minute)
    front = stats[REPORT_FRONT]
    while front < stats[REPORT_COUNT] and reports[front].kind < 0:
        front += 1
    stats[REPORT_FRONT] = front
    return 0


@njit(cache=True)
def expire_open(orders, n_orders, accounts, slots, rates):
    """End of the day: orders that are still in the path or at the exchange end; what they hold is released."""
    n = 0
    for row in range(n_orders):
        o = orders[row]
        if o.state <= WORKING:
            if o.checked > 0:
                ledger.release_rest(
                    accounts,
                    slots,
                    rates,
                    np.int64(o.account),
                    np.int64(o.instrument),
                    np.int64(o.side),
                    np.int64(o.freeze_price),
                    np.int64(o.quantity),
                    np.int64(o.filled),
                    o.value,
                )
            o.state, o.reason, o.parked = EXPIRED, R_CLOSED, 0
            n += 1
    return n
