"""The same order is legal on one date and refused on another (trap T1); sessions and settlement by date."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from twin.clock import NO_CANCEL, SESSIONS, Phase, at
from twin.contracts import Board, Exchange, MessageKind
from twin.errors import ScenarioError
from twin.matching.rules import FREE_MULTIPLE, DayRules, Listing, Product, Rulebook, Status

SSE, SZSE, BSE = Exchange.SSE, Exchange.SZSE, Exchange.BSE


def on(text: str) -> DayRules:
    return Rulebook.load().on(dt.date.fromisoformat(text))


def listing(
    exchange: int,
    board: int,
    reference: int = 1000,
    status: int = Status.NORMAL,
    days: int = 1000,
    product: int | None = None,
) -> Listing:
    if product is None:
        product = Product.FUND if board == Board.FUND else Product.STOCK
    return Listing(*(np.array([x], np.int64) for x in (exchange, board, status, product, days, reference)))


def limits(text: str, *args: int, **kwargs: int) -> tuple[int, int]:
    down, up = on(text).limits(listing(*args, **kwargs))
    return int(down[0]), int(up[0])


FREE = 1, 1000 * FREE_MULTIPLE


@pytest.mark.parametrize(
    ("date", "what", "expected"),
    [
        ("2026-07-03", (SSE, Board.MAIN, 1000, Status.ST), (950, 1050)),
        ("2026-07-06", (SSE, Board.MAIN, 1000, Status.ST), (900, 1100)),
        ("2020-08-21", (SZSE, Board.CHINEXT), (900, 1100)),
        ("2020-08-24", (SZSE, Board.CHINEXT), (800, 1200)),
        ("2020-08-21", (SZSE, Board.CHINEXT, 1000, Status.ST), (950, 1050)),
        ("2020-08-24", (SZSE, Board.CHINEXT, 1000, Status.ST), (800, 1200)),
        ("2019-07-22", (SSE, Board.STAR), (800, 1200)),
        ("2021-11-15", (BSE, Board.BSE), (700, 1300)),
        ("2013-12-12", (SSE, Board.MAIN, 1000, Status.NORMAL, 0), FREE),
        ("2013-12-13", (SSE, Board.MAIN, 1000, Status.NORMAL, 0), (640, 1440)),
        ("2014-06-12", (SZSE, Board.MAIN, 1000, Status.NORMAL, 0), FREE),
        ("2014-06-13", (SZSE, Board.MAIN, 1000, Status.NORMAL, 0), (640, 1440)),
        ("2023-04-07", (SSE, Board.MAIN, 1000, Status.NORMAL, 1), (900, 1100)),
        ("2023-04-10", (SSE, Board.MAIN, 1000, Status.NORMAL, 0), FREE),
        ("2024-01-05", (SSE, Board.MAIN, 1000, Status.NORMAL, 4), FREE),
        ("2024-01-05", (SSE, Board.MAIN, 1000, Status.NORMAL, 5), (900, 1100)),
        ("2024-01-05", (BSE, Board.BSE, 1000, Status.NORMAL, 0), FREE),
        ("2024-01-05", (BSE, Board.BSE, 1000, Status.NORMAL, 1), (700, 1300)),
        ("2020-12-30", (SSE, Board.MAIN, 1000, Status.DELISTING, 0), (900, 1100)),
        ("2020-12-31", (SSE, Board.MAIN, 1000, Status.DELISTING, 0), FREE),
        ("2020-12-31", (SSE, Board.MAIN, 1000, Status.DELISTING, 1), (900, 1100)),
        ("2020-08-21", (SZSE, Board.FUND, 1000, Status.NORMAL, 9, Product.FUND_GROWTH), (900, 1100)),
        ("2020-08-24", (SZSE, Board.FUND, 1000, Status.NORMAL, 9, Product.FUND_GROWTH), (800, 1200)),
        ("2020-08-24", (SZSE, Board.FUND), (900, 1100)),
    ],
)
def test_limits_follow_the_date(date: str, what: tuple[int, ...], expected: tuple[int, int]) -> None:
    assert limits(date, *what) == expected


def test_a_stock_listed_before_the_reform_keeps_its_old_first_days() -> None:
    # Listed on Friday 2023-04-07, the second day is 2023-04-10: the five free days are for later listings only.
    assert limits("2023-04-10", SSE, Board.MAIN, days=1) == (900, 1100)
    assert limits("2023-04-11", SSE, Board.MAIN, days=1) == FREE
    assert limits("2023-04-11", SSE, Board.MAIN, days=2) == (900, 1100)
    assert limits("2020-08-24", SZSE, Board.CHINEXT, days=1) == (800, 1200)


def test_sessions_on_an_ordinary_day_are_the_clocks() -> None:
    assert on("2020-03-02").sessions(SSE, Board.MAIN) == SESSIONS
    assert on("2020-03-02").no_cancel(SSE, Board.MAIN) == NO_CANCEL


@pytest.mark.parametrize(
    ("date", "exchange", "board", "closes_by_call"),
    [
        ("2018-08-17", SSE, Board.MAIN, False),
        ("2018-08-20", SSE, Board.MAIN, True),
        ("2006-06-30", SZSE, Board.MAIN, False),
        ("2006-07-03", SZSE, Board.MAIN, True),
        ("2026-07-03", SSE, Board.FUND, False),
        ("2026-07-06", SSE, Board.FUND, True),
        ("2015-06-01", SZSE, Board.FUND, True),
    ],
)
def test_closing_call_and_its_cancel_window_follow_the_date(
    date: str, exchange: int, board: int, *, closes_by_call: bool
) -> None:
    rules = on(date)
    phases = {s.phase: s for s in rules.sessions(exchange, board)}
    assert (Phase.CLOSE_CALL in phases) == closes_by_call
    assert phases[Phase.CONTINUOUS].end == at("14:57" if closes_by_call else "15:00")
    assert ((at("14:57"), at("15:00")) in rules.no_cancel(exchange, board)) == closes_by_call
    method = rules.closing_price_rule(exchange, board).method
    assert method == ("closing_call" if closes_by_call else "last_minute_vwap")


@pytest.mark.parametrize(
    ("date", "exchange", "board", "entry"),
    [
        ("2026-07-03", SSE, Board.MAIN, None),
        ("2026-07-06", SSE, Board.MAIN, "09:30"),
        ("2026-07-06", SZSE, Board.MAIN, "09:15"),
        ("2026-07-06", SZSE, Board.FUND, "09:15"),
        ("2026-07-06", BSE, Board.BSE, None),
        ("2019-07-22", SSE, Board.STAR, "09:30"),
        ("2020-08-21", SZSE, Board.CHINEXT, None),
        ("2020-08-24", SZSE, Board.CHINEXT, "09:15"),
    ],
)
def test_trading_at_the_close_follows_the_date(date: str, exchange: int, board: int, entry: str | None) -> None:
    after = on(date).after_hours(exchange, board)
    rules = on(date).order_rules(listing(exchange, board))
    assert (after is None) == (entry is None) == (rules.fixed_price[0] == 0)
    assert bool(rules.kinds[0] >> MessageKind.NEW_FIXED_PRICE & 1) == (entry is not None)
    phases = [s.phase for s in on(date).sessions(exchange, board)]
    assert (Phase.AFTER_HOURS in phases) == (entry is not None)
    if after is not None and entry is not None:
        assert after.trading == (at("15:05"), at("15:30"))
        assert after.entry[0][0] == at(entry)


def test_cages_follow_the_date() -> None:
    def cage(date: str, exchange: int, board: int) -> tuple[int, int, int]:
        rules = on(date).order_rules(listing(exchange, board))
        return int(rules.cage_ppm[0]), int(rules.cage_ticks[0]), int(rules.cage_parks[0])

    assert cage("2023-04-07", SSE, Board.MAIN) == (0, 0, 0)
    assert cage("2023-04-10", SSE, Board.MAIN) == (20_000, 10, 0)
    assert cage("2020-08-21", SZSE, Board.CHINEXT) == (0, 0, 0)
    assert cage("2020-08-24", SZSE, Board.CHINEXT) == (20_000, 1, 1)
    assert cage("2023-04-10", SZSE, Board.CHINEXT) == (20_000, 1, 0)
    assert cage("2022-01-04", BSE, Board.BSE) == (50_000, 10, 0)
    assert cage("2026-07-06", SSE, Board.FUND) == (0, 0, 0)


def test_order_kinds_follow_exchange_and_date() -> None:
    def market_kinds(date: str, exchange: int, board: int, days: int = 1000) -> int:
        kinds = int(on(date).order_rules(listing(exchange, board, days=days)).kinds[0])
        assert kinds >> MessageKind.CANCEL & kinds >> MessageKind.NEW_LIMIT & 1
        assert not kinds >> MessageKind.NEW_IOC & 1  # no exchange here takes a limit order that cancels its rest
        other = {MessageKind.CANCEL, MessageKind.NEW_LIMIT, MessageKind.NEW_FIXED_PRICE}
        return sum(kinds >> kind & 1 for kind in MessageKind if kind not in other)

    assert market_kinds("2006-06-30", SSE, Board.MAIN) == 0
    assert market_kinds("2015-06-01", SSE, Board.MAIN) == 2
    assert market_kinds("2015-06-01", SSE, Board.MAIN, days=0) == 0
    assert market_kinds("2023-04-10", SSE, Board.MAIN) == 4
    assert market_kinds("2015-06-01", SZSE, Board.MAIN) == 5
    assert market_kinds("2019-07-22", SSE, Board.STAR, days=0) == 4
    assert market_kinds("2022-01-04", BSE, Board.BSE) == 4


def test_tie_breaks_differ_between_the_exchanges() -> None:
    assert [int(on("2024-01-05").order_rules(listing(e, Board.MAIN)).tie_break[0]) for e in (SSE, SZSE)] == [0, 1]


def test_settlement_follows_product_and_date() -> None:
    assert on("2024-01-05").settlement_days(SSE, Board.MAIN) == 1
    assert on("2024-01-05").settlement_days(SSE, Board.FUND) == 1
    assert on("2015-01-16").settlement_days(SSE, Board.FUND, Product.FUND_CROSS_BORDER) == 1
    assert on("2015-01-19").settlement_days(SSE, Board.FUND, Product.FUND_CROSS_BORDER) == 0
    assert on("2019-06-03").settlement_days(SZSE, Board.FUND, Product.FUND_COMMODITY) == 0
    assert on("2019-06-03").settlement_days(SSE, Board.FUND, Product.FUND_COMMODITY) == 1


def test_circuit_breaker_held_for_four_days_only() -> None:
    assert on("2015-12-31").circuit_breaker(SSE, Board.MAIN) is None
    assert on("2016-01-08").circuit_breaker(SSE, Board.MAIN) is None
    for exchange, board in ((SSE, Board.MAIN), (SZSE, Board.CHINEXT)):
        breaker = on("2016-01-04").circuit_breaker(exchange, board)
        assert breaker is not None
        assert (breaker.first, breaker.minutes, breaker.second, breaker.close_from) == (5, 15, 7, at("14:45"))


@pytest.mark.parametrize(
    ("date", "exchange", "board", "said"),
    [
        ("2019-07-19", SSE, Board.STAR, "2019-07-22"),
        ("2009-10-29", SZSE, Board.CHINEXT, "2009-10-30"),
        ("2021-11-12", BSE, Board.BSE, "2021-11-15"),
        ("1990-12-19", SSE, Board.MAIN, "1996-12-16"),
        ("2024-01-05", SSE, Board.CHINEXT, "SZSE CHINEXT"),
    ],
)
def test_a_board_before_its_time_is_one_clear_error(date: str, exchange: int, board: int, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        on(date).limits(listing(exchange, board))


def test_a_status_before_its_time_is_one_clear_error() -> None:
    with pytest.raises(ScenarioError, match="delisting"):
        on("2011-06-01").limits(listing(SSE, Board.MAIN, status=Status.DELISTING, days=3))


def test_a_reference_price_of_zero_is_refused() -> None:
    with pytest.raises(ScenarioError, match="0 ticks"):
        on("2024-01-05").limits(listing(SSE, Board.MAIN, 0))
