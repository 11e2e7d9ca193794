"""The order path, fused: one call takes the messages of a tick through all stations, one brings the answers back.

Stations and their exact discipline are in `twin.kernels.stations`; this file says who goes where. A message is an
item: kind << 56 | row, the row of an order (orders and cancels) or of a request (queries and logins); items break ties
of time, so an order goes before its cancel. Record arrays: `orders` (twin.routing.orders.ORDER), `requests` (account,
submitted), `reports` (row, time, price, quantity, kind, reason), `trades` (time, row, price, quantity). `instruments`
is int64 with the columns of `twin.contracts.Instruments`. Luck: entity = account, counter = a hash of the instant of
submission and of what was asked, so that the same order has the same service demand in every scenario.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.kernels import histogram
from twin.kernels import ledger as ledger
from twin.kernels.borrowing import borrow
from twin.kernels.stations import (
    BUSY,
    FULL,
    HEAD,
    LATE,
    NEVER,
    STARTED,
    TAIL,
    demand_of,
    heap_drop,
    heap_push,
    merge,
    next_open,
    pace,
    put,
    serve,
    serve_within,
)

NETWORK, GATEWAY, AUTHENTICATION, SUITABILITY, CHECKS, CORE, SSE, SZSE, REPORT, BACK = range(10)
"""Stations, rows of the numbers."""
OVERDUE, DIRECT, WIRE_SSE, WIRE_SZSE = range(10, 14)
"""Delay lines: orders whose lookup is late, messages that skip the checks, messages on the wire."""
N_STATIONS = 14
ORDER, CANCEL, QUERY, LOGIN = range(4)
KIND_SHIFT = 56
ROW_MASK = (1 << KIND_SHIFT) - 1

IN_PATH, WORKING, FILLED, CANCELLED, REFUSED, REJECTED, EXPIRED = range(7)
"""States of an order (twin.routing.orders.OrderState)."""
ACK, FILL, END, REJECT, CANCEL_REJECT, LOGGED_IN, ANSWERED = (np.int64(k) for k in range(7))
"""Kinds of reports; END covers cancelled and expired, REJECT also the broker's refusals."""
(
    PARKED,
    LATE_CHECKS,
    PASSED_UNCHECKED,
    PASSED_UNSUITABLE,
    BLOCKED_UNSUITABLE,
    TIMED_OUT,
    REPORT_BASE,
    REPORT_FRONT,
    REPORT_COUNT,
    TRADE_COUNT,
    N_ACKNOWLEDGED,
    N_ANSWERED,
) = range(12)
"""Counters of the path: cancels that wait for their order; suitability answers after the budget; orders passed
without an answer; unsuitable ones among them; unsuitable ones stopped; lookups over budget; sequence of the first
report kept, first one undelivered, reports kept; trades; orders acknowledged; queries answered."""
N_STATS = 12
SERVICE_NS, BUDGET_NS, REFUSE_LATE, LATENCY_NS, LAST_CLOSE = range(5)
"""Settings (int64)."""
S_AUTHENTICATION, S_CHECK, S_CORE, S_NETWORK = (np.int64(k) for k in (41, 42, 43, 46))
"""Random streams (twin.randomness.Stream)."""
R_CASH, R_HOLDINGS, R_PRICE, R_LOT, R_SUITABILITY, R_CLOSED, R_NO_CANCEL, R_UNKNOWN, R_TIMEOUT = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
)
"""Reasons (twin.contracts.Reason)."""
NIL = np.int64(0)
"""A zero that is typed: a plain constant in a call makes Numba compile the callee once more for it."""
_LOOKUP, _WAY_BACK = np.int64(0x5BD1E995), np.int64(0x27D4EB2F)
_EXCHANGE, _BOARD, _LIMIT_DOWN, _LIMIT_UP, _LOT, _RISK = 0, 1, 3, 4, 5, 6
_CHINEXT, _STAR = 1, 2
H_GATEWAY, H_CHECKS, H_CORE, H_GATE_OUT, H_EXCHANGE, H_REPORT, H_TOTAL = (np.int64(k) for k in range(7))
"""Rows of the histogram of stages."""


@njit(cache=True)
def luck(time, what):
    """A 32-bit hash (int64) of an instant and of what was asked."""
    x = np.uint64(time) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(what) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
    return np.int64(x >> np.uint64(32))


@njit(cache=True)
def luck_of(orders, requests, item):
    """Entity and counter of the random draws of an item."""
    kind, row = item >> KIND_SHIFT, item & ROW_MASK
    if kind <= CANCEL:
        o = orders[row]
        what = np.int64(o.instrument) * 16 + kind * 2 + (1 if o.side > 0 else 0)
        return np.int64(o.account), luck(o.submitted, what)
    r = requests[row]
    return np.int64(r.account), luck(r.submitted, kind * 2)


@njit(cache=True)
def demand_at(law, seed, replication, stream, orders, requests, item, salt):
    """Service demand of an item at a station."""
    entity, counter = luck_of(orders, requests, item)
    return demand_of(law, seed, replication, stream, entity, counter ^ salt)


@njit(cache=True)
def write_orders(orders, first, time, row, account, instrument, side, kind, price, quantity):
    """Write new orders into their rows: `row`[i], or first + i where that is negative."""
    for i in range(time.shape[0]):
        o = orders[row[i] if row[i] >= 0 else first + i]
        o.account, o.instrument, o.side, o.kind = account[i], instrument[i], side[i], kind[i]
        o.price, o.quantity, o.filled, o.freeze_price, o.value = price[i], quantity[i], 0, price[i], 0
        o.state, o.reason, o.reports, o.parked = IN_PATH, 0, 0, 0
        o.submitted = time[i]
        o.gateway = o.checked = o.core = o.sent = o.accepted = o.acknowledged = o.done = 0


@njit(cache=True)
def enter(seed, replication, orders, requests, heap, numbers, laws, kind, times, rows, accounts):
    """Send messages of one kind on their way to the broker (any order of time); requests are written into `rows`."""
    orders, requests, heap = borrow(orders), borrow(requests), borrow(heap)
    n, law = borrow(numbers[NETWORK]), borrow(laws[NETWORK])
    for i in range(times.shape[0]):
        item = (np.int64(kind) << KIND_SHIFT) | rows[i]
        if kind >= QUERY:
            requests[rows[i]].account = accounts[i]
            requests[rows[i]].submitted = times[i]
        if n[BUSY] >= heap.shape[0]:
            return FULL
        delay = demand_at(law, seed, replication, S_NETWORK, orders, requests, item, NIL)
        heap_push(heap, n[BUSY], times[i] + delay, item)
        n[BUSY] += 1
        n[STARTED] += 1
    return 0


@njit(cache=True)
def report(reports, stats, kind, row, time, price, quantity, reason):
    """Write a report; returns its sequence number, or FULL."""
    k = stats[REPORT_COUNT]
    if k >= reports.shape[0]:
        return np.int64(FULL)
    r = reports[k]
    r.kind, r.row, r.time, r.price, r.quantity, r.reason = kind, row, time, price, quantity, reason
    stats[REPORT_COUNT] = k + 1
    return stats[REPORT_BASE] + k


@njit(cache=True)
def send_back(seed, replication, orders, requests, reports, heap, n, law, stats, sequence, time):
    """Put a report on the network to the client. Reports of an order arrive in order, as on one connection."""
    r = reports[sequence - stats[REPORT_BASE]]
    if n[BUSY] >= heap.shape[0]:
        return FULL
    if r.kind >= LOGGED_IN:
        item = (np.int64(LOGIN if r.kind == LOGGED_IN else QUERY) << KIND_SHIFT) | r.row
        arrival = time + demand_at(law, seed, replication, S_NETWORK, orders, requests, item, _WAY_BACK)
    else:
        o = orders[r.row]
        salt = _WAY_BACK + np.int64(o.reports)
        arrival = time + demand_at(law, seed, replication, S_NETWORK, orders, requests, r.row, salt)
        o.reports += 1
        if r.kind != CANCEL_REJECT:
            arrival = max(arrival, o.done)
            o.done = arrival
    heap_push(heap, n[BUSY], arrival, sequence)
    n[BUSY] += 1
    n[STARTED] += 1
    return 0


@njit(cache=True)
def tell(seed, replication, orders, requests, reports, heap, n, law, stats, kind, row, time, quantity, reason):
    """Write a report of the broker's own and send it straight back; 0 or FULL."""
    sequence = report(reports, stats, kind, row, time, NIL, quantity, reason)
    if sequence < 0:
        return FULL
    return send_back(seed, replication, orders, requests, reports, heap, n, law, stats, sequence, time)


@njit(cache=True)
def legal_quantity(board, lot, kind, side, quantity, sellable):
    """Whether a quantity may be ordered (M38 to M40): lots, odd rests sold in one order, most shares per order."""
    most = 1_000_000
    if board == _STAR:
        most = 100_000 if kind == 0 else 50_000
    elif board == _CHINEXT:
        most = 300_000 if kind == 0 else 150_000
    if quantity <= 0 or quantity > most:
        return False
    if board == _STAR:
        return quantity >= lot or (side < 0 and quantity == sellable)
    return quantity % lot == 0 or (side < 0 and quantity % lot == sellable % lot)


@njit(cache=True)
def verify(orders, row, instruments, accounts, slots, rates, time, last_close):
    """Pre-trade checks of an order in the broker's books at an instant; holds cash or shares. Returns a reason or 0."""
    o = orders[row]
    account, instrument = np.int64(o.account), np.int64(o.instrument)
    i = instruments[instrument]
    if time >= last_close:
        return R_CLOSED
    if o.kind == 1:
        o.freeze_price = i[_LIMIT_UP] if o.side > 0 else i[_LIMIT_DOWN]
    elif o.price <= 0 or (i[_LIMIT_UP] > 0 and (o.price < i[_LIMIT_DOWN] or o.price > i[_LIMIT_UP])):
        return R_PRICE
    sellable = ledger.sellable_of(accounts, slots, account, instrument) if o.side < 0 else np.int64(0)
    quantity = np.int64(o.quantity)
    if not legal_quantity(i[_BOARD], i[_LOT], o.kind, o.side, quantity, sellable):
        return R_LOT
    if o.side > 0:
        held = ledger.cash_held(rates, np.int64(o.freeze_price), quantity, NIL, NIL)
        if not ledger.freeze_cash(accounts, account, held):
            return R_CASH
    elif not ledger.freeze_shares(accounts, slots, account, instrument, quantity):
        return R_HOLDINGS
    return NIL


@njit(cache=True)
def suitable(orders, row, instruments, permissions, risk):
    """Whether the client has the board's permission and a risk class not below the instrument's risk level."""
    o = orders[row]
    i = instruments[o.instrument]
    return ((permissions[o.account] >> i[_BOARD]) & 1) == 1 and risk[o.account] >= i[_RISK]


@njit(cache=True)
def refuse(seed, replication, orders, requests, reports, heap, n, law, stats, refusals, row, reason, time):
    """The broker refuses an order, and a cancel that waits for it; both answers go straight back. 0 or FULL."""
    o = orders[row]
    o.state, o.reason = REFUSED, reason
    refusals[reason] += 1
    quantity = np.int64(o.quantity)
    code = tell(seed, replication, orders, requests, reports, heap, n, law, stats, REJECT, row, time, quantity, reason)
    if code == 0 and o.parked:
        o.parked = 0
        stats[PARKED] -= 1
        code = tell(
            seed,
            replication,
            orders,
            requests,
            reports,
            heap,
            n,
            law,
            stats,
            CANCEL_REJECT,
            row,
            time,
            NIL,
            R_UNKNOWN,
        )
    return code


@njit(cache=True)
def forward(
    until,
    seed,
    replication,
    orders,
    requests,
    reports,
    instruments,
    permissions,
    risk,
    accounts,
    slots,
    rates,
    queues,
    heaps,
    numbers,
    laws,
    settings,
    always,
    windows,
    scratch,
    stats,
    refusals,
    out,
):
    """Advance everything on the way to the exchange to `until`.

    `queues` and `heaps` are tuples of int64 arrays by station; `scratch` three int64 arrays of two columns; `out`
    int64 (7, n), the columns of `Messages`. Returns the number of messages that reach the exchange, or FULL.
    """
    orders, requests, reports, stats = borrow(orders), borrow(requests), borrow(reports), borrow(stats)
    instruments, permissions, risk, refusals = borrow(instruments), borrow(permissions), borrow(risk), borrow(refusals)
    accounts, slots, rates, windows = borrow(accounts), borrow(slots), borrow(rates), borrow(windows)
    a, b, c = borrow(scratch[0]), borrow(scratch[1]), borrow(scratch[2])
    back, n_back, law_back = borrow(heaps[BACK]), borrow(numbers[BACK]), borrow(laws[NETWORK])
    h_network, n_network = borrow(heaps[NETWORK]), borrow(numbers[NETWORK])
    q_gateway, n_gateway = borrow(queues[GATEWAY]), borrow(numbers[GATEWAY])
    q_login, n_login, law_login = (
        borrow(queues[AUTHENTICATION]),
        borrow(numbers[AUTHENTICATION]),
        borrow(laws[AUTHENTICATION]),
    )
    q_lookup, n_lookup, law_lookup = (
        borrow(queues[SUITABILITY]),
        borrow(numbers[SUITABILITY]),
        borrow(laws[SUITABILITY]),
    )
    q_check, n_check, law_check = borrow(queues[CHECKS]), borrow(numbers[CHECKS]), borrow(laws[CHECKS])
    q_core, n_core, law_core = borrow(queues[CORE]), borrow(numbers[CORE]), borrow(laws[CORE])
    q_direct, n_direct = borrow(queues[DIRECT]), borrow(numbers[DIRECT])
    q_sse, n_sse, q_szse, n_szse = (
        borrow(queues[SSE]),
        borrow(numbers[SSE]),
        borrow(queues[SZSE]),
        borrow(numbers[SZSE]),
    )
    w_sse, m_sse, w_szse, m_szse = (
        borrow(queues[WIRE_SSE]),
        borrow(numbers[WIRE_SSE]),
        borrow(queues[WIRE_SZSE]),
        borrow(numbers[WIRE_SZSE]),
    )
    ok = True

    while n_network[BUSY] > 0 and h_network[0, 0] < until:
        ok &= put(q_gateway, n_gateway, h_network[0, 0], h_network[0, 1], NIL)
        heap_drop(h_network, n_network[BUSY])
        n_network[BUSY] -= 1

    passed = pace(q_gateway, n_gateway, always, until, a)
    for k in range(passed):
        time, item = a[k, 0] + settings[SERVICE_NS], a[k, 1]
        kind = item >> KIND_SHIFT
        if kind == ORDER:
            orders[item].gateway = time
            need = demand_at(law_lookup, seed, replication, S_CHECK, orders, requests, item, _LOOKUP)
            ok &= put(q_lookup, n_lookup, time, item, need)
        elif kind == LOGIN:
            need = demand_at(law_login, seed, replication, S_AUTHENTICATION, orders, requests, item, NIL)
            ok &= put(q_login, n_login, time, item, need)
        else:
            ok &= put(q_direct, n_direct, time, item, NIL)

    done = serve(q_login, heaps[AUTHENTICATION], n_login, until, b)
    if passed < 0 or done < 0 or not ok:
        return FULL
    for k in range(done):
        time, row = b[k, 0], b[k, 1] & ROW_MASK
        code = tell(
            seed,
            replication,
            orders,
            requests,
            reports,
            back,
            n_back,
            law_back,
            stats,
            LOGGED_IN,
            row,
            time,
            NIL,
            NIL,
        )
        if code < 0:
            return FULL

    answered, late = serve_within(
        q_lookup,
        heaps[SUITABILITY],
        n_lookup,
        queues[OVERDUE],
        numbers[OVERDUE],
        settings[BUDGET_NS],
        until,
        a,
        b,
        c,
    )
    if answered < 0:
        return FULL
    for k in range(late):
        stats[LATE_CHECKS] += 1
        if not settings[REFUSE_LATE] and not suitable(orders, c[k, 1], instruments, permissions, risk):
            stats[PASSED_UNSUITABLE] += 1
    for k in range(answered):
        time, row = b[k, 0], b[k, 1] & ~LATE
        reason = NIL
        if b[k, 1] & LATE:
            stats[TIMED_OUT] += 1
            if settings[REFUSE_LATE]:
                reason = R_TIMEOUT
            else:
                stats[PASSED_UNCHECKED] += 1
        elif not suitable(orders, row, instruments, permissions, risk):
            stats[BLOCKED_UNSUITABLE] += 1
            reason = R_SUITABILITY
        if reason != 0:
            orders[row].checked = time
            code = refuse(
                seed, replication, orders, requests, reports, back, n_back, law_back, stats, refusals, row, reason, time
            )
            if code < 0:
                return FULL
        else:
            need = demand_at(law_check, seed, replication, S_CHECK, orders, requests, row, NIL)
            ok &= put(q_check, n_check, time, row, need)

    done = serve(q_check, heaps[CHECKS], n_check, until, a)
    good = 0
    for k in range(done):
        time, row = a[k, 0], a[k, 1]
        orders[row].checked = time
        reason = verify(orders, row, instruments, accounts, slots, rates, time, settings[LAST_CLOSE])
        if reason != 0:
            code = refuse(
                seed, replication, orders, requests, reports, back, n_back, law_back, stats, refusals, row, reason, time
            )
            if code < 0:
                return FULL
        else:
            a[good, 0] = time
            a[good, 1] = row
            good += 1
    n_merged = merge(a, good, q_direct, n_direct, until, NIL, b)
    if done < 0 or n_merged < 0 or not ok:
        return FULL
    for k in range(n_merged):
        need = demand_at(law_core, seed, replication, S_CORE, orders, requests, b[k, 1], NIL)
        ok &= put(q_core, n_core, b[k, 0], b[k, 1], need)

    done = serve(q_core, heaps[CORE], n_core, until, a)
    if done < 0:
        return FULL
    for k in range(done):
        time, item = a[k, 0], a[k, 1]
        kind, row = item >> KIND_SHIFT, item & ROW_MASK
        if kind == ORDER:
            o = orders[row]
            o.core = time
            on_sse = instruments[o.instrument, _EXCHANGE] == 0
            ok &= put(q_sse, n_sse, time, item, NIL) if on_sse else put(q_szse, n_szse, time, item, NIL)
            if o.parked:
                o.parked = 0
                stats[PARKED] -= 1
                item |= np.int64(CANCEL) << KIND_SHIFT
                ok &= put(q_sse, n_sse, time, item, NIL) if on_sse else put(q_szse, n_szse, time, item, NIL)
        elif kind == CANCEL and orders[row].state <= WORKING and orders[row].core > 0:
            on_sse = instruments[orders[row].instrument, _EXCHANGE] == 0
            ok &= put(q_sse, n_sse, time, item, NIL) if on_sse else put(q_szse, n_szse, time, item, NIL)
        elif kind == CANCEL and orders[row].state == IN_PATH and not orders[row].parked:
            # Its order has not left the counter: the cancel waits there and follows it.
            orders[row].parked = 1
            stats[PARKED] += 1
        else:
            # A second cancel of an order in the path, a cancel of an order that has ended, or a query.
            what, reason = (CANCEL_REJECT, R_UNKNOWN) if kind == CANCEL else (ANSWERED, NIL)
            code = tell(
                seed,
                replication,
                orders,
                requests,
                reports,
                back,
                n_back,
                law_back,
                stats,
                what,
                row,
                time,
                NIL,
                reason,
            )
            if code < 0:
                return FULL

    for exchange in range(2):
        q, n, wire, m = (q_sse, n_sse, w_sse, m_sse) if exchange == 0 else (q_szse, n_szse, w_szse, m_szse)
        passed = pace(q, n, windows, until, a)
        if passed < 0:
            return FULL
        for k in range(passed):
            if a[k, 1] >> KIND_SHIFT == ORDER:
                orders[a[k, 1]].sent = a[k, 0]
            ok &= put(wire, m, a[k, 0] + settings[LATENCY_NS], a[k, 1], NIL)
    n_first = merge(a, NIL, w_sse, m_sse, until, NIL, b)
    if n_first < 0:
        return FULL
    n_out = merge(b, n_first, w_szse, m_szse, until, NIL, a)
    if n_out < 0 or n_out > out.shape[1] or not ok:
        return FULL
    for k in range(n_out):
        row = a[k, 1] & ROW_MASK
        o = orders[row]
        out[0, k] = a[k, 0]
        out[1, k] = 2 if a[k, 1] >> KIND_SHIFT == CANCEL else np.int64(o.kind)
        out[2, k] = o.instrument
        out[3, k] = o.side
        out[4, k] = 0 if o.kind == 1 else o.price
        out[5, k] = o.quantity
        out[6, k] = row
    return n_out


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
