"""What the order table says about the day: latencies of acknowledged orders, and orders that are stuck."""

from __future__ import annotations

import numpy as np

from twin.kernels import histogram, njit
from twin.kernels.borrowing import borrow
from twin.kernels.order_codes import (
    H_CHECKS,
    H_CORE,
    H_EXCHANGE,
    H_GATE_OUT,
    H_GATEWAY,
    H_PARKED,
    H_REPORT,
    H_TOTAL,
    REFUSED,
    REJECTED,
)
from twin.kernels.stations import NEVER, next_open


@njit(cache=True)
def survey(orders, n_orders, acceptance, windows, segments, stages, by_segment, by_minute):
    """Record the latencies of all acknowledged orders in empty histograms.

    Orders sent while the exchange is shut are parked at the exchange gateway: of their way there it counts, from then
    on only the time from the opening to the acknowledgement, apart from the others. Of other orders the time in which
    the exchange was shut to them does not count.

    Args:
        orders, n_orders: the table and its rows in use.
        acceptance: windows in which the exchange accepts. windows: in which the exchange gateways send.
        segments: by account.
        stages, by_segment, by_minute: histograms (int64, rows x buckets).
    """
    orders, acceptance, windows, segments = borrow(orders), borrow(acceptance), borrow(windows), borrow(segments)
    stages, by_segment, by_minute = borrow(stages), borrow(by_segment), borrow(by_minute)
    for row in range(n_orders):
        o = orders[row]
        if o.acknowledged == 0:
            continue
        histogram.record(stages, H_GATEWAY, o.gateway - o.submitted)
        histogram.record(stages, H_CHECKS, o.checked - o.gateway)
        histogram.record(stages, H_CORE, o.core - o.checked)
        opening = next_open(acceptance, o.submitted)
        if opening > o.submitted:
            histogram.record(stages, H_PARKED, o.acknowledged - opening)
            continue
        ready = next_open(windows, o.core)
        total = o.acknowledged - ready + o.core - o.submitted
        histogram.record(stages, H_GATE_OUT, o.sent - ready)
        histogram.record(stages, H_EXCHANGE, o.accepted - o.sent)
        histogram.record(stages, H_REPORT, o.acknowledged - o.accepted)
        histogram.record(stages, H_TOTAL, total)
        histogram.record(by_segment, np.int64(segments[o.account]), total)
        histogram.record(by_minute, min(o.submitted // 60_000_000_000, by_minute.shape[0] - 1), total)


@njit(cache=True)
def count_stuck(orders, n_orders, acceptance, patience):
    """Orders not told of within `patience` ns of being ready to go, or never."""
    orders, acceptance = borrow(orders), borrow(acceptance)
    n = 0
    for row in range(n_orders):
        o = orders[row]
        ready = next_open(acceptance, o.submitted)
        told = o.done if o.state == REFUSED or o.state == REJECTED else o.acknowledged
        if ready < NEVER and (told == 0 or told - ready > patience):
            n += 1
    return n
