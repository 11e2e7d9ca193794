"""The exchange's day by date: sessions, calls, windows without cancels, closes, suspensions (domain 1.1, T1, T7)."""

from __future__ import annotations

import numpy as np
import pytest
from exchange_house import (
    BSE,
    BUY,
    CANCEL,
    CHINEXT,
    NEW,
    SELL,
    SSE,
    SSE_FUND,
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
from twin.contracts import Messages, Reason, Tape, TapeKind
from twin.errors import ScenarioError
from twin.matching.exchange import Suspension

PAIR = (("14:58:00", NEW, 0, SELL, 1000, 100, 1), ("14:58:01", NEW, 0, BUY, 1001, 100, 2))


def test_shanghai_trades_at_1458_until_2018_08_17_and_rests_from_2018_08_20():
    before = run(exchange(SSE, day="2018-08-17"), *PAIR)
    assert trades(before) == [(at("14:58:01"), 0, 1000, 100, 2, 1)]
    after = run(exchange(SSE, day="2018-08-20"), *PAIR)
    assert trades(after) == [(at("15:00"), 0, 1001, 100, 2, 1)]
    assert trades(run(exchange(SZSE, day="2018-08-17"), *PAIR)) == [(at("15:00"), 0, 1000, 100, 2, 1)]


def test_shanghai_funds_get_their_closing_call_on_2026_07_06():
    pair = [(t, kind, i, side, price, 10, order) for t, kind, i, side, price, _, order in PAIR]
    assert [t[0] for t in trades(run(exchange(SSE_FUND, day="2026-07-03"), *pair))] == [at("14:58:01")]
    assert [t[0] for t in trades(run(exchange(SSE_FUND, day="2026-07-06"), *pair))] == [at("15:00")]


@pytest.mark.parametrize(
    ("day", "board", "time", "refused"),
    [
        ("2026-09-15", SSE, "09:19:59", False),
        ("2026-09-15", SSE, "09:20:00", True),
        ("2026-09-15", SZSE, "09:24:59", True),
        ("2026-09-15", BSE, "09:22:00", True),
        ("2026-09-15", SSE, "14:56:59", False),
        ("2026-09-15", SSE, "14:57:00", True),
        ("2026-09-15", SZSE, "14:59:59", True),
        ("2018-08-17", SSE, "14:58:00", False),
        ("2018-08-17", SZSE, "14:58:00", True),
        ("2018-08-20", SSE, "14:58:00", True),
    ],
)
def test_cancels_are_refused_in_the_windows_of_their_exchange_and_date(day, board, time, refused):
    # An instrument of the other exchange is listed beside it, so that windows cannot be the whole market's.
    market = exchange(SZSE if board == SSE else SSE, board, day=day)
    rows = run(market, ("09:16:00", NEW, 1, BUY, 990, 100, 1), (time, CANCEL, 1, 0, 0, 0, 1))
    assert refusals(rows) == ([(1, Reason.NO_CANCEL)] if refused else [])
    assert ("CANCELLED" in kinds_of(rows, 1)) is not refused


def test_nothing_is_taken_between_the_sessions():
    times = ("09:14:59", "09:25:00", "09:29:59", "11:30:00", "12:59:59", "15:00:00")
    rows = run(exchange(SSE), *[(t, NEW, 0, BUY, 990, 100, k) for k, t in enumerate(times)], until="15:01")
    assert refusals(rows) == [(k, Reason.CLOSED) for k in range(len(times))]


def test_calls_trade_at_their_instants_and_the_rest_expires_at_the_close():
    rows = run(
        exchange(SSE, SZSE),
        ("09:16:00", NEW, 0, BUY, 1010, 300, 1),
        ("09:17:00", NEW, 0, SELL, 1000, 200, 2),
        ("14:58:00", NEW, 1, BUY, 1005, 100, 3),
        ("14:59:00", NEW, 1, SELL, 1005, 500, 4),
    )
    assert [t[:4] for t in trades(rows)] == [(at("09:25"), 0, 1010, 200), (at("15:00"), 1, 1005, 100)]
    expired = {r[6]: r[5] for r in rows if r[1] == TapeKind.EXPIRED}
    assert expired == {1: 100, 4: 400}
    assert {r[0] for r in rows if r[1] == TapeKind.EXPIRED} == {at("15:00")}


def test_a_board_that_does_not_exist_yet_is_an_error():
    with pytest.raises(ScenarioError, match=r"2016-01-04.*SSE STAR.*2019-07-22"):
        exchange(STAR, day="2016-01-04")


def _pairs(instrument, *deals):
    """Messages that make trades: (time, price, quantity)."""
    rows = []
    for k, (time, price, quantity) in enumerate(deals):
        order = 100 * instrument + 2 * k
        rows += [
            (time, NEW, instrument, SELL, price, quantity, order),
            (time, NEW, instrument, BUY, price, quantity, order + 1),
        ]
    return rows


def test_without_a_closing_call_the_close_is_the_mean_price_of_the_last_minute():
    deals = (
        ("14:00:00", 1000, 100),
        ("14:58:58", 900, 100),
        ("14:59:00", 1001, 100),
        ("14:59:30", 1003, 200),
        ("14:59:59", 1004, 100),
    )
    market = exchange(SSE, SZSE, day="2018-08-17")
    run(market, *sorted([*_pairs(0, *deals), *_pairs(1, *deals[:2])], key=lambda row: row[0]))
    # (1001 + 2 x 1003 + 1004) / 4 = 1002.75; the trade of 14:58:58 is more than a minute before the last one.
    assert market.closing_prices().tolist()[0] == 1003
    assert market.closing_prices().tolist()[1] == 900


def test_where_the_closing_call_gives_no_price_shanghai_takes_the_last_minute_and_beijing_the_last_trade():
    deals = (("10:00:00", 1000, 100), ("10:00:30", 1001, 100))
    market = exchange(SSE, BSE, SZSE)
    run(market, *sorted([*_pairs(0, *deals), *_pairs(1, *deals)], key=lambda row: row[0]))
    # 1000.5 is rounded half up to 1001 in Shanghai, which is Beijing's last trade too; below they differ.
    assert market.closing_prices().tolist() == [1001, 1001, 1000]
    market = exchange(SSE, BSE)
    deals = (("10:00:00", 1000, 300), ("10:00:30", 1004, 100))
    run(market, *sorted([*_pairs(0, *deals), *_pairs(1, *deals)], key=lambda row: row[0]))
    assert market.closing_prices().tolist() == [1001, 1004]


def test_the_closing_call_sets_the_close():
    market = exchange(CHINEXT)
    run(market, *_pairs(0, ("14:56:59", 1100, 100), ("14:58:00", 1050, 100)))
    assert market.closing_prices().tolist() == [1050]


@st.composite
def _days(draw):
    """Random messages of a day over three instruments on three exchanges."""
    n = draw(st.integers(1, 60))
    spots = [at(t) for t in ("09:15", "09:20", "09:25", "09:30", "10:00", "11:30", "13:00", "14:57", "14:58", "15:00")]
    rows = []
    for order in range(n):
        time = draw(st.sampled_from(spots)) + draw(st.integers(-2, 2)) * SECOND // 2
        if order and draw(st.integers(0, 4)) == 0:
            rows.append((time, CANCEL, 0, 0, 0, 0, draw(st.integers(0, order - 1))))
        else:
            row = (NEW, draw(st.integers(0, 2)), draw(st.sampled_from((BUY, SELL))), draw(st.integers(985, 1015)))
            rows.append((time, *row, 100 * draw(st.integers(1, 5)), order))
    return sorted(rows, key=lambda row: row[0])


@settings(max_examples=30, deadline=None)
@given(rows=_days(), step=st.sampled_from((47 * SECOND, MINUTE, 7 * MINUTE)))
def test_the_day_is_the_same_in_whatever_steps_it_is_run(rows, step):
    whole = messages(*rows)
    end = at("15:06")
    at_once = exchange(SSE, SZSE, BSE).process(whole, end)
    market = exchange(SSE, SZSE, BSE)
    tapes, now = [], at("09:14")
    while now < end:
        tapes.append(market.reach(now))
        tapes.append(market.process(_between(whole, now, now + step), now + step))
        now += step
    assert tape_rows(Tape.concat([t for t in tapes if len(t)] or [Tape.empty()])) == tape_rows(at_once)
    market.engine.check()


def _between(whole: Messages, start: int, end: int) -> Messages:
    return whole.take(slice(*np.searchsorted(whole.time, [start, end]).tolist()))


def test_a_suspended_instrument_refuses_orders_and_comes_back_with_a_call():
    market = exchange(SSE, SZSE, suspensions=[Suspension((0,), at("10:00"), at("10:30"))])
    rows = run(
        market,
        ("09:40:00", NEW, 0, BUY, 990, 100, 1),
        ("10:00:00", NEW, 0, BUY, 990, 100, 2),
        ("10:01:00", CANCEL, 0, 0, 0, 0, 1),
        ("10:02:00", NEW, 1, BUY, 990, 100, 3),
        ("10:30:00", NEW, 0, BUY, 991, 100, 4),
        ("10:31:00", NEW, 0, SELL, 991, 100, 5),
    )
    assert refusals(rows) == [(2, Reason.SUSPENDED)]
    assert kinds_of(rows, 1) == ["ACCEPTED", "CANCELLED"]
    assert trades(rows) == [(at("10:31"), 0, 991, 100, 5, 4)]
    assert [(r[0], r[2]) for r in rows if r[1] == TapeKind.RESUMED] == [(at("10:30"), 0)]


def test_a_suspended_market_trades_nothing_all_day():
    market = exchange(SSE, SZSE, suspensions=[Suspension((0, 1))])
    rows = run(market, ("09:16:00", NEW, 0, BUY, 1000, 100, 1), ("10:00:00", NEW, 1, SELL, 1000, 100, 2))
    assert refusals(rows) == [(1, Reason.SUSPENDED), (2, Reason.SUSPENDED)]
    assert market.closing_prices().tolist() == [1000, 1000]


def test_a_suspension_that_ends_before_it_begins_is_an_error():
    with pytest.raises(ScenarioError, match="must end after"):
        Suspension((0,), at("10:00"), at("09:00"))
