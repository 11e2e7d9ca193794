"""Legal or refused, and why: single orders against the rules of a date."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from twin.clock import at
from twin.contracts import Board, Exchange, MessageKind, Reason, Side
from twin.matching.rules import Listing, Product, Rulebook, Status
from twin.matching.rules.orders import Order, Verdict, explain

SSE, SZSE, BSE = Exchange.SSE, Exchange.SZSE, Exchange.BSE
BUY, SELL = Side.BUY, Side.SELL


def check(
    date: str, where: tuple[int, ...], side: Side, price: int, quantity: int = 200, **more: int | MessageKind
) -> Verdict:
    """Verdict on an order; `where` is exchange, board and, if given, status and days."""
    exchange, board, status, days = (*where, *(Status.NORMAL, 500)[len(where) - 2 :])
    product = Product.FUND if board == Board.FUND else Product.STOCK
    columns = [np.array([x], np.int64) for x in (exchange, board, status, product, days, 1000)]
    order = Order(side, price, quantity, **more)  # type: ignore[arg-type]
    return explain(Rulebook.load().on(dt.date.fromisoformat(date)), Listing(*columns), order)


def reason(*args: object, **more: object) -> Reason:
    return check(*args, **more).reason  # type: ignore[arg-type]


MAIN, MAIN_SZ, CHINEXT, STAR, BJ = (SSE, 0), (SZSE, 0), (SZSE, 1), (SSE, 2), (BSE, 3)
ST, NEW = (SSE, 0, Status.ST, 500), (SSE, 0, Status.NORMAL, 0)
CALL = at("09:20")


def test_the_same_order_is_legal_on_one_date_and_refused_on_another() -> None:
    for where, side, price, more, refused, legal, why in (
        (ST, BUY, 1080, {"time": CALL}, "2026-07-03", "2026-07-06", Reason.PRICE_LIMIT),
        (CHINEXT, BUY, 1150, {"time": CALL}, "2020-08-21", "2020-08-24", Reason.PRICE_LIMIT),
        (MAIN, BUY, 1050, {"best_ask": 1010}, "2023-04-10", "2023-04-07", Reason.CAGE),
        (MAIN, SELL, 950, {"best_bid": 990}, "2023-04-10", "2023-04-07", Reason.CAGE),
        (MAIN, BUY, 0, {"kind": MessageKind.NEW_MARKET, "time": at("14:58")}, "2018-08-20", "2018-08-17",
         Reason.ORDER_KIND),
        (MAIN, BUY, 1000, {"kind": MessageKind.NEW_FIXED_PRICE, "time": at("15:10")}, "2026-07-03", "2026-07-06",
         Reason.ORDER_KIND),
        (MAIN, BUY, 0, {"kind": MessageKind.NEW_OWN_BEST}, "2023-04-07", "2023-04-10", Reason.ORDER_KIND),
        (NEW, BUY, 1500, {"time": CALL}, "2023-04-07", "2023-04-10", Reason.PRICE_LIMIT),
        (MAIN_SZ, BUY, 1000, {"time": at("09:27")}, "2026-07-06", "2026-07-03", Reason.CLOSED),
    ):  # fmt: skip
        assert reason(refused, where, side, price, **more) == why, (refused, where)
        assert reason(legal, where, side, price, **more) == Reason.NONE, (legal, where)


def test_chinext_parked_what_it_now_refuses() -> None:
    old = check("2023-04-07", CHINEXT, BUY, 1050, best_ask=1010)
    assert old.legal
    assert old.waits
    new = check("2023-04-10", CHINEXT, BUY, 1050, best_ask=1010)
    assert new.reason == Reason.CAGE
    assert not check("2023-04-07", CHINEXT, BUY, 1030, best_ask=1010).waits


@pytest.mark.parametrize(
    ("side", "bid", "ask", "last", "worst"),
    [
        (BUY, 1000, 1010, 1005, 1030),  # 102 % of the best ask, 1030.2
        (BUY, 990, 0, 1005, 1010),  # no ask: 102 % of the best bid, 1009.8
        (BUY, 0, 0, 1020, 1040),  # empty book: 102 % of the last trade, 1040.4
        (BUY, 0, 0, 0, 1020),  # nothing yet: of the previous close
        (SELL, 1000, 1010, 1005, 980),
        (SELL, 0, 1010, 1005, 990),  # no bid: 98 % of the best ask, 989.8
        (SELL, 0, 0, 980, 960),
        (SELL, 0, 0, 0, 980),
    ],
)
def test_the_cage_hangs_on_the_reference_of_m52(side: Side, bid: int, ask: int, last: int, worst: int) -> None:
    more = {"best_bid": bid, "best_ask": ask, "last": last}
    assert reason("2024-01-05", MAIN, side, worst, **more) == Reason.NONE
    assert reason("2024-01-05", MAIN, side, worst + side, **more) == Reason.CAGE
    assert reason("2024-01-05", MAIN, side, worst + side, time=CALL, **more) == Reason.NONE


@pytest.mark.parametrize(
    ("where", "quantity", "expected"),
    [
        (MAIN, 100, Reason.NONE),
        (MAIN, 150, Reason.LOT),
        (MAIN, 99, Reason.LOT),
        (MAIN, 0, Reason.LOT),
        (MAIN, 1_000_000, Reason.NONE),
        (MAIN, 1_000_100, Reason.SIZE),
        (CHINEXT, 300_100, Reason.SIZE),
        (STAR, 199, Reason.LOT),
        (STAR, 201, Reason.NONE),
        (STAR, 100_001, Reason.SIZE),
        (BJ, 101, Reason.NONE),
        (BJ, 99, Reason.LOT),
        ((SSE, 4), 10, Reason.NONE),
        ((SSE, 4), 15, Reason.LOT),
        ((SSE, 4), 100_010, Reason.SIZE),
    ],
)
def test_buys_come_in_the_lots_of_the_board(where: tuple[int, ...], quantity: int, expected: Reason) -> None:
    assert reason("2024-01-05", where, BUY, 1000, quantity) == expected


@pytest.mark.parametrize(
    ("where", "quantity", "holding", "expected"),
    [
        (MAIN, 50, 250, Reason.NONE),
        (MAIN, 150, 250, Reason.NONE),
        (MAIN, 250, 250, Reason.NONE),
        (MAIN, 100, 250, Reason.NONE),
        (MAIN, 30, 250, Reason.LOT),
        (MAIN, 130, 250, Reason.LOT),
        (STAR, 199, 199, Reason.NONE),
        (STAR, 150, 199, Reason.LOT),
        (STAR, 200, 399, Reason.NONE),
    ],
)
def test_a_residue_is_sold_in_one_order(where: tuple[int, ...], quantity: int, holding: int, expected: Reason) -> None:
    assert reason("2024-01-05", where, SELL, 1000, quantity, holding=holding) == expected
    assert reason("2024-01-05", where, SELL, 1000, quantity) == Reason.NONE  # without the holding nobody can tell


def test_market_orders_have_their_own_largest_size() -> None:
    market = MessageKind.NEW_MARKET
    assert reason("2024-01-05", STAR, BUY, 0, 50_001, kind=market) == Reason.SIZE
    assert reason("2024-01-05", STAR, BUY, 0, 50_000, kind=market) == Reason.NONE
    assert reason("2024-01-05", CHINEXT, BUY, 0, 150_100, kind=market) == Reason.SIZE


def test_market_orders_belong_to_continuous_trading() -> None:
    for time in ("09:20", "14:58"):
        assert reason("2024-01-05", MAIN, BUY, 0, kind=MessageKind.NEW_MARKET, time=at(time)) == Reason.ORDER_KIND
    assert reason("2024-01-05", MAIN, BUY, 0, kind=MessageKind.NEW_SWEEP) == Reason.ORDER_KIND
    assert reason("2024-01-05", MAIN_SZ, BUY, 0, kind=MessageKind.NEW_SWEEP) == Reason.NONE


@pytest.mark.parametrize("time", ["09:00", "09:27", "12:00", "15:00", "15:10"])
def test_nothing_is_taken_outside_the_hours(time: str) -> None:
    assert reason("2024-01-05", MAIN, BUY, 1000, time=at(time)) == Reason.CLOSED


def test_fixed_price_orders_have_hours_of_their_own() -> None:
    fixed = {"kind": MessageKind.NEW_FIXED_PRICE}
    assert reason("2026-07-06", MAIN, BUY, 1000, time=at("09:20"), **fixed) == Reason.CLOSED
    assert reason("2026-07-06", MAIN_SZ, BUY, 1000, time=at("09:20"), **fixed) == Reason.NONE
    assert reason("2026-07-06", MAIN_SZ, BUY, 1000, 1_000_100, time=at("10:00"), **fixed) == Reason.SIZE
    assert reason("2026-07-06", MAIN, BUY, 1000, time=at("15:30"), **fixed) == Reason.CLOSED
    assert reason("2026-07-06", BJ, BUY, 1000, time=at("15:10"), **fixed) == Reason.ORDER_KIND


def test_bands_hold_where_there_is_no_price_limit() -> None:
    for price, expected in ((9000, Reason.NONE), (9001, Reason.PRICE_LIMIT), (500, Reason.NONE)):
        assert reason("2024-01-05", NEW, BUY, price, time=CALL) == expected
    assert reason("2024-01-05", NEW, SELL, 499, time=CALL) == Reason.PRICE_LIMIT
    assert reason("2024-01-05", NEW, BUY, 2200, time=at("14:58"), last=2000) == Reason.NONE
    assert reason("2024-01-05", NEW, BUY, 2201, time=at("14:58"), last=2000) == Reason.PRICE_LIMIT
    assert reason("2024-01-05", NEW, BUY, 2041, last=2000) == Reason.CAGE
    # before the reform a first day opened within 80 % to 120 % of the issue price
    assert reason("2020-03-02", NEW, BUY, 1201, time=CALL) == Reason.PRICE_LIMIT
    assert reason("2020-03-02", NEW, BUY, 1440, last=1200) == Reason.NONE


def test_a_refusal_says_why_in_both_languages_and_names_its_source() -> None:
    verdict = check("2026-07-03", ST, BUY, 1080, time=CALL)
    assert "9.50 to 10.50" in verdict.text("en")
    assert "涨跌幅" in verdict.text("zh")
    assert "10.50" in verdict.text("zh")
    assert verdict.record is not None
    assert "M32" in verdict.record.source
    legal = check("2026-07-06", ST, BUY, 1080, time=CALL)
    assert legal.legal
    assert legal.record is None
    fund = check("2024-01-05", (SSE, 4), BUY, 1101, 10)
    assert "0.900 to 1.100" in fund.text("en")
