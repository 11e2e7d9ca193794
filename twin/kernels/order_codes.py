"""Numbers that the kernels of the order path share: stations, kinds, states, reasons, counters, settings.

A message is an item: kind << KIND_SHIFT | row << ROW_SHIFT | 24 random bits. The row is that of an order (orders and
cancels) or of a request (logins); a query carries its account there. Items break ties of time, so an order goes before
its cancel. Record arrays: `orders` (twin.routing.orders.ORDER), `requests`, `reports` and `trades`
(twin.routing.replies). `instruments` is int64 with the columns below.
"""

from __future__ import annotations

import numpy as np

NETWORK, GATEWAY, AUTHENTICATION, SUITABILITY, CHECKS, CORE, SSE, SZSE, BSE, REPORT, BACK = range(11)
"""Stations, rows of the numbers."""
OVERDUE, DIRECT, WIRE_SSE, WIRE_SZSE, WIRE_BSE, WIRE_NORTH, TIMELY, CHECKED = range(11, 19)
"""Delay lines: orders whose lookup is late, messages that skip the checks, messages on the wire to each exchange, those
to Shenzhen and Beijing in one order, orders whose lookup came in time, orders that passed the checks."""
N_STATIONS = 19
ORDER, CANCEL, QUERY, LOGIN = range(4)
KIND_SHIFT, ROW_SHIFT = 56, 24
WORD_MASK = (1 << ROW_SHIFT) - 1
ROW_MASK = (1 << (KIND_SHIFT - ROW_SHIFT)) - 1

IN_PATH, WORKING, FILLED, CANCELLED, REFUSED, REJECTED, EXPIRED = range(7)
"""States of an order (twin.routing.orders.OrderState)."""
ACK, FILL, END, REJECT, CANCEL_REJECT, LOGGED_IN = (np.int64(k) for k in range(6))
"""Kinds of reports; END covers cancelled and expired, REJECT also the broker's refusals."""
(
    PARKED,
    LATE_CHECKS,
    PASSED_UNCHECKED,
    PASSED_UNSUITABLE,
    BLOCKED_UNSUITABLE,
    TIMED_OUT,
    REPORT_BASE,
    REPORT_COUNT,
    TRADE_COUNT,
    N_ACKNOWLEDGED,
    N_ANSWERED,
) = range(11)
"""Counters of the path: cancels that wait for their order; suitability answers after the budget; orders passed
without an answer; unsuitable ones among them; unsuitable ones stopped; lookups over budget; sequence of the first
report kept, reports kept; trades; orders acknowledged; queries answered."""
N_STATS = 11
SERVICE_NS, BUDGET_NS, REFUSE_LATE, LATENCY_NS, LAST_CLOSE, TOLD_FROM = range(6)
"""Settings (int64); accounts from TOLD_FROM on hear of every report, others of refusals and logins only."""
S_NETWORK = np.int64(46)
"""Random stream (twin.randomness.Stream)."""
N_REPLY = 8
"""Columns of a reply: time, kind, row, account, instrument or reason, side, price, quantity."""
MORE = np.int64(1)
GROW = np.int64(2)
"""Codes of a call that has to be repeated: after taking its output; after making room at station code - GROW."""
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
I_EXCHANGE, I_BOARD, I_LIMIT_DOWN, I_LIMIT_UP, I_RISK = 0, 1, 3, 4, 6
I_SMALLEST, I_STEP, I_LARGEST_LIMIT, I_LARGEST_MARKET = 7, 8, 9, 10
"""Columns of an instrument: those of `Instruments`, then the sizes of `OrderRules` (0 = no such rule)."""
H_GATEWAY, H_CHECKS, H_CORE, H_GATE_OUT, H_EXCHANGE, H_REPORT, H_TOTAL, H_PARKED = (np.int64(k) for k in range(8))
"""Rows of the histogram of stages."""
