"""The way out: one call takes the messages of a tick through all stations to the exchange.

Stations and their exact discipline are in `twin.kernels.stations`; this file says who goes where.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.kernels.borrowing import borrow
from twin.kernels.order_checks import suitable, verify
from twin.kernels.order_codes import (
    ANSWERED,
    AUTHENTICATION,
    BACK,
    BLOCKED_UNSUITABLE,
    BUDGET_NS,
    CANCEL,
    CANCEL_REJECT,
    CHECKS,
    CORE,
    DIRECT,
    GATEWAY,
    I_EXCHANGE,
    IN_PATH,
    KIND_SHIFT,
    LAST_CLOSE,
    LATE_CHECKS,
    LATENCY_NS,
    LOGGED_IN,
    LOGIN,
    LOOKUP_SALT,
    NETWORK,
    NIL,
    ORDER,
    OVERDUE,
    PARKED,
    PASSED_UNCHECKED,
    PASSED_UNSUITABLE,
    QUERY,
    R_SUITABILITY,
    R_TIMEOUT,
    R_UNKNOWN,
    REFUSE_LATE,
    ROW_MASK,
    S_AUTHENTICATION,
    S_CHECK,
    S_CORE,
    S_NETWORK,
    SERVICE_NS,
    SSE,
    SUITABILITY,
    SZSE,
    TIMED_OUT,
    WIRE_SSE,
    WIRE_SZSE,
    WORKING,
)
from twin.kernels.order_reports import demand_at, refuse, tell
from twin.kernels.stations import (
    BUSY,
    FULL,
    LATE,
    STARTED,
    heap_drop,
    heap_push,
    merge,
    pace,
    put,
    serve,
    serve_within,
)


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
            need = demand_at(law_lookup, seed, replication, S_CHECK, orders, requests, item, LOOKUP_SALT)
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
            on_sse = instruments[o.instrument, I_EXCHANGE] == 0
            ok &= put(q_sse, n_sse, time, item, NIL) if on_sse else put(q_szse, n_szse, time, item, NIL)
            if o.parked:
                o.parked = 0
                stats[PARKED] -= 1
                item |= np.int64(CANCEL) << KIND_SHIFT
                ok &= put(q_sse, n_sse, time, item, NIL) if on_sse else put(q_szse, n_szse, time, item, NIL)
        elif kind == CANCEL and orders[row].state <= WORKING and orders[row].core > 0:
            on_sse = instruments[orders[row].instrument, I_EXCHANGE] == 0
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
