"""The way out: one call takes the messages of a tick through all stations to the exchange.

Stations and their exact discipline are in `twin.kernels.stations`; this file says who goes where. A call that finds no
room somewhere says where, and goes on from there when it is repeated: a stage starts only when the one before it has
finished, so scratch need not grow with what waits.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import njit, philox
from twin.kernels.borrowing import borrow, prefetch
from twin.kernels.order_checks import suitable, verify
from twin.kernels.order_codes import (
    AUTHENTICATION,
    BACK,
    BLOCKED_UNSUITABLE,
    BSE,
    BUDGET_NS,
    CANCEL,
    CANCEL_REJECT,
    CHECKED,
    CHECKS,
    CORE,
    DIRECT,
    GATEWAY,
    GROW,
    I_EXCHANGE,
    KIND_SHIFT,
    LAST_CLOSE,
    LATE_CHECKS,
    LATENCY_NS,
    LOGGED_IN,
    LOGIN,
    MORE,
    N_ANSWERED,
    N_STATIONS,
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
    ROW_SHIFT,
    SERVICE_NS,
    SSE,
    SUITABILITY,
    SZSE,
    TIMED_OUT,
    TIMELY,
    WIRE_BSE,
    WIRE_NORTH,
    WIRE_SSE,
    WIRE_SZSE,
    WORKING,
)
from twin.kernels.order_entry import land
from twin.kernels.order_reports import CHECK_PART, CORE_PART, part, part_of_item, refuse, send, tell
from twin.kernels.stations import (
    DONE,
    FIRST_FULL,
    HEAP_FULL,
    LATE,
    SECOND_FULL,
    TAIL,
    compact,
    demand_of,
    merge,
    pace,
    put,
    room,
    serve,
    serve_within,
)

_SHIFT = np.int64(ROW_SHIFT)
_AHEAD = 12
"""How many rows ahead memory is fetched."""


@njit(cache=True)
def forward(
    until,
    orders,
    requests,
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
    digits,
    stats,
    refusals,
    out,
):
    """Advance everything on the way to the exchange to `until`.

    `queues` and `heaps` are tuples of int64 arrays by station, that of BACK with replies as rows; `scratch` two int64
    arrays of two columns, each with room for all that is on the network; `digits` int64 [N_COUNTS]; `out` int64
    (7, n), the columns of `Messages`. Returns 0, MORE or GROW + station, and the number of messages written.
    """
    orders, requests, stats, settings = borrow(orders), borrow(requests), borrow(stats), borrow(settings)
    instruments, permissions, risk, refusals = borrow(instruments), borrow(permissions), borrow(risk), borrow(refusals)
    accounts, slots, rates, windows = borrow(accounts), borrow(slots), borrow(rates), borrow(windows)
    always, digits, out = borrow(always), borrow(digits), borrow(out)
    a, b = borrow(scratch[0]), borrow(scratch[1])
    back, n_back, law_back = borrow(queues[BACK]), borrow(numbers[BACK]), borrow(laws[NETWORK])
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
    q_timely, n_timely = borrow(queues[TIMELY]), borrow(numbers[TIMELY])
    q_overdue, n_overdue = borrow(queues[OVERDUE]), borrow(numbers[OVERDUE])
    q_check, n_check, law_check = borrow(queues[CHECKS]), borrow(numbers[CHECKS]), borrow(laws[CHECKS])
    q_checked, n_checked = borrow(queues[CHECKED]), borrow(numbers[CHECKED])
    q_core, n_core, law_core = borrow(queues[CORE]), borrow(numbers[CORE]), borrow(laws[CORE])
    q_direct, n_direct = borrow(queues[DIRECT]), borrow(numbers[DIRECT])
    q_sse, n_sse, w_sse, m_sse = (
        borrow(queues[SSE]),
        borrow(numbers[SSE]),
        borrow(queues[WIRE_SSE]),
        borrow(numbers[WIRE_SSE]),
    )
    q_szse, n_szse, w_szse, m_szse = (
        borrow(queues[SZSE]),
        borrow(numbers[SZSE]),
        borrow(queues[WIRE_SZSE]),
        borrow(numbers[WIRE_SZSE]),
    )
    q_bse, n_bse, w_bse, m_bse = (
        borrow(queues[BSE]),
        borrow(numbers[BSE]),
        borrow(queues[WIRE_BSE]),
        borrow(numbers[WIRE_BSE]),
    )
    w_north, m_north = borrow(queues[WIRE_NORTH]), borrow(numbers[WIRE_NORTH])
    chunk = np.int64(a.shape[0])
    for k in range(N_STATIONS):
        if k != NETWORK and k != BACK:
            compact(borrow(queues[k]), borrow(numbers[k]))

    flight, n_flight = borrow(queues[NETWORK]), borrow(numbers[NETWORK])
    if n_flight[TAIL] > 0:
        if room(q_gateway, n_gateway) < n_flight[TAIL]:
            return GROW + GATEWAY, NIL
        land(flight, n_flight, until, q_gateway, n_gateway, a, b, digits)

    state = MORE
    while state != DONE:
        space = min(room(q_lookup, n_lookup), room(q_login, n_login), room(q_direct, n_direct), chunk)
        passed, state = pace(q_gateway, n_gateway, always, until, a, space)
        for k in range(passed):
            time, item = a[k, 0] + settings[SERVICE_NS], a[k, 1]
            kind = item >> KIND_SHIFT
            if kind == ORDER:
                o = orders[(item >> _SHIFT) & ROW_MASK]
                o.gateway = time
                # Looked at in this tick still: fetch it now.
                prefetch(permissions, np.int64(o.account))
                prefetch(risk, np.int64(o.account))
                put(q_lookup, n_lookup, time, item, demand_of(law_lookup, part_of_item(item)))
            elif kind == LOGIN:
                put(q_login, n_login, time, item, demand_of(law_login, part_of_item(item)))
            else:
                put(q_direct, n_direct, time, item, NIL)
        if state != DONE and space < chunk:
            if room(q_lookup, n_lookup) == 0:
                return GROW + SUITABILITY, NIL
            if room(q_login, n_login) == 0:
                return GROW + AUTHENTICATION, NIL
            if room(q_direct, n_direct) == 0:
                return GROW + DIRECT, NIL

    state = MORE
    while state != DONE:
        space = min(room(back, n_back), chunk)
        done, state = serve(q_login, heaps[AUTHENTICATION], n_login, until, a, space)
        for k in range(done):
            row = (a[k, 1] >> _SHIFT) & ROW_MASK
            r = requests[row]
            arrival = a[k, 0] + demand_of(law_back, philox.unit32(r.luck))
            send(back, n_back, arrival, LOGGED_IN, row, np.int64(r.account), np.int64(r.submitted), NIL, NIL, NIL)
        if state == HEAP_FULL:
            return GROW + AUTHENTICATION, NIL
        if state != DONE and room(back, n_back) == 0:
            return GROW + BACK, NIL

    state = MORE
    while state != DONE:
        late, state = serve_within(
            q_lookup,
            heaps[SUITABILITY],
            n_lookup,
            q_overdue,
            n_overdue,
            settings[BUDGET_NS],
            until,
            q_timely,
            n_timely,
            a,
            chunk,
        )
        for k in range(late):
            stats[LATE_CHECKS] += 1
            row = (a[k, 1] >> _SHIFT) & ROW_MASK
            if not settings[REFUSE_LATE] and not suitable(orders, row, instruments, permissions, risk):
                stats[PASSED_UNSUITABLE] += 1
        if state == HEAP_FULL:
            return GROW + SUITABILITY, NIL
        if state == FIRST_FULL:
            return GROW + TIMELY, NIL
        if state == SECOND_FULL:
            return GROW + OVERDUE, NIL

    while True:
        space = min(room(q_check, n_check), room(back, n_back) // 2, chunk)
        answered = merge(q_timely, n_timely, q_overdue, n_overdue, until, LATE, a, space)
        for k in range(answered):
            time, row = a[k, 0], (a[k, 1] >> _SHIFT) & ROW_MASK
            o = orders[row]
            reason = NIL
            if a[k, 1] & LATE:
                stats[TIMED_OUT] += 1
                if settings[REFUSE_LATE]:
                    reason = np.int64(R_TIMEOUT)
                else:
                    stats[PASSED_UNCHECKED] += 1
            elif not suitable(orders, row, instruments, permissions, risk):
                stats[BLOCKED_UNSUITABLE] += 1
                reason = np.int64(R_SUITABILITY)
            if reason != 0:
                o.checked = time
                refuse(orders, back, n_back, law_back, settings, stats, refusals, row, reason, time)
            else:
                prefetch(accounts, np.int64(o.account))
                put(q_check, n_check, time, a[k, 1] & ~LATE, demand_of(law_check, part(o.luck, CHECK_PART)))
        if answered < space:
            break
        if room(q_check, n_check) == 0:
            return GROW + CHECKS, NIL
        if room(back, n_back) < 2:
            return GROW + BACK, NIL

    state = MORE
    while state != DONE:
        space = min(room(q_checked, n_checked), room(back, n_back) // 2, chunk)
        done, state = serve(q_check, heaps[CHECKS], n_check, until, a, space)
        for k in range(done):
            if k + _AHEAD < done:
                o = orders[(a[k + _AHEAD, 1] >> _SHIFT) & ROW_MASK]
                start = accounts[o.account].slot_start
                if o.side < 0 and start >= 0:
                    prefetch(slots, start)
            time, row = a[k, 0], (a[k, 1] >> _SHIFT) & ROW_MASK
            orders[row].checked = time
            reason = np.int64(verify(orders, row, instruments, accounts, slots, rates, time, settings[LAST_CLOSE]))
            if reason != 0:
                refuse(orders, back, n_back, law_back, settings, stats, refusals, row, reason, time)
            else:
                put(q_checked, n_checked, time, a[k, 1], NIL)
        if state == HEAP_FULL:
            return GROW + CHECKS, NIL
        if state != DONE and room(q_checked, n_checked) == 0:
            return GROW + CHECKED, NIL
        if state != DONE and room(back, n_back) < 2:
            return GROW + BACK, NIL

    while True:
        space = min(room(q_core, n_core), chunk)
        merged = merge(q_checked, n_checked, q_direct, n_direct, until, NIL, a, space)
        for k in range(merged):
            item = a[k, 1]
            if item >> KIND_SHIFT == ORDER:
                u = part(orders[(item >> _SHIFT) & ROW_MASK].luck, CORE_PART)
            else:
                u = part_of_item(item)
            put(q_core, n_core, a[k, 0], item, demand_of(law_core, u))
        if merged < space:
            break
        if room(q_core, n_core) == 0:
            return GROW + CORE, NIL

    state = MORE
    while state != DONE:
        space = min(room(q_sse, n_sse), room(q_szse, n_szse), room(q_bse, n_bse)) // 2
        space = min(space, room(back, n_back), chunk)
        done, state = serve(q_core, heaps[CORE], n_core, until, a, space)
        for k in range(done):
            time, item = a[k, 0], a[k, 1]
            kind, row = item >> KIND_SHIFT, (item >> _SHIFT) & ROW_MASK
            if kind == QUERY:
                stats[N_ANSWERED] += 1
                continue
            o = orders[row]
            exchange = instruments[o.instrument, I_EXCHANGE]
            goes = True
            if kind == ORDER:
                o.core = time
            elif o.state > WORKING or (o.core == 0 and o.parked):
                # A cancel of an order that has ended, or a second one of an order still in the path.
                tell(orders, back, n_back, law_back, settings, CANCEL_REJECT, row, np.int64(R_UNKNOWN), time)
                goes = False
            elif o.core == 0:
                # Its order has not left the counter: the cancel waits there and follows it.
                o.parked = 1
                stats[PARKED] += 1
                goes = False
            q, n = q_sse, n_sse
            if exchange != 0:
                q, n = (q_szse, n_szse) if exchange == 1 else (q_bse, n_bse)
            if goes:
                put(q, n, time, item, NIL)
            if kind == ORDER and o.parked:
                o.parked = 0
                stats[PARKED] -= 1
                item |= np.int64(CANCEL) << KIND_SHIFT
                put(q, n, time, item, NIL)
        if state == HEAP_FULL:
            return GROW + CORE, NIL
        if state != DONE and space < chunk:
            if room(q_sse, n_sse) < 2:
                return GROW + SSE, NIL
            if room(q_szse, n_szse) < 2:
                return GROW + SZSE, NIL
            if room(q_bse, n_bse) < 2:
                return GROW + BSE, NIL
            if room(back, n_back) == 0:
                return GROW + BACK, NIL

    for exchange in range(3):
        q, n, wire, m, full = q_sse, n_sse, w_sse, m_sse, np.int64(WIRE_SSE)
        if exchange == 1:
            q, n, wire, m, full = q_szse, n_szse, w_szse, m_szse, np.int64(WIRE_SZSE)
        elif exchange == 2:
            q, n, wire, m, full = q_bse, n_bse, w_bse, m_bse, np.int64(WIRE_BSE)
        state = MORE
        while state != DONE:
            passed, state = pace(q, n, windows, until, a, min(room(wire, m), chunk))
            for k in range(passed):
                if a[k, 1] >> KIND_SHIFT == ORDER:
                    orders[(a[k, 1] >> _SHIFT) & ROW_MASK].sent = a[k, 0]
                put(wire, m, a[k, 0] + settings[LATENCY_NS], a[k, 1], NIL)
            if state != DONE and room(wire, m) == 0:
                return GROW + full, NIL

    while True:
        space = min(room(w_north, m_north), chunk)
        merged = merge(w_szse, m_szse, w_bse, m_bse, until, NIL, a, space)
        for k in range(merged):
            put(w_north, m_north, a[k, 0], a[k, 1], NIL)
        if merged < space:
            break
        if room(w_north, m_north) == 0:
            return GROW + WIRE_NORTH, NIL

    space = min(chunk, np.int64(out.shape[1]))
    n_out = merge(w_sse, m_sse, w_north, m_north, until, NIL, a, space)
    for k in range(n_out):
        row = (a[k, 1] >> _SHIFT) & ROW_MASK
        o = orders[row]
        out[0, k] = a[k, 0]
        out[1, k] = 2 if a[k, 1] >> KIND_SHIFT == CANCEL else np.int64(o.kind)
        out[2, k] = o.instrument
        out[3, k] = o.side
        out[4, k] = 0 if o.kind == 1 else o.price
        out[5, k] = o.quantity
        out[6, k] = row
    return (MORE if n_out == space else NIL), n_out
