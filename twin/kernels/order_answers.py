"""The way back: the exchange's answers are queued, booked, and told to the clients, in one call per tick."""

from __future__ import annotations

import numpy as np

from twin.kernels import histogram, ledger, njit
from twin.kernels.borrowing import borrow, prefetch
from twin.kernels.order_codes import (
    ACK,
    BACK,
    CANCEL_REJECT,
    CANCELLED,
    END,
    EXPIRED,
    FILL,
    FILLED,
    GROW,
    IN_PATH,
    LOGGED_IN,
    MORE,
    N_ACKNOWLEDGED,
    N_REPLY,
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
    TOLD_FROM,
    TRADE_COUNT,
    WORKING,
)
from twin.kernels.order_reports import BACK_PART, part, send
from twin.kernels.sorting import sort_by_time
from twin.kernels.stations import DONE, HEAD, HEAP_FULL, TAIL, compact, demand_of, put, room, serve

CONTRADICTION, NO_SLOT, LOG_FULL = np.int64(-2), np.int64(-3), np.int64(-4)
"""Codes of a call that cannot go on: a report contradicts the books; the ledger, or the log of trades, is full."""
EXPIRE = 4
"""Last kind of tape row (twin.contracts.TapeKind) that concerns the broker: it sends no amendments, and halts are told
by the market data."""
_FAR, _NEAR, _NEXT = 18, 12, 6
"""How many reports ahead the order, the account and the position slots are fetched."""


@njit(cache=True)
def take_tape(n_orders, reports, queue, numbers, stats, demand, time, kind, price, quantity, order, counter):
    """Turn the exchange's answers to the broker's orders into reports at the report station, which must have room."""
    reports, queue, stats, n = borrow(reports), borrow(queue), borrow(stats), borrow(numbers[REPORT])
    compact(queue, n)
    latest = queue[n[TAIL] - 1, 0] if n[TAIL] > n[HEAD] else NIL
    for i in range(time.shape[0]):
        for side in range(2):
            row = order[i] if side == 0 else counter[i]
            if row < 0 or row >= n_orders or (side == 1 and kind[i] != 1) or kind[i] > EXPIRE:
                continue
            reason = NIL
            if kind[i] == 0:
                what = ACK
            elif kind[i] == 1:
                what = FILL
            elif kind[i] == 3:
                reason = -1 - counter[i]
                refused_cancel = quantity[i] == 0 or reason in (R_NO_CANCEL, R_UNKNOWN)
                what = CANCEL_REJECT if refused_cancel else REJECT
            else:
                what = END
                # An expiry is marked by the reason, as the books tell it from a cancel.
                reason = np.int64(R_CLOSED) if kind[i] == 4 else NIL
            k = stats[REPORT_COUNT]
            r = reports[k]
            r.kind, r.row, r.time, r.price, r.quantity, r.reason = what, row, time[i], price[i], quantity[i], reason
            stats[REPORT_COUNT] = k + 1
            latest = max(latest, time[i])
            put(queue, n, latest, stats[REPORT_BASE] + k, demand)


@njit(cache=True)
def post(r, orders, accounts, slots, top, rates, trades, stats, rejections):
    """Book one report: state of the order, cash, shares, log of trades (if there is one). 0 or the code of an error."""
    o = orders[r.row]
    account, instrument, side = np.int64(o.account), np.int64(o.instrument), np.int64(o.side)
    freeze, quantity, filled = np.int64(o.freeze_price), np.int64(o.quantity), np.int64(o.filled)
    if r.kind == ACK:
        o.accepted = r.time
        if o.state == IN_PATH:
            o.state = WORKING
    elif r.kind == FILL:
        price, shares = np.int64(r.price), np.int64(r.quantity)
        if o.state > WORKING or filled + shares > quantity:
            return CONTRADICTION
        if not ledger.post_fill(
            accounts,
            slots,
            top,
            rates[instrument],
            account,
            instrument,
            side,
            freeze,
            quantity,
            filled,
            o.value,
            price,
            shares,
        ):
            return NO_SLOT
        if o.accepted == 0:
            o.accepted = r.time
        o.filled += shares
        o.value += price * shares
        o.state = FILLED if o.filled == quantity else WORKING
        t = stats[TRADE_COUNT]
        stats[TRADE_COUNT] = t + 1
        if trades.shape[0] > 0:
            if t >= trades.shape[0]:
                return LOG_FULL
            w = trades[t]
            w.time, w.row, w.price, w.quantity = r.time, r.row, price, shares
    elif r.kind in (END, REJECT):
        if o.state > WORKING:
            return CONTRADICTION
        ledger.release_rest(
            accounts, slots, rates[instrument], account, instrument, side, freeze, quantity, filled, o.value
        )
        o.reason = r.reason
        if r.kind == REJECT:
            o.state = REJECTED
            rejections[r.reason] += 1
        else:
            o.state = EXPIRED if r.reason == R_CLOSED else CANCELLED
    return NIL


@njit(cache=True)
def answer(r, orders, time, back, n, law, settings, stats):
    """Note when the client is told of a booked report, and put it on the network if he listens (there must be room)."""
    o = orders[r.row]
    arrival = time + demand_of(law, part(o.luck, BACK_PART))
    if r.kind != CANCEL_REJECT:
        o.done = arrival
        if r.kind <= FILL and o.acknowledged == 0:
            o.acknowledged = arrival
            stats[N_ACKNOWLEDGED] += 1
    if r.kind == REJECT or o.account >= settings[TOLD_FROM]:
        kind = np.int64(r.kind)
        detail = np.int64(o.instrument) if kind == FILL else np.int64(r.reason)
        account, side, price = np.int64(o.account), np.int64(o.side), np.int64(r.price)
        send(back, n, arrival, kind, np.int64(r.row), account, detail, side, price, np.int64(r.quantity))


@njit(cache=True)
def backward(
    until,
    orders,
    reports,
    accounts,
    slots,
    top,
    rates,
    queue,
    report_heap,
    back,
    numbers,
    laws,
    settings,
    scratch,
    stats,
    trades,
    rejections,
):
    """Book the answers of the exchange that the report station handles before `until`.

    Returns 0, GROW + station, or the code of an error. Departures are in the order of the reports, as the service time
    of the station is constant.
    """
    orders, reports, stats, settings = borrow(orders), borrow(reports), borrow(stats), borrow(settings)
    accounts, slots, top, rates = borrow(accounts), borrow(slots), borrow(top), borrow(rates)
    back, trades, a, rejections = borrow(back), borrow(trades), borrow(scratch), borrow(rejections)
    n, law = borrow(numbers[BACK]), borrow(laws[NETWORK])
    queue, report_heap, n_report = borrow(queue), borrow(report_heap), borrow(numbers[REPORT])
    base = stats[REPORT_BASE]
    state = MORE
    while state != DONE:
        done, state = serve(queue, report_heap, n_report, until, a, min(room(back, n), np.int64(a.shape[0])))
        for k in range(done):
            if k + _FAR < done:
                prefetch(orders, np.int64(reports[a[k + _FAR, 1] - base].row))
            if k + _NEAR < done:
                r = reports[a[k + _NEAR, 1] - base]
                if r.kind != ACK:
                    prefetch(accounts, np.int64(orders[r.row].account))
            if k + _NEXT < done:
                r = reports[a[k + _NEXT, 1] - base]
                if r.kind != ACK:
                    prefetch(slots, max(accounts[orders[r.row].account].slot_start, np.int64(0)))
            r = reports[a[k, 1] - base]
            code = post(r, orders, accounts, slots, top, rates, trades, stats, rejections)
            if code < 0:
                return code
            answer(r, orders, a[k, 0], back, n, law, settings, stats)
        if state == HEAP_FULL:
            return GROW + REPORT
        if state != DONE and room(back, n) == 0:
            return GROW + BACK
    return NIL


@njit(cache=True)
def arrive(until, back, numbers, login_by_minute, a, b, digits, out):
    """Replies that reach the clients before `until`, in order of time, as rows of `out`; returns their number.

    Args:
        until: instant.
        back: int64 [.., N_REPLY], replies on the network. numbers: of the stations.
        login_by_minute: histograms of how long log-ins took.
        a, b, out: room for every reply on the network. digits: scratch of the sort.
    """
    back, n = borrow(back), borrow(numbers[BACK])
    due = np.int64(0)
    for k in range(n[TAIL]):
        if back[k, 0] < until:
            a[due, 0] = back[k, 0]
            a[due, 1] = k
            due += 1
    if due == 0:
        return due
    sort_by_time(a, b, due, digits)
    for i in range(due):
        k = a[i, 1]
        for j in range(N_REPLY):
            out[i, j] = back[k, j]
        if out[i, 1] == LOGGED_IN:
            minute = min(out[i, 4] // 60_000_000_000, login_by_minute.shape[0] - 1)
            histogram.record(login_by_minute, minute, out[i, 0] - out[i, 4])
    kept = np.int64(0)
    for k in range(n[TAIL]):
        if back[k, 0] >= until:
            for j in range(N_REPLY):
                back[kept, j] = back[k, j]
            kept += 1
    n[TAIL] = kept
    return due


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
                    rates[o.instrument],
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
