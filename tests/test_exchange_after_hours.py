"""Trading at the close after the close (domain M05) against a plain list of waiting orders."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from exchange_house import (
    BSE,
    BUY,
    CANCEL,
    CHINEXT,
    FIXED,
    NEW,
    SELL,
    SSE,
    STAR,
    SZSE,
    exchange,
    kinds_of,
    messages,
    refusals,
    run,
    tape_rows,
    trades,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clock import MINUTE, SECOND, at
from twin.contracts import Reason, TapeKind

CLOSE = [("14:58:00", NEW, 0, SELL, 1000, 100, 9000), ("14:58:01", NEW, 0, BUY, 1000, 100, 9001)]
END = "15:30:01"


def test_orders_wait_for_the_close_and_trade_by_time_at_it():
    rows = run(
        exchange(SSE),
        ("10:00:00", FIXED, 0, BUY, 1010, 300, 1),
        ("13:30:00", FIXED, 0, BUY, 1000, 200, 2),
        *CLOSE,
        ("15:02:00", FIXED, 0, SELL, 990, 400, 3),
        ("15:10:00", FIXED, 0, SELL, 1000, 200, 4),
        until=END,
    )
    assert trades(rows)[1:] == [
        (at("15:05"), 0, 1000, 300, 3, 1),
        (at("15:05"), 0, 1000, 100, 3, 2),
        (at("15:10"), 0, 1000, 100, 4, 2),
    ]
    assert kinds_of(rows, 4) == ["ACCEPTED", "TRADE", "EXPIRED"]
    assert rows[-1][0] == at("15:30")


def test_limits_on_the_wrong_side_of_the_close_are_void():
    rows = run(
        exchange(SZSE),
        ("09:16:00", FIXED, 0, BUY, 999, 100, 1),
        ("10:00:00", FIXED, 0, SELL, 1001, 100, 2),
        *CLOSE,
        ("15:06:00", FIXED, 0, BUY, 999, 100, 3),
        ("15:07:00", FIXED, 0, SELL, 1000, 100, 4),
        until=END,
    )
    assert refusals(rows) == [(1, Reason.PRICE_LIMIT), (2, Reason.PRICE_LIMIT), (3, Reason.PRICE_LIMIT)]
    assert kinds_of(rows, 1) == ["ACCEPTED", "REJECTED"]
    assert kinds_of(rows, 4) == ["ACCEPTED", "EXPIRED"]


@pytest.mark.parametrize(
    ("board", "day", "time", "reason"),
    [
        (SSE, "2026-09-15", "09:29:59", Reason.CLOSED),
        (SZSE, "2026-09-15", "09:29:59", None),
        (SSE, "2026-09-15", "09:30:00", None),
        (SSE, "2026-09-15", "11:30:00", Reason.CLOSED),
        (SSE, "2026-09-15", "15:29:59", None),
        (SSE, "2026-09-15", "15:30:00", Reason.CLOSED),
        (SSE, "2026-07-03", "10:00:00", Reason.ORDER_KIND),
        (STAR, "2026-07-03", "10:00:00", None),
        (CHINEXT, "2026-07-03", "10:00:00", None),
        (BSE, "2026-09-15", "10:00:00", Reason.ORDER_KIND),
    ],
)
def test_who_takes_fixed_price_orders_when(board, day, time, reason):
    rows = run(exchange(board, day=day), (time, FIXED, 0, BUY, 1000, 200, 1), until=END)
    assert refusals(rows) == ([(1, reason)] if reason else [])


def test_cancels_are_taken_while_orders_wait_even_where_others_are_refused():
    rows = run(
        exchange(SSE),
        ("10:00:00", FIXED, 0, BUY, 1010, 300, 1),
        ("14:57:30", CANCEL, 0, 0, 0, 0, 1),
        *CLOSE,
        ("14:59:00", FIXED, 0, BUY, 1010, 300, 2),
        ("15:06:00", CANCEL, 0, 0, 0, 0, 2),
        ("15:07:00", CANCEL, 0, 0, 0, 0, 2),
        until=END,
    )
    assert kinds_of(rows, 1) == ["ACCEPTED", "CANCELLED"]
    assert kinds_of(rows, 2) == ["ACCEPTED", "CANCELLED", "REJECTED"]
    assert refusals(rows) == [(2, Reason.UNKNOWN_ORDER)]


def test_lots_and_limits_hold_after_hours_too():
    rows = run(
        exchange(SSE),
        ("10:00:00", FIXED, 0, BUY, 1000, 150, 1),
        ("10:00:00", FIXED, 0, SELL, 1000, 150, 2),
        ("10:00:00", FIXED, 0, BUY, 1101, 100, 3),
        ("10:00:00", FIXED, 0, BUY, 1000, 100_000_000, 4),
        until=END,
    )
    assert refusals(rows) == [(1, Reason.LOT), (3, Reason.PRICE_LIMIT), (4, Reason.SIZE)]


def test_a_suspended_instrument_has_no_trading_after_hours():
    from twin.matching.exchange import Suspension

    market = exchange(SSE, suspensions=[Suspension((0,), at("14:00"))])
    rows = run(
        market,
        ("10:00:00", FIXED, 0, BUY, 1000, 100, 1),
        ("10:00:01", FIXED, 0, SELL, 1000, 100, 2),
        ("15:10:00", FIXED, 0, SELL, 1000, 100, 3),
        until=END,
    )
    assert trades(rows) == []
    assert refusals(rows) == [(1, Reason.SUSPENDED), (2, Reason.SUSPENDED), (3, Reason.SUSPENDED)]


@st.composite
def _orders(draw):
    rows = []
    for order in range(draw(st.integers(1, 40))):
        time = at(draw(st.sampled_from(("09:40", "11:00", "13:00", "15:00", "15:04", "15:05", "15:06", "15:20"))))
        time += draw(st.integers(0, 59)) * SECOND
        if order and draw(st.integers(0, 4)) == 0:
            rows.append((time, CANCEL, 0, 0, 0, 0, draw(st.integers(0, order - 1))))
        else:
            instrument, side = draw(st.integers(0, 1)), draw(st.sampled_from((BUY, SELL)))
            price, quantity = draw(st.integers(998, 1002)), 100 * draw(st.integers(1, 5))
            rows.append((time, FIXED, instrument, side, price, quantity, order))
    return sorted(rows, key=lambda row: row[0])


def _reference(rows, close):
    """Who trades how much with whom: a list of waiting orders per instrument, walked from the front."""
    live, sent, deals = {}, {}, []

    def match(time, order):
        _, _, instrument, side, price, _, _ = sent[order]
        fits = price >= close if side == BUY else price <= close
        if not fits:
            live.pop(order, None)
            return
        for other in [o for o in live if o != order]:
            if live.get(order, 0) and sent[other][2] == instrument and sent[other][3] == -side:
                size = min(live[order], live[other])
                deals.append((time, instrument, close, size, order, other))
                for side_order in (order, other):
                    live[side_order] -= size
                    if not live[side_order]:
                        del live[side_order]

    opened = False
    open_at = at("15:05")
    for row in [*rows, (at("15:31"), None, 0, 0, 0, 0, -1)]:
        if row[0] >= open_at and not opened:
            opened = True
            waiting, live_all = list(live), dict(live)
            live.clear()
            for order in waiting:
                live[order] = live_all[order]
                match(open_at, order)
        if row[1] == CANCEL:
            live.pop(row[6], None)
        elif row[1] == FIXED and row[6] not in sent:
            sent[row[6]] = row
            live[row[6]] = row[5]
            if opened:
                match(row[0], row[6])
    return deals


@settings(max_examples=60, deadline=None)
@given(rows=_orders(), step=st.sampled_from((30 * SECOND, 5 * MINUTE, 60 * MINUTE * 7)))
def test_after_hours_trades_equal_a_plain_list_and_conserve_shares(rows, step):
    market = exchange(SSE, SZSE)
    whole = messages(*rows)
    tape, now = [], at("09:15")
    while now < at(END):
        first, last = np.searchsorted(whole.time, [now, now + step])
        tape += tape_rows(market.process(whole.take(slice(first, last)), now + step))
        now += step
    assert trades(tape) == _reference(rows, 1000)
    times = [row[0] for row in tape]
    assert times == sorted(times)
    balance = Counter()
    for _, kind, _, _, _, quantity, order, counter, _ in tape:
        if kind == TapeKind.ACCEPTED:
            balance[order] += quantity
        elif kind == TapeKind.TRADE:
            balance[order] -= quantity
            balance[counter] -= quantity
        elif kind in (TapeKind.CANCELLED, TapeKind.EXPIRED) or (
            kind == TapeKind.REJECTED and order in balance and quantity
        ):
            balance[order] -= quantity
    assert not +balance
    assert not -balance
